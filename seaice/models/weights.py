"""Weights files: safetensors with a card, and checkpoints of official implementations.

No file is unpickled. Encoders have the official parameter names, so that official checkpoints load
without a key map, except for the first and the last layer: an input layer for three colours is
spread over all input channels, each of which gets the sum of the three kernels divided by the
number of channels, so that an input equal in all channels is processed like a grey image. An output
layer for three colours gives the mean of the three in every output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from reprlib import repr as shortened
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seaice.errors import SeaIceError, UnknownNameError, WeightsError
from seaice.files import atomic_file, sha256
from seaice.models.card import Card
from seaice.models.export import empty_quantized_copy, fuse_layers
from seaice.models.registry import Role, create_model, find_model

__all__ = [
    "WeightsMatch",
    "create_weightless_model",
    "load_model",
    "load_trainable_model",
    "match_weights",
    "read_card",
    "read_checkpoint_tensors",
    "save_model",
    "weights_hash",
]

MAX_SIZE = 10_000  #: largest number in a configuration
MAX_LENGTH = 50  #: most numbers in one field of a configuration

MAX_SIZE_RATIO = 10  #: parameters of the unfused network per parameter in a file

Storage = Literal["float32", "bfloat16"]


def save_model(path: Path, network: nn.Module, card: Card, storage: Storage = "float32") -> None:
    """Write weights and card to `path` atomically.

    Parameters
    ----------
    storage : type of matrices and kernels; statistics, scales and biases are always float32

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    tensors = {name: _stored(value, storage) for name, value in network.state_dict().items()}
    with atomic_file(path) as part:
        save_file(tensors, part, metadata={"card": card.json()})


def _stored(value: Tensor, storage: Storage) -> Tensor:
    plain = value.detach().cpu().contiguous()
    if storage == "bfloat16" and plain.is_floating_point() and plain.ndim > 1:
        return plain.to(torch.bfloat16)
    return plain


def load_model(path: Path, role: Role | None = None) -> tuple[nn.Module, Card]:
    """The network of a file (eval mode, float32, on the CPU) and its card.

    Parameters
    ----------
    role : required role; None: any

    Raises
    ------
    WeightsError
        If the file is missing, damaged, without a card, of another role, or does not match the
        architecture that its card names.
    """
    card, tensors = _read(path)
    if role is not None and card.role != role:
        raise WeightsError(
            f"{path} holds {card.architecture}, a network for {card.role!r}",
            f"a network for {role!r}",
            f"give weights whose card has the role {role!r}",
        )
    network = _create(path, card, tensors)
    _check_fit(path, card, network.state_dict(), tensors)
    network.load_state_dict(tensors, strict=True)
    return network.eval(), card


def load_trainable_model(path: Path, role: Role | None = None) -> tuple[nn.Module, Card]:
    """As `load_model`, for further training.

    Raises
    ------
    WeightsError
        As `load_model`; or if it was exported.
    """
    network, card = load_model(path, role)
    if card.form != "training":
        raise WeightsError(
            f"{path}, which is exported ({card.form})",
            "weights in training form",
            "give the file that it was exported from",
        )
    return network, card


def read_card(path: Path) -> Card:
    """The card of a weights file; no weights are read.

    Raises
    ------
    WeightsError
        As `load_model`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return _card_of(path, file.metadata())
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def weights_hash(path: Path) -> str:
    """The SHA-256 of a weights file."""
    return sha256(path)


def create_weightless_model(name: str) -> nn.Module:
    """A model without weights, in eval mode.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    WeightsError
        If the model needs weights.

    >>> create_weightless_model("bicubic").training
    False
    """
    if find_model(name).has_weights:
        raise WeightsError(
            f"{name} without weights",
            "a file of weights for it",
            "give the file in the settings, or make one with `make train`",
        )
    return create_model(name, {}).eval()


def _read(path: Path) -> tuple[Card, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            card = _card_of(path, file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error
    wide = {
        name: value.float() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    broken = [name for name, value in wide.items() if not torch.isfinite(value).all()]
    if broken:
        raise _damaged(path, ValueError(f"{broken[0]} is not finite"))
    negative = [name for name, value in wide.items() if _is_variance(name) and (value < 0).any()]
    if negative:  # its square root is NaN
        raise _damaged(path, ValueError(f"{negative[0]}, a variance, is negative"))
    return card, wide


def _is_variance(name: str) -> bool:
    """Whether a tensor is the running variance of a batch normalization."""
    return name.rpartition(".")[2] == "running_var"


def _card_of(path: Path, metadata: dict[str, str] | None) -> Card:
    if not metadata or "card" not in metadata:
        raise WeightsError(
            f"{path} has no card", "a safetensors file whose metadata holds one", _HINT
        )
    return Card.from_json(metadata["card"])


def _create(path: Path, card: Card, tensors: dict[str, Tensor]) -> nn.Module:
    """The network with fresh weights, its layers in the form of the card."""
    try:
        _check_sizes(card, tensors)
        network = create_model(card.architecture, card.config)
        fewer = network if card.form == "training" else fuse_layers(network)
        return empty_quantized_copy(fewer, tensors) if card.form == "int8" else fewer
    except UnknownNameError as error:
        raise WeightsError(f"{path}: {error.found}", error.expected, _HINT) from error
    except SeaIceError:
        raise
    except Exception as error:  # constructors raise all kinds of errors for wrong sizes
        result = f"{path}: a card with unusable sizes ({error})"
        expected = f"sizes that {card.architecture} can be built with"
        raise WeightsError(result, expected, _HINT) from error


def _check_sizes(card: Card, tensors: dict[str, Tensor]) -> None:
    """Refuse sizes that would fill the memory before they are compared with the file.

    Raises
    ------
    ValueError
        If a size is larger than that of any network.
    """
    for name, value in card.config.items():
        parts = value if isinstance(value, tuple) else (value,)
        if len(parts) > MAX_LENGTH or any(
            isinstance(each, int) and each > MAX_SIZE for each in parts
        ):
            raise ValueError(f"{name} = {shortened(value)}")
    with torch.device("meta"), _NoRandomInit():  # allocates no memory
        network = create_model(card.architecture, card.config)
    needed = sum(value.numel() for value in network.state_dict().values())
    available = sum(value.numel() for value in tensors.values())
    if needed > MAX_SIZE_RATIO * available:
        raise ValueError(f"{needed} numbers, and {available} in the file")


class _NoRandomInit(TorchFunctionMode):
    """Skips random initialization, which on the meta device imports much of PyTorch (5 s)."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        random = function in (Tensor.normal_, Tensor.uniform_)
        return args[0] if random else function(*args, **(kwargs or {}))


def _check_fit(
    path: Path, card: Card, needed: dict[str, Tensor], tensors: dict[str, Tensor]
) -> None:
    """Refuse tensors whose names or shapes differ from those of the architecture."""
    for name in sorted(needed.keys() | tensors.keys()):
        expected, result = needed.get(name), tensors.get(name)
        if expected is None or result is None or expected.shape != result.shape:
            raise WeightsError(
                f"{path} has {_described(name, result)}",
                f"{_described(name, expected)}, as {card.architecture} of its card has",
                _HINT,
            )


def _described(name: str, tensor: Tensor | None) -> str:
    return f"no tensor {name}" if tensor is None else f"{name} of shape {tuple(tensor.shape)}"


_HINT = "fetch the file again, or train with this version of the package"


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} cannot be read ({error})", "a whole safetensors file", _HINT)


RGB_CHANNELS = 3
NESTED_KEYS = (
    "params_ema",
    "params",
    "state_dict",
    "model_ema",
    "model",
)  #: keys of nested tables in checkpoints
PREFIXES = ("module.", "model.", "backbone.")  #: prefixes of all names that training wrappers add


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsMatch:
    """Which tensors of a checkpoint a network can use."""

    tensors: Mapping[str, Tensor]  #: by name in the network
    adapted: tuple[str, ...]  #: of these, layers adapted from three colours
    fresh: tuple[str, ...]  #: tensors that the checkpoint does not have
    unused: tuple[str, ...]  #: tensors of the checkpoint that the network does not have


def read_checkpoint_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, safetensors or PyTorch's format; nothing is unpickled.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or has other content than tables of tensors.
    """
    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # its text recommends unsafe loading
        raise _unusable(path, "is not a checkpoint, or has other content than tensors") from error
    except (OSError, SafetensorError, RuntimeError, EOFError) as error:
        raise _unusable(path, f"cannot be read ({str(error).splitlines()[0]})") from error
    for nest in NESTED_KEYS:
        if isinstance(content, dict) and isinstance(content.get(nest), dict):
            content = content[nest]
    if not isinstance(content, dict) or not content:
        raise _unusable(path, "has no table of tensors")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    broken = [k for k, v in tensors.items() if not torch.isfinite(v.float()).all()]
    if broken or not tensors:
        raise _unusable(path, f"holds {broken[0]} that is not finite" if broken else "has none")
    return _unwrapped(tensors)


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in PREFIXES:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def match_weights(part: nn.Module, official: Mapping[str, Tensor]) -> WeightsMatch:
    """Tensors of an official checkpoint matched with a network by name and shape.

    Raises
    ------
    WeightsError
        If no name matches, or a shape differs in more than the number of colours.
    """
    own = part.state_dict()
    shared = [name for name in own if name in official]
    if not any(own[name].is_floating_point() for name in shared):
        raise WeightsError(
            f"weights named {', '.join(list(official)[:3])}, ...",
            f"names such as {', '.join(list(own)[:3])}",
            "give the checkpoint of this architecture, as its official repository writes it",
        )
    adapted = [name for name in shared if official[name].shape != own[name].shape]
    tensors = {name: official[name].to(own[name].dtype) for name in shared}
    tensors |= {name: _adapt_rgb_layer(name, tensors[name], own[name].shape) for name in adapted}
    return WeightsMatch(
        tensors=tensors,
        adapted=tuple(adapted),
        fresh=tuple(name for name in own if name not in official),
        unused=tuple(name for name in official if name not in own),
    )


def _adapt_rgb_layer(name: str, value: Tensor, shape: torch.Size) -> Tensor:
    """A layer for three colours adapted to our channels."""
    inputs = value.ndim == 4 and value.shape[1] == RGB_CHANNELS and len(shape) == 4
    if inputs and (value.shape[0], *value.shape[2:]) == (shape[0], *shape[2:]):
        spread: Tensor = value.sum(1, keepdim=True) / shape[1]
        return spread.expand(shape).contiguous()
    if value.shape[:1] == (RGB_CHANNELS,) and value.shape[1:] == shape[1:]:
        return value.mean(0, keepdim=True).expand(shape).contiguous()
    raise WeightsError(
        f"{name} of shape {tuple(value.shape)}",
        f"{tuple(shape)}, or the same for three colours",
        "give the checkpoint's own sizes: --size published, and --hyper NAME=VALUE for others",
    )


def _unusable(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path} {why}",
        "a checkpoint: safetensors, or a .pth with tensors only",
        "download it again from the official repository",
    )
