"""What all tests share."""

from hypothesis import settings

# Compilation and a shared machine make single examples slow for no fault of theirs.
settings.register_profile("seaice", deadline=None, max_examples=50)
settings.load_profile("seaice")
