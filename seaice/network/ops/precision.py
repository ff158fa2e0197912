"""Parts of a network that stay in float32 where the rest runs in bfloat16."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["unrounded"]


def unrounded(like: Tensor) -> AbstractContextManager[object]:
    """A context in which nothing is rounded to bfloat16 of itself, on the tensor's device."""
    if like.is_meta:  # where costs are counted, without numbers
        return nullcontext()
    return torch.autocast(like.device.type, enabled=False)
