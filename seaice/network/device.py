"""Where networks run."""

from typing import Literal

import torch
from llvmlite.binding import get_host_cpu_features

from seaice.errors import SettingsError

__all__ = ["choose_device", "choose_precision"]

#: instructions that multiply bfloat16, as LLVM names them: AVX-512 BF16, and tiles of AMX
MULTIPLIES_BFLOAT16 = ("avx512bf16", "amx-bf16")


def choose_device(wish: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device for a wish; "auto" takes CUDA where there is one.

    Raises
    ------
    SettingsError
        If CUDA is wished for and absent.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    present = torch.cuda.is_available()
    if wish == "cuda" and not present:
        raise SettingsError(
            "device 'cuda', but PyTorch sees no CUDA device",
            "a machine with one, or another device",
            "use device 'auto' or 'cpu', or install a PyTorch built for your driver",
        )
    return torch.device("cuda" if present and wish != "cpu" else "cpu")


def choose_precision(
    wish: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """The precision for a wish; "auto" is bfloat16 on processors that multiply it, else float32.

    Elsewhere bfloat16 would be slower. How far maps of the two lie apart is measured in
    docs/performance.md.

    >>> choose_precision("auto", torch.device("cuda"))
    'float32'
    """
    if wish != "auto":
        return wish
    able = get_host_cpu_features()
    quick = device.type == "cpu" and any(able.get(name) for name in MULTIPLIES_BFLOAT16)
    return "bfloat16" if quick else "float32"
