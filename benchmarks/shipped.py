"""The networks of the default run as the package ships them, and sampling without its kernels."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from seaice.models.card import Card
from seaice.models.layers import deformable
from seaice.models.registry import shipped_weights
from seaice.models.weights import load_model

__all__ = ["NAMES", "sampled_plainly", "shipped"]

NAMES = {"sr": "pmdrnet", "sic": "xception_aspp"}


def shipped(role: str) -> tuple[nn.Module, Card]:
    """Network and card of a role."""
    return load_model(shipped_weights(role, NAMES[role]))


@contextmanager
def sampled_plainly() -> Iterator[None]:
    """Within, deformable sampling is plain PyTorch on every device."""
    kept = deformable.cpu_supports, deformable.triton_supports
    deformable.cpu_supports = deformable.triton_supports = lambda *_: False
    try:
        yield
    finally:
        deformable.cpu_supports, deformable.triton_supports = kept
