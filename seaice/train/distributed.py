"""Data-parallel training in processes started by torchrun; a single process needs no group.

Every process computes its samples of each batch, and all take the same step with the mean
gradient. Only the main process writes files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seaice.errors import SettingsError

__all__ = [
    "average_gradients",
    "barrier",
    "broadcast_bool",
    "is_main_process",
    "mean_over_processes",
    "process_group",
    "rank",
    "rank_indices",
    "run_on_main_process_first",
]

TIMEOUT = timedelta(days=2)  # while the main process simulates or refines samples


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the process group of torchrun, with one device each; a single process does nothing.

    Raises
    ------
    SettingsError
        If this machine has fewer CUDA devices than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = _local_device(int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def _local_device(local: int) -> torch.device:
    if local >= torch.cuda.device_count():
        raise SettingsError(
            f"process number {local} on a machine with {torch.cuda.device_count()} CUDA devices",
            "one process for each device",
            "give torchrun a smaller --nproc-per-node",
        )
    return torch.device("cuda", local)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Index of this process; 0 is the main process."""
    return dist.get_rank() if _world_size() > 1 else 0


def is_main_process() -> bool:
    """Whether this process writes files."""
    return rank() == 0


def rank_indices(batch: int) -> range:
    """Indices of the samples of a batch that this process computes.

    Raises
    ------
    SettingsError
        If a batch cannot be divided evenly.

    >>> rank_indices(3)
    range(0, 3)
    """
    count = _world_size()
    if batch % count:
        raise SettingsError(
            f"batches of {batch} samples for {count} processes",
            "the same number of samples for each",
            "start another number of processes, or choose another batch size",
        )
    return range(rank(), batch, count)


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a value over all processes, which all must call this; without gradient."""
    count = _world_size()
    if count == 1:
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / count


def average_gradients(network: nn.Module) -> None:
    """Replace the gradients of every process by their mean, in one message."""
    if _world_size() == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    averaged = mean_over_processes(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(averaged, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def broadcast_bool(value: bool, device: torch.device) -> bool:
    """The value of the main process, in all processes."""
    if _world_size() == 1:
        return value
    message = torch.tensor(float(value), device=device)
    dist.broadcast(message, 0)
    return bool(message)


def run_on_main_process_first(work: Callable[[], None]) -> None:
    """Run `work` in the main process while the others wait."""
    if is_main_process():
        work()
    barrier()


def barrier() -> None:
    """Wait until every process has reached this call."""
    if _world_size() > 1:
        dist.barrier()
