"""The card of a weights file: all that is needed to build its model and run it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any, Literal, Self

from seaice.errors import WeightsError
from seaice.models.registry import Role

__all__ = ["Card", "Form"]

#: the layers: as in training; with fused layers; with int8 convolutions (`seaice.models.export`)
Form = Literal["training", "folded", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Architecture, configuration, inputs, training and scores of a model.

    A channel is normalized to (value - offset) / scale; missing values are 0.
    """

    architecture: str
    role: Role
    config: Mapping[str, Any]  #: fields of the architecture's configuration
    scale: int  #: output cells per input cell, along a side
    frames: int
    channels: tuple[str, ...]  #: of the input, in order
    outputs: tuple[str, ...]  #: in order
    normalization: Mapping[str, tuple[float, float]]  #: channel -> (offset, scale), K
    multiple_of: int  #: cells of the input; tiles begin and end at multiples of this
    margin: int  #: cells of the input at a tile's edge whose result depends on where the edge is
    cell: float  #: m, of the input
    window: int | None = None  #: side of a tile in cells of the input; None: any
    training: Mapping[str, Any] = field(default_factory=dict)  #: data, period, steps, device
    seed: int = 0
    commit: str = ""  #: of the code that trained it
    scores: Mapping[str, float] = field(default_factory=dict)
    #: factors of the predicted standard deviation, by concentration and predicted standard
    #: deviation; empty: not calibrated
    calibration: tuple[tuple[float, ...], ...] = ()
    #: factors for the half-width of the 95 % interval; empty: twice the standard deviation
    calibration_95: tuple[tuple[float, ...], ...] = ()
    form: Form = "training"

    def __post_init__(self) -> None:
        unscaled = [name for name in self.channels if name not in self.normalization]
        if unscaled:
            raise WeightsError(
                f"a card without normalization of {', '.join(unscaled)}",
                "one (offset, scale) for each of its channels",
                "train again with this version, or fetch another file of weights",
            )
        unusable = next(self._unusable(), None)
        if unusable:
            raise WeightsError(
                f"a card with {unusable}",
                "finite numbers, and scales other than 0",
                "train again with this version, or fetch another file of weights",
            )

    def _unusable(self) -> Iterator[str]:
        """Numbers with which every prediction would be NaN or infinite."""
        for name, (offset, scale) in self.normalization.items():
            if not (isfinite(offset) and isfinite(scale) and scale):
                yield f"the normalization ({offset}, {scale}) of {name}"
        for name in _TABLES:
            table: tuple[tuple[float, ...], ...] = getattr(self, name)
            if not all(isfinite(factor) for line in table for factor in line):
                yield f"a {name} that is not finite"
        if not (isfinite(self.cell) and self.cell > 0):
            yield f"cells of {self.cell} m"

    def json(self) -> str:
        """This card as JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A card from its JSON.

        Raises
        ------
        WeightsError
            If a key is unknown or missing, or the text is no JSON.
        """
        older: dict[str, Any] = {"window": None, "form": "training"}
        older |= {"calibration": (), "calibration_95": ()}
        entries = older | _parsed(text)
        if "hyper" in entries:  # its name in cards of version 0.1
            entries["config"] = entries.pop("hyper")
        unusable = set(entries) ^ {field.name for field in fields(cls)}
        if unusable:
            raise WeightsError(
                f"a card with unknown or missing keys: {', '.join(sorted(unusable))}",
                "exactly the keys this version writes",
                "use weights made by this version, or another version of this package",
            )
        try:
            return cls(**_with_tuples(entries))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _no_card(f"a card with entries of wrong types ({error})") from error


def _with_tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a card, with lists of JSON converted to tuples."""
    lines = {key: tuple(tuple(line) for line in entries[key]) for key in _TABLES}
    sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in entries["config"].items()}
    return {
        **entries,
        "channels": tuple(entries["channels"]),
        "outputs": tuple(entries["outputs"]),
        "config": sizes,
        "normalization": {k: tuple(v) for k, v in entries["normalization"].items()},
        **lines,
    }


_TABLES = ("calibration", "calibration_95")


def _parsed(text: str) -> dict[str, Any]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_card(f"a card that is not JSON ({error})") from error
    if not isinstance(entries, dict):
        raise _no_card("a card that is not a JSON object")
    return entries


def _no_card(found: str) -> WeightsError:
    return WeightsError(
        found, "the JSON that this package writes", "fetch or train the weights again"
    )
