"""Maps cut into tiles with margin, and tiles stitched into maps without seams.

A tile's outermost `margin` cells feel its edge and are thrown away; over the next `feather` cells
two neighbours are blended with cosine weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Span", "Tile", "Tiling", "stitch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A tile along one axis, in cells."""

    start: int
    stop: int
    kept_start: int  #: what is used of it begins here
    kept_stop: int
    feather: int  #: cells from `kept_start` on that are blended with the tile before; 0: none
    faded: int = 0  #: cells of a feather that lay before `kept_start` and were cut away

    @property
    def cells(self) -> slice:
        """What is cut."""
        return slice(self.start, self.stop)

    @property
    def kept(self) -> slice:
        """What is used."""
        return slice(self.kept_start, self.kept_stop)

    def weights(self, scale: int) -> NDArray[np.float32]:
        """How much this tile counts against those before it, (kept cells * scale,)."""
        weights = np.ones((self.kept_stop - self.kept_start) * scale, np.float32)
        whole = (self.faded + self.feather) * scale
        steps = np.arange(self.faded * scale, whole)[: len(weights)] + 0.5
        weights[: len(steps)] = 0.5 - 0.5 * np.cos(np.pi * steps / max(whole, 1))
        return weights

    def trimmed(self, kept: slice, margin: int, unit: int) -> "Span":
        """No more of it than `kept`, a part of what is used, needs; it begins at a multiple."""
        cut = kept.start - self.kept_start
        return Span(
            start=max((kept.start - margin) // unit * unit, self.start),
            stop=min(-(-(kept.stop + margin) // unit) * unit, self.stop),
            kept_start=kept.start,
            kept_stop=kept.stop,
            feather=max(self.feather - cut, 0),
            faded=self.faded + min(cut, self.feather),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile: its rows and its columns."""

    rows: Span
    columns: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How maps are cut: every tile begins at a multiple of `multiple_of`.

    >>> [(t.columns.start, t.columns.stop) for t in Tiling(side=8, margin=2).over((4, 13))]
    [(0, 8), (4, 12), (8, 13)]
    """

    side: int
    margin: int = 0
    feather: int = 0
    multiple_of: int = 1
    #: the last tile ends with the map: it is cut short, or begins earlier and is whole
    last: Literal["short", "whole"] = "short"

    def __post_init__(self) -> None:
        if self.step < 1 or self.side % self.multiple_of:
            raise ValueError(
                f"tiles of {self.side} cells keep nothing between margins of {self.margin} and a "
                f"feather of {self.feather}, or are no multiple of {self.multiple_of}."
            )

    @property
    def step(self) -> int:
        """Cells from tile to tile."""
        step = self.side - 2 * self.margin - self.feather
        return step // self.multiple_of * self.multiple_of

    def over(self, shape: tuple[int, int]) -> Iterator[Tile]:
        """Tiles that cover a map of (y, x) cells, row by row."""
        for rows in self._spans(shape[0]):
            for columns in self._spans(shape[1]):
                yield Tile(rows=rows, columns=columns)

    def trimmed(self, tile: Tile, wanted: NDArray[np.bool_]) -> Tile:
        """A tile cut down to the box of its wanted cells and a margin around them.

        Parameters
        ----------
        wanted : (y, x) of the whole map; some cell that the tile uses is wanted
        """
        here = wanted[tile.rows.kept, tile.columns.kept]
        rows, columns = (
            span.trimmed(
                _ends(np.asarray(here.any(axis)), span.kept_start), self.margin, self.multiple_of
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
        """Where a whole tile begins that reaches the map's end, if the map is as large as it."""
        return -(-max(length - self.side, 0) // self.multiple_of) * self.multiple_of


def _ends(wanted: NDArray[np.bool_], first: int) -> slice:
    """From the first to the last of them, counted from `first` on."""
    places = np.flatnonzero(wanted)
    return slice(first + int(places[0]), first + int(places[-1]) + 1)


def stitch(onto: NDArray[np.float32], tile: Tile, told: NDArray[np.float32], scale: int) -> None:
    """Lay a tile on a map, blended with what lies there; NaN is where nothing lies yet.

    Parameters
    ----------
    onto : (channel, scale * y, scale * x), changed in place
    tile : where it was cut
    told : (channel, scale * rows, scale * columns), what became of it; finite
    scale : cells of `onto` to a cell of the tiling
    """
    target, source = [slice(None)], [slice(None)]
    for span in (tile.rows, tile.columns):
        target.append(slice(span.kept_start * scale, span.kept_stop * scale))
        first = span.kept_start - span.start
        length = span.kept_stop - span.kept_start
        source.append(slice(first * scale, (first + length) * scale))
    there, new = onto[tuple(target)], told[tuple(source)]
    weights = tile.rows.weights(scale)[:, None] * tile.columns.weights(scale)
    blended = there + weights * (new - there)
    there[...] = np.where(np.isnan(there) | (weights == 1), new, blended)
