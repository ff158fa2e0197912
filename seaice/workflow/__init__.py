"""Complete workflows: a day, a season, training and evaluation, composed of the stages."""
