"""What QGIS opens of its own accord: styles and projections beside rasters, and projects."""
