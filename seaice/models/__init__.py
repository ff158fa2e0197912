"""Models: registry, cards, weights, inputs, inference and export; knows nothing of training."""
