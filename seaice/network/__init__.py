"""How any network is listed, built, loaded, run and trained; knows nothing of ice."""
