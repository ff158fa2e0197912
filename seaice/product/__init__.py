"""Products: writing, metadata, opening, season stores, time series and the quality page."""
