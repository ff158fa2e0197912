"""The formulas beside the networks: a page that judges them on samples, and their doubts."""
