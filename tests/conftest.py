"""What all tests share."""

from hypothesis import settings

# Compilation and a shared machine make single examples slow for no fault of theirs.
settings.register_profile("seaice", deadline=None, max_examples=50)
settings.load_profile("seaice")

collect_ignore = ["qgis_session.py"]  # runs in QGIS's own Python, started by test_qgis.py
