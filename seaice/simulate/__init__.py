"""Truth-known days in genuine file formats, for the demo, training and tests."""
