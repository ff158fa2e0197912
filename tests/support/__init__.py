"""Data, files and cases that several tests share."""
