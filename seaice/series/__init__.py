"""Products in, what they add up to day after day out: extent, area, and what a day is worth."""
