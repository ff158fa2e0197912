"""Training samples: sets of truth-known days on disk, and their refined maps.

A set is a Zarr v3 group whose arrays have the sample as first axis, one sample a chunk:

- `tb89` (n, 5, 2, y, x), `tb89_half` (n, 5, 2, 2 y, 2 x), `low` (n, 12, y, x), `truth_tb`
  (n, 2, 4 y, 4 x): uint16, hundredths of a kelvin, 65535 = missing; H before V, `low` as
  `seaice.instrument.LOW_CHANNELS`, target day only; `tb89_half` is 89 GHz on 3.125 km cells
- `truth_sic` (n, 4 y, 4 x): uint8, half percent 0-200, 255 = land
- `refined_NETWORK` (n, 2, 4 y, 4 x), written by `add_refined`: as `truth_tb`
- `land`, `weight` (n, 4 y, 4 x), only in sets made of charts: uint8, 1 on land; weight in 1/255
- `done` (n,): uint8, 1 for a written sample; an unfinished set ends before its first 0

Concentration networks are trained on refined maps. Each sample is refined once, with the frames of
one kind of day (complete, provisional, single scene ...), and the result is stored in the set,
because refining costs many times what a training step on the result does.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.errors import NoInputError
from seaice.grid.blocks import SCALE, space_to_depth
from seaice.models.card import Card
from seaice.models.inputs import assemble_sr_input, nearest_upsample, new_sr_card, to_kelvin
from seaice.models.weights import create_weightless_model

__all__ = [
    "FRAMES",
    "INTERPOLATION",
    "LAND_COUNT",
    "MISSING_COUNT",
    "SampleSet",
    "Window",
    "add_refined",
    "frames_of_sample",
    "interpolated_map",
    "kelvin",
    "sample_frame_dropout",
    "stack_batch",
]

FRAMES = 5
MISSING_COUNT = 65535
LAND_COUNT = 255
OPTIONAL = ("land", "weight")  #: arrays of sets made of real scenes and charts
DIMENSIONS = {"tb89": 5, "tb89_half": 5, "low": 4, "truth_tb": 4, "truth_sic": 3}

Random = np.random.Generator
Split = Literal["train", "valid", "test"]


def kelvin(counts: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Hundredths of a kelvin to kelvin; NaN where missing."""
    values = counts.astype(np.float32) / np.float32(100)
    values[counts == MISSING_COUNT] = np.nan
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A square of coarse cells of one sample, rotated and mirrored."""

    sample: int
    row: int
    column: int
    side: int  #: coarse cells
    turns: int  #: quarter turns
    mirror: Literal[1, -1]  #: step along x

    @classmethod
    def drawn(cls, random: Random, samples: int, shape: tuple[int, int], side: int) -> Self:
        """A random window; H and V have no preferred direction on the map."""
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
        """The central square, not rotated, of at most `side` cells."""
        side = min(side, *shape)
        row, column = ((length - side) // 2 for length in shape)
        return cls(sample=sample, row=row, column=column, side=side, turns=0, mirror=1)

    def of(self, sample: NDArray[Any], scale: int) -> NDArray[Any]:
        """This window of (..., y, x), whose cells are `scale` times smaller than coarse cells."""
        side = self.side * scale
        row, column = self.row * scale, self.column * scale
        window = sample[..., row : row + side, column : column + side]
        return np.rot90(window, self.turns, axes=(-2, -1))[..., :: self.mirror].copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSet:
    """A set of samples with truth on disk, read on access."""

    arrays: Mapping[str, zarr.Array[Any]]
    size: int  #: number of samples
    notes: Mapping[str, Any]  #: period, region, seed

    @classmethod
    def open(cls, path: Path) -> Self:
        """The set at `path`.

        Raises
        ------
        NoInputError
            If there is no set, or an array or a dimension is missing.
        """
        try:
            group = zarr.open_group(path, mode="r")
            arrays = {name: group[name] for name in DIMENSIONS}
        except (FileNotFoundError, KeyError) as error:
            raise _no_set(f"no training set at {path} ({error})") from error
        present: dict[str, zarr.Array[Any]] = {}
        for name, array in arrays.items():
            if (
                not isinstance(array, zarr.Array)
                or array.ndim != DIMENSIONS[name]
                or not array.size
            ):
                raise _no_set(f"{path} with {name} of shape {getattr(array, 'shape', None)}")
            present[name] = array
        for name, array in group.arrays():
            if name.startswith("refined_") or name in OPTIONAL:
                present[name] = array
        size = _written_samples(group, int(present["tb89"].shape[0]))
        if not size:
            raise _no_set(f"{path} without a finished sample")
        return cls(arrays=present, size=size, notes=dict(group.attrs))

    @classmethod
    def of(cls, folder: Path, split: Split) -> Self:
        """The set `folder`/`split`.zarr, whose attributes must name the same split.

        Raises
        ------
        NoInputError
            If there is no set, an array or a dimension is missing, or it is of another split.
            Training and evaluation must not share days or places.
        """
        path = folder / f"{split}.zarr"
        samples = cls.open(path)
        if samples.notes.get("split") != split:
            raise NoInputError(
                f"{path}, whose attributes name the split {samples.notes.get('split')!r}",
                f"samples of the days and places of {split!r}",
                "rename the set to its split, and make the missing one with `make train`",
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
        """The whole sample, not rotated; its largest square if it is not square."""
        return self.middle(sample, max(self.shape))

    def middle(self, sample: int, side: int) -> Window:
        """The central square of a sample, not rotated, of at most `side` coarse cells."""
        return Window.middle(sample, self.shape, side)

    def draw(self, random: Random, side: int) -> Window:
        """A random window."""
        return Window.drawn(random, len(self), self.shape, min(side, *self.shape))

    def tb89(self, window: Window) -> NDArray[np.float32]:
        """(5, 2, y, x) K."""
        return kelvin(window.of(self._read("tb89", window), 1))

    def tb89_3km(self, window: Window) -> NDArray[np.float32]:
        """(5, 2, 2 y, 2 x) K, on 3.125 km cells."""
        return kelvin(window.of(self._read("tb89_half", window), 2))

    def low(self, window: Window) -> NDArray[np.float32]:
        """(12, y, x) K."""
        return kelvin(window.of(self._read("low", window), 1))

    def refined(self, window: Window, refiner: str) -> NDArray[np.float32]:
        """(2, 4 y, 4 x) K, the output of a super-resolution network.

        Raises
        ------
        NoInputError
            If `add_refined` was not run with this network.
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
        return np.where(counts == LAND_COUNT, np.float32("nan"), counts.astype(np.float32) / 200)

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


def _written_samples(group: zarr.Group, length: int) -> int:
    """Number of samples before the first unfinished one."""
    done = group.get("done")
    if not isinstance(done, zarr.Array):
        return length
    gaps = np.flatnonzero(np.asarray(done[:]) == 0)
    return int(gaps[0]) if gaps.size else length


def sample_frame_dropout(random: Random) -> tuple[int, ...]:
    """Random indices of the frames of a day, with missing frames replaced by the nearest one.

    Half of all days have all frames; others are without the later days (provisional), without a few
    random ones, or have only their own (a single scene). Of two equally near frames the one nearer
    to the target is used.
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


def stack_batch(make: Callable[[], Mapping[str, NDArray[Any]]], size: int) -> dict[str, Tensor]:
    """`size` calls of `make`, stacked by name."""
    samples = [make() for _ in range(size)]
    return {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }


def _no_set(found: str) -> NoInputError:
    return NoInputError(
        found,
        f"a Zarr group with {', '.join(DIMENSIONS)}, one sample a chunk",
        "make one with `make train`, which simulates days where none are",
    )


INTERPOLATION = "bicubic_3km"  #: computed on reading, not stored in the set
TARGET = FRAMES // 2
FRAME_SEED = 7  #: seed of `frames_of_sample`


def add_refined(
    path: Path, network: tuple[nn.Module, Card], weights: str, device: torch.device
) -> Iterator[tuple[int, int]]:
    """Refine every sample of a set that was not refined with these weights yet.

    Parameters
    ----------
    path : of the set; gains arrays `refined_NETWORK` (n, 2, 4 y, 4 x), uint16, hundredths of a
        kelvin, and `weights_NETWORK` (n,), the first digits of the weights' hash
    network : super-resolution network and its card
    weights : hexadecimal hash of the weights

    Yields
    ------
    (done, of) : samples

    Raises
    ------
    NoInputError
        If there is no set at `path`.
    """
    samples = SampleSet.open(path)
    refined, by = _refined_arrays(path, samples, network[1].architecture)
    mark = np.uint64(1 + int(weights[:15], 16))  # 0 is what a fresh array holds
    for index in range(len(samples)):
        yield index, len(samples)
        if by[index] != mark:
            refined[index] = _refine_sample(samples, index, network, device)
            by[index] = mark
    yield len(samples), len(samples)


def frames_of_sample(index: int) -> list[int]:
    """Indices of the frames from which a sample was refined."""
    return list(sample_frame_dropout(np.random.default_rng((FRAME_SEED, index))))


def _refined_arrays(path: Path, samples: SampleSet, network: str) -> tuple[zarr.Array, zarr.Array]:  # type: ignore[type-arg]
    """The two arrays, as long as the set."""
    group = zarr.open_group(path, mode="a")
    length, *shape = samples.arrays["truth_tb"].shape
    kinds = {f"refined_{network}": (tuple(shape), "uint16"), f"weights_{network}": ((), "uint64")}
    for name, (size, dtype) in kinds.items():
        if name not in group:
            group.create_array(name, shape=(length, *size), chunks=(1, *size), dtype=dtype)
        group[name].resize((length, *size))  # type: ignore[union-attr]
    refined, by = (group[name] for name in kinds)
    return refined, by  # type: ignore[return-value]


@torch.inference_mode()
def _refine_sample(
    samples: SampleSet, index: int, network: tuple[nn.Module, Card], device: torch.device
) -> NDArray[np.uint16]:
    """One sample refined, (2, 4 y, 4 x) hundredths of a kelvin."""
    refine, card = network
    frames = frames_of_sample(index)
    window = samples.whole(index)
    tb = torch.from_numpy(samples.tb89(window)[frames])[None].to(device)
    quarters = torch.from_numpy(space_to_depth(samples.tb89_3km(window)[frames]))[None].to(device)
    with torch.autocast(device.type, torch.bfloat16):
        prediction = refine(assemble_sr_input(tb, quarters, card))
    kelvin = to_kelvin(prediction, card)[0]
    seen = nearest_upsample(torch.isfinite(tb[0, tb.shape[1] // 2]).all(0), SCALE)
    counts = torch.where(seen, (100 * kelvin).round().clamp(0, MISSING_COUNT - 1), MISSING_COUNT)
    return counts.cpu().numpy().astype(np.uint16)


def interpolated_map(samples: SampleSet, window: Window) -> NDArray[np.float32]:
    """H and V of the target frame, bicubic from its quarters, as `INTERPOLATION` gives them.

    Returns
    -------
    (2, 4 y, 4 x) float32, K; NaN where the coarse cell lacks H or V
    """
    card = new_sr_card(INTERPOLATION, {})
    tb = torch.from_numpy(samples.tb89(window)[TARGET])[None]
    quarters = torch.from_numpy(space_to_depth(samples.tb89_3km(window))[TARGET])[None]
    with torch.inference_mode():
        network = create_weightless_model(INTERPOLATION)
        fine = to_kelvin(network(assemble_sr_input(tb, quarters, card)[None])[0], card)
        seen = nearest_upsample(torch.isfinite(tb[0]).all(0), SCALE)
    return np.where(seen.numpy(), fine.numpy(), np.float32("nan"))
