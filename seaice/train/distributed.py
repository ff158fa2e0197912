"""Several processes that learn as one, as torchrun starts them; a lone process is the first of one.

Every process draws its share of each batch, and all take the same step with the mean of their
gradients. The first one alone writes.
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

TIMEOUT = timedelta(days=2)  # of the others while the first simulates or refines samples


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, each with a device of its own; alone, do nothing.

    Raises
    ------
    SettingsError
        If there are more processes on this machine than graphics cards to learn on.
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
            f"a process number {local} on a machine with {torch.cuda.device_count()} CUDA devices",
            "one process for each device",
            "give torchrun a smaller --nproc-per-node",
        )
    return torch.device("cuda", local)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which process this is; 0 is the first."""
    return dist.get_rank() if _world_size() > 1 else 0


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def rank_indices(batch: int) -> range:
    """Which samples of a batch are this process's.

    Raises
    ------
    SettingsError
        If a batch cannot be dealt out evenly.

    >>> rank_indices(3)
    range(0, 3)
    """
    count = _world_size()
    if batch % count:
        raise SettingsError(
            f"batches of {batch} samples for {count} processes",
            "as many samples for each",
            "start another number of processes, or choose another batch",
        )
    return range(rank(), batch, count)


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a value over all processes, which must all ask; without gradient."""
    count = _world_size()
    if count == 1:
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / count


def average_gradients(network: nn.Module) -> None:
    """Give every process the mean gradients of all, in one message."""
    if _world_size() == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    together = mean_over_processes(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = torch.split(together, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def broadcast_bool(told: bool, device: torch.device) -> bool:
    """What the first process was told, in all of them."""
    if _world_size() == 1:
        return told
    word = torch.tensor(float(told), device=device)
    dist.broadcast(word, 0)
    return bool(word)


def run_on_main_process_first(work: Callable[[], None]) -> None:
    """Let the first process work while the others wait for it."""
    if is_main_process():
        work()
    barrier()


def barrier() -> None:
    """Go on when every process has come this far."""
    if _world_size() > 1:
        dist.barrier()
