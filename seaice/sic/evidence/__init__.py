"""What place, season and the days around add to what a method tells."""
