"""Where networks run."""

from typing import Literal

import torch

from seaice.errors import SettingsError

__all__ = ["choose_device"]


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
