"""Truth-known days on disk in, training samples of super-resolution out.

A set is a Zarr v3 group whose arrays have the sample as first axis, one sample a chunk:

- `tb89` (n, 5, 2, y, x), `tb89_half` (n, 5, 2, 2 y, 2 x), `low` (n, 12, y, x), `truth_tb`
  (n, 2, 4 y, 4 x): uint16, hundredths of a kelvin, 65535 = absent; H before V, `low` as
  `seaice.instrument.LOW_CHANNELS`, target day only; `tb89_half` is 89 GHz on the cells' quarters
- `truth_sic` (n, 4 y, 4 x): uint8, half percent 0-200, 255 = land
- `refined_NETWORK` (n, 2, 4 y, 4 x), where `seaice.sr.refined_samples` was: as `truth_tb`
- `land`, `weight` (n, 4 y, 4 x), only in sets made of charts: uint8, 1 on land; weight in 1/255
- `done` (n,): uint8, 1 for what is written; a set that is still being made ends at its first gap
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor

from seaice.errors import NoInputError
from seaice.grid.refined import SCALE

__all__ = ["ABSENT", "FRAMES", "LAND", "SampleSet", "Window", "batched", "kelvin", "standing_in"]

FRAMES = 5
ABSENT = 65535
LAND = 255
OPTIONAL = ("land", "weight")  #: arrays of sets made of real scenes and charts
RANKS = {"tb89": 5, "tb89_half": 5, "low": 4, "truth_tb": 4, "truth_sic": 3}

Random = np.random.Generator
Split = Literal["train", "valid", "test"]


def kelvin(counts: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Hundredths of a kelvin to kelvin; NaN where absent."""
    values = counts.astype(np.float32) / np.float32(100)
    values[counts == ABSENT] = np.nan
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A square of coarse cells of one sample, turned and mirrored."""

    sample: int
    row: int
    column: int
    side: int  #: coarse cells
    turns: int  #: quarter turns
    mirror: Literal[1, -1]  #: step along x

    @classmethod
    def drawn(cls, random: Random, samples: int, shape: tuple[int, int], side: int) -> Self:
        """One at random: H and V have no preferred direction on the map."""
        return cls(
            sample=int(random.integers(samples)),
            row=int(random.integers(shape[0] - side + 1)),
            column=int(random.integers(shape[1] - side + 1)),
            side=side,
            turns=int(random.integers(4)),
            mirror=1 if random.random() < 0.5 else -1,
        )

    @classmethod
    def middle(cls, sample: int, shape: tuple[int, int], side: int) -> Self:
        """The middle square, unturned, of at most `side` cells."""
        side = min(side, *shape)
        row, column = ((length - side) // 2 for length in shape)
        return cls(sample=sample, row=row, column=column, side=side, turns=0, mirror=1)

    def of(self, sample: NDArray[Any], scale: int) -> NDArray[Any]:
        """This window of (..., y, x) whose cells are `scale` times smaller than coarse ones."""
        side = self.side * scale
        row, column = self.row * scale, self.column * scale
        cut = sample[..., row : row + side, column : column + side]
        return np.rot90(cut, self.turns, axes=(-2, -1))[..., :: self.mirror].copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSet:
    """A set of truth-known samples on disk, each read when it is wanted."""

    arrays: Mapping[str, zarr.Array[Any]]
    size: int  #: samples that are there
    notes: Mapping[str, Any]  #: period, region, seed

    @classmethod
    def open(cls, path: Path) -> Self:
        """The set at `path`.

        Raises
        ------
        NoInputError
            If there is none, or it lacks an array or a dimension.
        """
        try:
            group = zarr.open_group(path, mode="r")
            arrays = {name: group[name] for name in RANKS}
        except (FileNotFoundError, KeyError) as error:
            raise _no_set(f"no training set at {path} ({error})") from error
        found: dict[str, zarr.Array[Any]] = {}
        for name, array in arrays.items():
            if not isinstance(array, zarr.Array) or array.ndim != RANKS[name] or not array.size:
                raise _no_set(f"{path} with {name} of shape {getattr(array, 'shape', None)}")
            found[name] = array
        for name, array in group.arrays():
            if name.startswith("refined_") or name in OPTIONAL:
                found[name] = array
        size = _leading(group, int(found["tb89"].shape[0]))
        if not size:
            raise _no_set(f"{path} whose first sample is not there yet")
        return cls(arrays=found, size=size, notes=dict(group.attrs))

    @classmethod
    def of(cls, folder: Path, split: Split) -> Self:
        """The set `folder`/`split`.zarr, which must say itself that it is of this split.

        Raises
        ------
        NoInputError
            If there is none, it lacks an array or a dimension, or its days and places are not
            those of the split: what is learnt from must share neither with what it is scored on.
        """
        path = folder / f"{split}.zarr"
        samples = cls.open(path)
        if samples.notes.get("split") != split:
            raise NoInputError(
                f"{path}, whose notes say it is of the split {samples.notes.get('split')!r}",
                f"samples of the days and places of {split!r}",
                "move the set to the name of its split, and make the missing one with `make train`",
            )
        return samples

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int, int]:
        """Coarse (y, x) of a sample."""
        rows, columns = self.arrays["tb89"].shape[-2:]
        return int(rows), int(columns)

    def whole(self, sample: int) -> Window:
        """All of a sample, unturned; its largest square where it is none."""
        return self.middle(sample, max(self.shape))

    def middle(self, sample: int, side: int) -> Window:
        """The middle square of a sample, unturned, of at most `side` coarse cells."""
        return Window.middle(sample, self.shape, side)

    def draw(self, random: Random, side: int) -> Window:
        """A window at random."""
        return Window.drawn(random, len(self), self.shape, min(side, *self.shape))

    def tb89(self, window: Window) -> NDArray[np.float32]:
        """(5, 2, y, x) K."""
        return kelvin(window.of(self._read("tb89", window), 1))

    def halves(self, window: Window) -> NDArray[np.float32]:
        """(5, 2, 2 y, 2 x) K, the quarters of each cell side by side."""
        return kelvin(window.of(self._read("tb89_half", window), 2))

    def low(self, window: Window) -> NDArray[np.float32]:
        """(12, y, x) K."""
        return kelvin(window.of(self._read("low", window), 1))

    def refined(self, window: Window, refiner: str) -> NDArray[np.float32]:
        """(2, 4 y, 4 x) K, what a super-resolution network made of the sample.

        Raises
        ------
        NoInputError
            If `seaice.sr.refined_samples.add_refined` has not been here.
        """
        if f"refined_{refiner}" not in self.arrays:
            raise _no_set(f"a training set whose samples are not refined by {refiner}")
        return kelvin(window.of(self._read(f"refined_{refiner}", window), SCALE))

    def truth_tb(self, window: Window) -> NDArray[np.float32]:
        """(2, 4 y, 4 x) K."""
        return kelvin(window.of(self._read("truth_tb", window), SCALE))

    def truth_sic(self, window: Window) -> NDArray[np.float32]:
        """(4 y, 4 x), 0-1, NaN on land."""
        counts = window.of(self._read("truth_sic", window), SCALE)
        return np.where(counts == LAND, np.float32("nan"), counts.astype(np.float32) / 200)

    def land(self, window: Window) -> NDArray[np.bool_]:
        """(4 y, 4 x) land; in simulated sets, where there is no true concentration."""
        if "land" in self.arrays:
            return np.asarray(window.of(self._read("land", window), SCALE), bool)
        return np.isnan(self.truth_sic(window))

    def weight(self, window: Window) -> NDArray[np.float32]:
        """(4 y, 4 x) weight of each cell in the loss, 0-1; 1 in simulated sets."""
        if "weight" in self.arrays:
            counts = window.of(self._read("weight", window), SCALE)
            return np.asarray(counts, np.float32) / np.float32(255)
        return np.ones((SCALE * window.side, SCALE * window.side), np.float32)

    def _read(self, name: str, window: Window) -> NDArray[Any]:
        return np.asarray(self.arrays[name][window.sample])


def _leading(group: zarr.Group, length: int) -> int:
    """How many samples stand before the first that is not written."""
    done = group.get("done")
    if not isinstance(done, zarr.Array):
        return length
    gaps = np.flatnonzero(np.asarray(done[:]) == 0)
    return int(gaps[0]) if gaps.size else length


def standing_in(random: Random) -> tuple[int, ...]:
    """Which frame stands where on a day when some are missing.

    Half of all days are whole; others lack the days to come (provisional), a few at random, or all
    but their own (a single scene). The nearest frame stands in, of two the one nearer the target.
    """
    kind = random.random()
    target = FRAMES // 2
    if kind < 0.5:
        present = list(range(FRAMES))
    elif kind < 0.7:
        present = list(range(target + 1 + int(random.integers(2))))
    elif kind < 0.85:
        present = [n for n in range(FRAMES) if n == target or random.random() < 0.6]
    else:
        present = [target]
    return tuple(
        min(present, key=lambda other: (abs(other - n), abs(other - target))) for n in range(FRAMES)
    )


def batched(make: Callable[[], Mapping[str, NDArray[Any]]], size: int) -> dict[str, Tensor]:
    """`size` samples of a maker, stacked by name."""
    samples = [make() for _ in range(size)]
    return {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }


def _no_set(found: str) -> NoInputError:
    return NoInputError(
        found,
        f"a Zarr group with {', '.join(RANKS)}, one sample a chunk",
        "make one with `make train`, which simulates days where none are",
    )
