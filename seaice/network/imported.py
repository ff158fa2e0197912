"""Official weights for a part of one of our networks.

Our encoders keep the official parameter names, so a checkpoint needs no map but for its first and
last layer. An input layer made for three colours is spread over our channels: each gets the sum of
the three kernels divided by the number of channels, so that an input alike in all channels is seen
as a grey one was. An output layer made for three colours tells their mean in every output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from seaice.errors import WeightsError

__all__ = ["Fit", "fitted", "official_tensors"]

COLOURS = 3
NESTS = ("params_ema", "params", "state_dict", "model_ema", "model")  #: of tables in tables
WRAPPERS = ("module.", "model.", "backbone.")  #: before every name, where training wrapped it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What of a checkpoint could be used."""

    tensors: Mapping[str, Tensor]  #: for the part, by its names
    adapted: tuple[str, ...]  #: of these, layers that were made for three colours
    fresh: tuple[str, ...]  #: of the part, what the checkpoint lacks
    unused: tuple[str, ...]  #: of the checkpoint, what the part lacks, a classifier say


def official_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, safetensors or PyTorch's own format; nothing is executed.

    Raises
    ------
    WeightsError
        If the file is absent, damaged, or holds anything but tensors in tables.
    """
    try:
        if path.suffix == ".safetensors":
            held: object = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # whose text advises what must not be done
        raise _unusable(path, "is no checkpoint, or holds more than tensors") from error
    except (OSError, SafetensorError, RuntimeError, EOFError) as error:
        raise _unusable(path, f"cannot be read ({str(error).splitlines()[0]})") from error
    for nest in NESTS:
        if isinstance(held, dict) and isinstance(held.get(nest), dict):
            held = held[nest]
    if not isinstance(held, dict) or not held:
        raise _unusable(path, "holds no table of tensors")
    tensors = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    broken = [k for k, v in tensors.items() if not torch.isfinite(v.float()).all()]
    if broken or not tensors:
        raise _unusable(path, f"holds {broken[0]} that is not finite" if broken else "has none")
    return _unwrapped(tensors)


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def fitted(part: nn.Module, official: Mapping[str, Tensor]) -> Fit:
    """Official tensors by the names and shapes of a part.

    Raises
    ------
    WeightsError
        If none fits, or one has another shape for another reason than the number of colours.
    """
    wanted = part.state_dict()
    shared = [name for name in wanted if name in official]
    if not any(wanted[name].is_floating_point() for name in shared):
        raise WeightsError(
            f"weights named {', '.join(list(official)[:3])}, ...",
            f"names such as {', '.join(list(wanted)[:3])}",
            "give the checkpoint of this architecture, as its official repository writes it",
        )
    adapted = [name for name in shared if official[name].shape != wanted[name].shape]
    tensors = {name: official[name].to(wanted[name].dtype) for name in shared}
    tensors |= {name: _recoloured(name, tensors[name], wanted[name].shape) for name in adapted}
    return Fit(
        tensors=tensors,
        adapted=tuple(adapted),
        fresh=tuple(name for name in wanted if name not in official),
        unused=tuple(name for name in official if name not in wanted),
    )


def _recoloured(name: str, value: Tensor, shape: torch.Size) -> Tensor:
    """A layer for three colours as one for our channels."""
    inputs = value.ndim == 4 and value.shape[1] == COLOURS and len(shape) == 4
    if inputs and (value.shape[0], *value.shape[2:]) == (shape[0], *shape[2:]):
        spread: Tensor = value.sum(1, keepdim=True) / shape[1]
        return spread.expand(shape).contiguous()
    if value.shape[:1] == (COLOURS,) and value.shape[1:] == shape[1:]:
        return value.mean(0, keepdim=True).expand(shape).contiguous()
    raise WeightsError(
        f"{name} of shape {tuple(value.shape)}",
        f"{tuple(shape)}, or the same for three colours",
        "say the checkpoint's own sizes: --size published, and --hyper for what differs",
    )


def _unusable(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path} {why}",
        "a checkpoint: safetensors, or a .pth of tensors alone",
        "download it again from the official repository",
    )
