"""Five-day stacks of daily maps, and tiles of maps.

The outermost `margin` cells of a tile are affected by its edge and discarded; over the next
`feather` cells two neighbours are blended with cosine weights.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.cf import attrs
from seaice.errors import NoInputError
from seaice.instrument import HIGH_CHANNELS

__all__ = [
    "FRAMES",
    "NEIGHBOUR_PD_CHANNELS",
    "Span",
    "Tile",
    "Tiling",
    "five_frames",
    "frame_dates",
    "neighbour_pd",
    "observed_frames",
    "source_dates",
    "stitch",
]

FRAMES = 5  #: of a stack: the day, two days before and two days after
#: polarization difference of the other frames: clouds move within days, ice hardly does
NEIGHBOUR_PD_CHANNELS = ("pd_2_before", "pd_1_before", "pd_1_after", "pd_2_after")


def frame_dates(day: date) -> tuple[date, ...]:
    """The dates of the frames around a day, t-2 to t+2.

    >>> [d.day for d in frame_dates(date(2020, 3, 1))]
    [28, 29, 1, 2, 3]
    """
    return tuple(day + timedelta(days=n) for n in range(-(FRAMES // 2), FRAMES // 2 + 1))


def source_dates(available: Collection[date], day: date) -> tuple[date, ...]:
    """Date of the map that is used for each frame: the frame's own, else the nearest in time.

    Of two equally near maps the one closer to the day itself is used: it is more similar to the
    target.

    Raises
    ------
    NoInputError
        If the day itself has no map: the target is never substituted.

    >>> [d.day for d in source_dates({date(2020, 3, 2), date(2020, 3, 3)}, date(2020, 3, 3))]
    [2, 2, 3, 3, 3]
    """
    if day not in available:
        raise NoInputError(
            f"no usable observation on {day}",
            "at least one granule of that day that covers the region",
            "give a folder with the day's granules, or another date",
        )
    window = [other for other in frame_dates(day) if other in available]
    return tuple(
        min(window, key=lambda other: (abs(other - nominal), abs(other - day)))
        for nominal in frame_dates(day)
    )


def five_frames(maps: Mapping[date, xr.Dataset], day: date) -> xr.Dataset:
    """The stack around a day: 89 GHz maps of t-2 to t+2 with their dates.

    Parameters
    ----------
    maps : daily maps by date, all on one grid; dates outside the window are not used
    day : the target day

    Returns
    -------
    Dataset, dims frame (5), y, x
        `tb89h`, `tb89v` (float32, K, NaN where missing), `valid` (bool: both observed),
        `tb89h_quarter`, `tb89v_quarter` (frame, quarter, y, x);
        coordinates `frame_date` (nominal), `source_date` (of the map used), `substituted`.
        attrs: those of the day's map, `date`, and `status`: "final" if every frame is its own
        day's, else "provisional".

    Raises
    ------
    NoInputError
        If the day itself has no map.
    """
    sources = source_dates(maps.keys(), day)
    nominal = frame_dates(day)
    substituted = [source != own for source, own in zip(sources, nominal, strict=True)]
    channels = {
        name: (
            ("frame", "y", "x"),
            np.stack([maps[source][name].values for source in sources]),
            attrs(name),
        )
        for name in HIGH_CHANNELS
    }
    valid = np.logical_and.reduce([np.isfinite(values) for _, values, _ in channels.values()])
    quarters = {
        name: (
            ("frame", "quarter", "y", "x"),
            np.stack([maps[source][name].values for source in sources]),
            attrs(name),
        )
        for name in (f"{channel}_quarter" for channel in HIGH_CHANNELS)
    }
    return xr.Dataset(
        channels | quarters | {"valid": (("frame", "y", "x"), valid)},
        coords={
            "y": maps[day]["y"],
            "x": maps[day]["x"],
            "frame_date": ("frame", np.array(nominal, "datetime64[ns]")),
            "source_date": ("frame", np.array(sources, "datetime64[ns]")),
            "substituted": ("frame", np.array(substituted)),
        },
        attrs=maps[day].attrs
        | {"date": day.isoformat(), "status": "provisional" if any(substituted) else "final"},
    )


def neighbour_pd(maps: Mapping[date, xr.Dataset], day: date) -> xr.Dataset:
    """The polarization difference of the other four frames, each (y, x) in K.

    Raises
    ------
    NoInputError
        If the day itself has no map.
    """
    sources = source_dates(maps.keys(), day)
    neighbours = [source for n, source in enumerate(sources) if n != FRAMES // 2]
    return xr.Dataset(
        {
            name: (("y", "x"), (maps[source]["tb89v"] - maps[source]["tb89h"]).values, attrs("pd"))
            for name, source in zip(NEIGHBOUR_PD_CHANNELS, neighbours, strict=True)
        }
    )


def observed_frames(maps: Mapping[date, xr.Dataset], day: date) -> xr.DataArray:
    """The days of the five on which each cell was observed; substituted maps do not count.

    Returns
    -------
    DataArray, dims y, x
        uint8 bits 1, 2, 4, 8, 16: t-2 to t+2.
    """
    like = maps[day][HIGH_CHANNELS[0]]
    bits = np.zeros(like.shape, np.uint8)
    for frame, nominal in enumerate(frame_dates(day)):
        if nominal in maps:
            seen = [np.isfinite(maps[nominal][name].values) for name in HIGH_CHANNELS]
            bits |= np.logical_and.reduce(seen) * np.uint8(1 << frame)
    return xr.DataArray(bits, dims=like.dims, attrs=attrs("real_frames"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A tile along one axis, in cells."""

    start: int
    stop: int
    kept_start: int  #: first cell that is used
    kept_stop: int
    feather: int  #: cells from `kept_start` on that are blended with the previous tile; 0: none
    trimmed_feather: int = 0  #: cells of the feather before `kept_start` that were trimmed

    @property
    def cells(self) -> slice:
        """All cells of the tile."""
        return slice(self.start, self.stop)

    @property
    def kept(self) -> slice:
        """The cells that are used."""
        return slice(self.kept_start, self.kept_stop)

    def weights(self, scale: int) -> NDArray[np.float32]:
        """Blending weights of this tile against the previous ones, (kept cells * scale,)."""
        weights = np.ones((self.kept_stop - self.kept_start) * scale, np.float32)
        whole = (self.trimmed_feather + self.feather) * scale
        steps = np.arange(self.trimmed_feather * scale, whole)[: len(weights)] + 0.5
        weights[: len(steps)] = 0.5 - 0.5 * np.cos(np.pi * steps / max(whole, 1))
        return weights

    def trimmed(self, kept: slice, margin: int, unit: int) -> "Span":
        """The least span that contains `kept` with margins; it starts at a multiple of `unit`."""
        offset = kept.start - self.kept_start
        return Span(
            start=max((kept.start - margin) // unit * unit, self.start),
            stop=min(-(-(kept.stop + margin) // unit) * unit, self.stop),
            kept_start=kept.start,
            kept_stop=kept.stop,
            feather=max(self.feather - offset, 0),
            trimmed_feather=self.trimmed_feather + min(offset, self.feather),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile: its rows and its columns."""

    rows: Span
    columns: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """Tiles of a map: every tile starts at a multiple of `multiple_of`.

    >>> [(t.columns.start, t.columns.stop) for t in Tiling(side=8, margin=2).over((4, 13))]
    [(0, 8), (4, 12), (8, 13)]
    """

    side: int
    margin: int = 0
    feather: int = 0
    multiple_of: int = 1
    #: the last tile ends with the map: it is shorter, or starts earlier and has full size
    last: Literal["short", "whole"] = "short"

    def __post_init__(self) -> None:
        if self.step < 1 or self.side % self.multiple_of:
            raise ValueError(
                f"tiles of {self.side} cells keep nothing between margins of {self.margin} and a "
                f"feather of {self.feather}, or are no multiple of {self.multiple_of}."
            )

    @property
    def step(self) -> int:
        """Cells between the starts of neighbouring tiles."""
        step = self.side - 2 * self.margin - self.feather
        return step // self.multiple_of * self.multiple_of

    def over(self, shape: tuple[int, int]) -> Iterator[Tile]:
        """The tiles that cover a map of (y, x) cells, row by row."""
        for rows in self._spans(shape[0]):
            for columns in self._spans(shape[1]):
                yield Tile(rows=rows, columns=columns)

    def trimmed(self, tile: Tile, needed: NDArray[np.bool_]) -> Tile:
        """A tile trimmed to the bounding box of its needed cells and a margin around them.

        Parameters
        ----------
        needed : (y, x) of the whole map; at least one used cell of the tile is needed
        """
        here = needed[tile.rows.kept, tile.columns.kept]
        rows, columns = (
            span.trimmed(
                _extent(np.asarray(here.any(axis)), span.kept_start), self.margin, self.multiple_of
            )
            for axis, span in ((1, tile.rows), (0, tile.columns))
        )
        return Tile(rows=rows, columns=columns)

    def _spans(self, length: int) -> Iterator[Span]:
        start, used = 0, 0
        while used < length:
            if self.last == "whole":
                start = min(start, self._last_start(length))
            stop = min(start + self.side, length)
            kept_start = start + self.margin if start else 0
            kept_stop = stop - self.margin if stop < length else length
            yield Span(
                start=start,
                stop=stop,
                kept_start=kept_start,
                kept_stop=kept_stop,
                feather=max(used - kept_start, 0),
            )
            start, used = start + self.step, kept_stop

    def _last_start(self, length: int) -> int:
        """Start of a tile of full size that ends with the map, if the map is large enough."""
        return -(-max(length - self.side, 0) // self.multiple_of) * self.multiple_of


def _extent(needed: NDArray[np.bool_], first: int) -> slice:
    """From the first to the last needed cell, counted from `first` on."""
    cells = np.flatnonzero(needed)
    return slice(first + int(cells[0]), first + int(cells[-1]) + 1)


def stitch(
    out: NDArray[np.float32], tile: Tile, prediction: NDArray[np.float32], scale: int
) -> None:
    """Write the prediction of a tile into a map, blended with the previous tiles.

    Parameters
    ----------
    out : (channel, scale * y, scale * x), changed in place; NaN where no tile was written yet
    tile : of the input
    prediction : (channel, scale * rows, scale * columns), finite
    scale : cells of `out` per cell of the tiling
    """
    target, source = [slice(None)], [slice(None)]
    for span in (tile.rows, tile.columns):
        target.append(slice(span.kept_start * scale, span.kept_stop * scale))
        first = span.kept_start - span.start
        length = span.kept_stop - span.kept_start
        source.append(slice(first * scale, (first + length) * scale))
    previous, new = out[tuple(target)], prediction[tuple(source)]
    weights = tile.rows.weights(scale)[:, None] * tile.columns.weights(scale)
    blended = previous + weights * (new - previous)
    previous[...] = np.where(np.isnan(previous) | (weights == 1), new, blended)
