"""Where tasks run, and how that ends."""

from contextlib import nullcontext

import pytest

from pipelines.season import cluster
from pipelines.season.cluster import ClusterSettings, connected


class Slow:
    """Workers that are not gone in time."""

    def close(self):
        raise TimeoutError


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(cluster, "_local", lambda told: Slow())
    monkeypatch.setattr(cluster, "_client", nullcontext)


def test_workers_that_end_late_do_not_undo_what_was_made(slow):
    with connected(ClusterSettings()) as client:
        assert isinstance(client, Slow)


def test_what_went_wrong_before_is_told_all_the_same(slow):
    with pytest.raises(KeyError, match="a day"), connected(ClusterSettings()):
        raise KeyError("a day")
