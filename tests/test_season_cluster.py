"""Where tasks run, and how that ends."""

import os
import signal
import socket
import time
import warnings
from contextlib import nullcontext

import pytest

from seaice.workflow.season import cluster
from seaice.workflow.season.cluster import ClusterSettings, connected


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


@pytest.mark.slow
def test_a_worker_that_was_not_heard_of_for_long_goes_on():
    """As when a laptop sleeps, or Slurm suspends a job; Dask's patience is made short."""
    import dask
    import distributed  # noqa: F401  (its settings first: what is set before them is lost with them)

    impatient = {"distributed.scheduler.worker-ttl": "1s"}  # no less than ten heartbeats: 5 s
    with dask.config.set(impatient), connected(ClusterSettings(workers=1)) as client:
        worker = client.submit(os.getpid).result(timeout=60)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(12)
        os.kill(worker, signal.SIGCONT)
        assert client.submit(os.getpid, pure=False).result(timeout=60) == worker


@pytest.mark.slow
def test_a_second_run_beside_the_first_says_nothing_of_its_port():
    with socket.socket() as taken, warnings.catch_warnings(record=True) as told:
        taken.bind(("127.0.0.1", 8787))
        taken.listen()
        with connected(ClusterSettings(workers=1)) as client:
            assert ":8787" not in client.dashboard_link
    assert not [each for each in told if "Port" in str(each.message)]
