"""Training: the loop, distributed processes, samples, tasks and losses."""
