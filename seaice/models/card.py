"""What a file of weights says of itself; building and running it need nothing else."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any, Literal, Self

from seaice.errors import WeightsError
from seaice.models.registry import Role

__all__ = ["Card", "Form"]

#: of layers: as they are trained; fewer, as `seaice.models.export` leaves them; those with
#: convolutions in eight bits, as `seaice.models.export` makes them
Form = Literal["training", "folded", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A network's facts.

    Normalization: what a channel carries is (value - offset) / scale, and 0 where absent.
    """

    architecture: str
    role: Role
    config: Mapping[str, Any]  #: fields of the architecture's configuration
    scale: int  #: fine cells to a coarse one
    frames: int
    channels: tuple[str, ...]  #: of the input, in order
    outputs: tuple[str, ...]  #: in order
    normalization: Mapping[str, tuple[float, float]]  #: channel -> (offset, scale), K
    multiple_of: int  #: cells of the input; tiles begin and end at multiples of this
    margin: int  #: cells of the input at a tile's edge that feel the edge
    cell: float  #: m, of the input
    window: int | None = None  #: cells of the input to a tile's side, no other; None: any size
    training: Mapping[str, Any] = field(default_factory=dict)  #: data, period, steps, device
    seed: int = 0
    commit: str = ""  #: of the code that trained it
    scores: Mapping[str, float] = field(default_factory=dict)
    #: factors of the standard deviation told, by concentration and doubt; none: as told
    calibration: tuple[tuple[float, ...], ...] = ()
    #: factors for the half-width that holds 95 % of errors; none: twice the standard deviation
    calibration_95: tuple[tuple[float, ...], ...] = ()
    form: Form = "training"

    def __post_init__(self) -> None:
        unscaled = [name for name in self.channels if name not in self.normalization]
        if unscaled:
            raise WeightsError(
                f"a card without a normalization of {', '.join(unscaled)}",
                "one (offset, scale) for each of its channels",
                "train again with this version, or fetch another file of weights",
            )
        wrong = next(self._unusable(), None)
        if wrong:
            raise WeightsError(
                f"a card with {wrong}",
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
        told = older | _parsed(text)
        if "hyper" in told:  # its name in cards of version 0.1
            told["config"] = told.pop("hyper")
        wrong = set(told) ^ {field.name for field in fields(cls)}
        if wrong:
            raise WeightsError(
                f"a card with unknown or missing keys: {', '.join(sorted(wrong))}",
                "exactly the keys this version writes",
                "use weights made by this version, or another version of this package",
            )
        try:
            return cls(**_with_tuples(told))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _no_card(f"a card with entries of other kinds ({error})") from error


def _with_tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    """A card's entries as they were before JSON knew no tuples."""
    lines = {key: tuple(tuple(line) for line in told[key]) for key in _TABLES}
    sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in told["config"].items()}
    return {
        **told,
        "channels": tuple(told["channels"]),
        "outputs": tuple(told["outputs"]),
        "config": sizes,
        "normalization": {k: tuple(v) for k, v in told["normalization"].items()},
        **lines,
    }


_TABLES = ("calibration", "calibration_95")


def _parsed(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_card(f"a card that is no JSON ({error})") from error
    if not isinstance(told, dict):
        raise _no_card("a card that is no table")
    return told


def _no_card(found: str) -> WeightsError:
    return WeightsError(
        found, "the JSON that this package writes", "fetch or train the weights again"
    )
