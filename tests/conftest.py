"""What all tests share."""

import os

# One thread a process, set before PyTorch is imported: workers of `pytest -n 2` would otherwise
# start twice as many threads as there are cores, which wait for each other by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# Compilation and a shared machine make single examples slow for no fault of theirs.
settings.register_profile("seaice", deadline=None, max_examples=50)
settings.load_profile("seaice")

collect_ignore = [  # run in QGIS's own Python, started by test_qgis.py and test_qgis_project.py
    "support/qgis_project_session.py",
    "support/qgis_session.py",
]
