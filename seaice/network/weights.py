"""Files of weights: safetensors with a card; nothing in them is ever executed."""

from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seaice.errors import SeaIceError, UnknownNameError, WeightsError
from seaice.files import atomic_file, sha256
from seaice.network.card import Card
from seaice.network.catalogue import Role, build, find
from seaice.network.fold import folded
from seaice.network.quantize import awaiting

__all__ = ["load", "load_trainable", "read_card", "save", "weights_id", "without_weights"]

LARGEST, LONGEST = 10_000, 50  #: number in a card's sizes, and how many in one of them

SPARE = 10  #: times as many as a file holds, which layers that were folded may have had

Storage = Literal["float32", "bfloat16"]


def save(path: Path, network: nn.Module, card: Card, storage: Storage = "float32") -> None:
    """Write weights and card to `path`, whole or not at all.

    Parameters
    ----------
    storage : of matrices and kernels; statistics, scales and biases are always float32

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


def load(path: Path, role: Role | None = None) -> tuple[nn.Module, Card]:
    """The network in a file, ready to run (eval, float32, on the CPU), and its card.

    Parameters
    ----------
    role : what it must be for; None: anything

    Raises
    ------
    WeightsError
        If the file is absent, damaged, without a card, for another role, or does not fit the
        architecture that its card names.
    """
    card, tensors = _read(path)
    if role is not None and card.role != role:
        raise WeightsError(
            f"{path} holds {card.architecture}, a network for {card.role!r}",
            f"a network for {role!r}",
            f"give weights whose card has the role {role!r}",
        )
    network = _built(path, card, tensors)
    _check_fit(path, card, network.state_dict(), tensors)
    network.load_state_dict(tensors, strict=True)
    return network.eval(), card


def load_trainable(path: Path, role: Role | None = None) -> tuple[nn.Module, Card]:
    """As `load`, of a network that can learn on.

    Raises
    ------
    WeightsError
        As `load`; or if it was exported.
    """
    network, card = load(path, role)
    if card.form != "training":
        raise WeightsError(
            f"{path}, which is exported ({card.form})",
            "weights as they are trained",
            "give the file that it was exported from",
        )
    return network, card


def read_card(path: Path) -> Card:
    """The card in a file of weights, which is not read further.

    Raises
    ------
    WeightsError
        As `load`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return _card_of(path, file.metadata())
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def weights_id(path: Path) -> str:
    """What the weights are known by: the SHA-256 of their file."""
    return sha256(path)


def without_weights(name: str) -> nn.Module:
    """A network that learns nothing, ready to run.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsError
        If it cannot run without weights.

    >>> without_weights("bicubic").training
    False
    """
    if find(name).learns != "nothing":
        raise WeightsError(
            f"{name} without weights",
            "a file of weights for it",
            "give the file in the settings, or make one with `make train`",
        )
    return build(name, {}).eval()


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
            f"{path} has no card", "a safetensors file whose metadata holds one", _AGAIN
        )
    return Card.from_json(metadata["card"])


def _built(path: Path, card: Card, tensors: dict[str, Tensor]) -> nn.Module:
    """The network without weights, its layers as the card's form has them."""
    try:
        _check_sizes(card, tensors)
        network = build(card.architecture, card.hyper)
        fewer = network if card.form == "training" else folded(network)
        return awaiting(fewer, tensors) if card.form == "int8" else fewer
    except UnknownNameError as error:
        raise WeightsError(f"{path}: {error.found}", error.expected, _AGAIN) from error
    except SeaIceError:
        raise
    except Exception as error:  # whatever a network makes of sizes that are none
        found = f"{path}: a card with other sizes ({error})"
        expected = f"sizes that {card.architecture} can be built with"
        raise WeightsError(found, expected, _AGAIN) from error


def _check_sizes(card: Card, tensors: dict[str, Tensor]) -> None:
    """Refuse what would fill the memory before it could be seen not to fit.

    Raises
    ------
    ValueError
        If a size is beyond those of any network.
    """
    for name, told in card.hyper.items():
        parts = told if isinstance(told, tuple) else (told,)
        if len(parts) > LONGEST or any(isinstance(each, int) and each > LARGEST for each in parts):
            raise ValueError(f"{name} = {shortened(told)}")
    with torch.device("meta"), _Undrawn():  # no memory is taken
        network = build(card.architecture, card.hyper)
    wanted = sum(value.numel() for value in network.state_dict().values())
    held = sum(value.numel() for value in tensors.values())
    if wanted > SPARE * held:
        raise ValueError(f"{wanted} numbers, and {held} in the file")


class _Undrawn(TorchFunctionMode):
    """Within, no tensor is filled at random: without memory, that imports half of PyTorch, 5 s."""

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        random = function in (Tensor.normal_, Tensor.uniform_)
        return given[0] if random else function(*given, **(named or {}))


def _check_fit(
    path: Path, card: Card, wanted: dict[str, Tensor], tensors: dict[str, Tensor]
) -> None:
    """Refuse tensors that are not those of the architecture, by name and shape."""
    for name in sorted(wanted.keys() | tensors.keys()):
        expected, found = wanted.get(name), tensors.get(name)
        if expected is None or found is None or expected.shape != found.shape:
            raise WeightsError(
                f"{path} has {_described(name, found)}",
                f"{_described(name, expected)}, as {card.architecture} with its card's sizes has",
                _AGAIN,
            )


def _described(name: str, tensor: Tensor | None) -> str:
    return f"no tensor {name}" if tensor is None else f"{name} of shape {tuple(tensor.shape)}"


_AGAIN = "fetch the file again, or train with this version of the package"


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} cannot be read ({error})", "a whole safetensors file", _AGAIN)
