"""The batches of a run, made while the network works; how they are made ahead changes nothing."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

__all__ = ["Batch", "Source", "Steps", "made_ahead"]

Batch = Mapping[str, Tensor]
Source = Callable[[np.random.Generator, int], Batch]  #: random numbers, batch size -> batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Dataset[Batch]):
    """The samples of every step: which they are follows from seed, step and place in the batch."""

    source: Source
    seed: int
    samples: range  #: places in the batch that are this process's

    def __getitem__(self, step: int) -> Batch:
        each = [
            self.source(np.random.default_rng((self.seed, step, place)), 1)
            for place in self.samples
        ]
        return {name: torch.cat([sample[name] for sample in each]) for name in each[0]}


def made_ahead(
    steps: Steps, wanted: range, ahead: int, loaders: int, device: torch.device
) -> Iterator[Batch]:
    """The batches of some steps in turn.

    Parameters
    ----------
    wanted : steps
    ahead : batches that wait, of each loader
    loaders : processes that make batches; 0: a thread of this one. The steps' source must be
        something that pickle can name
    device : where batches will go; for CUDA they lie in pinned memory
    """
    if loaders:
        yield from DataLoader(
            steps,
            sampler=wanted,
            batch_size=None,
            num_workers=loaders,
            prefetch_factor=max(ahead, 1),
            pin_memory=device.type == "cuda",
            multiprocessing_context="spawn",
        )
    else:
        yield from _by_thread(steps, wanted, ahead, device)


def _by_thread(steps: Steps, wanted: range, ahead: int, device: torch.device) -> Iterator[Batch]:
    def make(step: int) -> Batch:
        batch = steps[step]
        if device.type == "cuda":
            return {name: value.pin_memory() for name, value in batch.items()}
        return batch

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for step in wanted:
            waiting.append(pool.submit(make, step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
