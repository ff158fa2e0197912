"""Where tasks run: processes of this machine, a Dask cluster that is there, or one of Slurm's."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seaice.config import FrozenModel, read_toml
from seaice.errors import SettingsError, to_install

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ClusterSettings", "connected"]

GPU = "GPU"  #: the resource that tasks with networks ask for where the device is cuda
#: Of workers on this machine. Dask keeps an hour of how each spent its time, some 10 MB for every
#: small day; and it would end one for good that was not heard of for five minutes, because the
#: machine slept, its clock jumped or others took all of it. One that died is started again anyhow.
LOCAL = {"distributed.worker.profile.enabled": False, "distributed.scheduler.worker-ttl": None}
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ClusterSettings(FrozenModel):
    """Where the workers are; by default processes of this machine."""

    workers: int = Field(default=2, ge=1, description="worker processes, each doing one task")
    scheduler: str | None = Field(default=None, description="of a running Dask cluster: tcp://...")
    cluster: str | None = Field(default=None, pattern="^slurm$", description="slurm, to ask it")
    cluster_settings: Path | None = Field(
        default=None, description="TOML with [slurm]: queue, cores, memory, walltime, ..."
    )
    memory: str = Field(default="auto", description="a worker may take, as 6GB; local workers only")


@contextmanager
def connected(told: ClusterSettings) -> Iterator["Client"]:
    """A client of the cluster; what was started here is ended with the block.

    Raises
    ------
    SettingsError
        If the scheduler does not answer, or the cluster's settings do not do.
    """
    if told.scheduler:
        with _client(told.scheduler) as client:
            yield client
    elif told.cluster:
        with _slurm(told) as cluster, _client(cluster) as client:
            cluster.scale(told.workers)
            yield client
    else:
        with _ended(_local(told)) as cluster, _client(cluster) as client:
            yield client


@contextmanager
def _ended(cluster: Any) -> Iterator[Any]:
    """A local cluster, ended with the block: its workers are killed if they take long to end.

    A machine that is busy may not see them gone in time; what was made is made all the same.
    """
    try:
        yield cluster
    finally:
        with suppress(TimeoutError):
            cluster.close()


def _client(where: Any) -> "Client":
    from distributed import Client

    try:
        return Client(where, timeout="30s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no scheduler at {where} ({error})",
            "the address of a Dask scheduler, such as tcp://10.0.0.1:8786",
            "start one with `dask scheduler`, or leave SCHEDULER out to work on this machine",
        ) from error


def _local(told: ClusterSettings) -> Any:
    import logging

    import dask
    from distributed import LocalCluster

    cores = len(os.sched_getaffinity(0))
    threads = str(max(1, cores // told.workers))
    with dask.config.set(LOCAL), warnings.catch_warnings():
        # another run has the usual port; the dashboard's link tells which it is now
        warnings.filterwarnings("ignore", "Port .* is already in use")
        return LocalCluster(
            n_workers=told.workers,
            threads_per_worker=1,
            memory_limit=told.memory,
            resources={GPU: 1},
            dashboard_address="127.0.0.1:8787",
            silence_logs=logging.CRITICAL,
            env={name: os.environ.get(name, threads) for name in THREADS},
        )


def _slurm(told: ClusterSettings) -> Any:
    if told.cluster_settings is None:
        raise SettingsError(
            "CLUSTER=slurm without its settings",
            "a TOML file with a section [slurm]: queue, cores, memory, walltime",
            "give CLUSTER_SETTINGS=slurm.toml (--cluster-settings)",
        )
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise SettingsError(
            "CLUSTER=slurm without dask-jobqueue",
            "the extra `cluster` of this package",
            f"type: {to_install('seaice[cluster]')}",
        ) from error
    try:
        return SLURMCluster(**read_toml(told.cluster_settings).get("slurm", {}))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"[slurm] in {told.cluster_settings} ({error})",
            "what dask_jobqueue.SLURMCluster takes",
            "see its documentation, or docs/operations.md for an example",
        ) from error
