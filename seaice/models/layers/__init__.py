"""Layers that several architectures share, by concept."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["autocast_disabled"]


def autocast_disabled(like: Tensor) -> AbstractContextManager[object]:
    """A context in which nothing is rounded to bfloat16 of itself, on the tensor's device."""
    if like.is_meta:  # where costs are counted, without numbers
        return nullcontext()
    return torch.autocast(like.device.type, enabled=False)
