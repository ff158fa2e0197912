"""Published algorithms without weights: baselines, and a second opinion on every map."""
