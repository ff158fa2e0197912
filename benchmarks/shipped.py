"""The networks of the default run as the package ships them, and sampling without its kernels."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from torch import nn

from seaice.network.card import Card
from seaice.network.ops import deformable_compiled, deformable_triton
from seaice.network.weights import load

__all__ = ["NAMES", "sampled_plainly", "shipped"]

NAMES = {"sr": "pmdrnet", "sic": "xception_aspp"}


def shipped(role: str) -> tuple[nn.Module, Card]:
    """Network and card of a role."""
    return load(Path(str(files("seaice") / role / "weights" / f"{NAMES[role]}.safetensors")))


@contextmanager
def sampled_plainly() -> Iterator[None]:
    """Within, deformable sampling is plain PyTorch on every device."""
    kept = deformable_compiled.usable, deformable_triton.PRESENT
    deformable_compiled.usable, deformable_triton.PRESENT = lambda *_: False, False
    try:
        yield
    finally:
        deformable_compiled.usable, deformable_triton.PRESENT = kept
