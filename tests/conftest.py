"""What all tests share."""

from hypothesis import settings

# Compilation and a shared machine make single examples slow for no fault of theirs.
settings.register_profile("seaice", deadline=None, max_examples=50)
settings.load_profile("seaice")

collect_ignore = [  # run in QGIS's own Python, started by test_qgis.py and test_qgis_project.py
    "qgis_project_session.py",
    "qgis_session.py",
]
