"""Many days: a reprocessing on a cluster, a folder that is watched, what came of them."""
