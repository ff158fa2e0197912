"""A map of concentration on the grid of its producer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seaice.grid.grid import Grid

__all__ = ["Field"]

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Concentration of one time, with what else its maker told."""

    name: str  #: what a report calls it
    lattice: Grid
    sic: Map  #: (y, x), 0-1, NaN on land and where nothing is known
    time: np.datetime64 | None  #: UTC, middle of what it shows
    doubt: Map | None = None  #: (2, y, x), half-widths that hold 68 and 95 % of errors
    tb: Map | None = None  #: (2, y, x) K, H and V at 89 GHz

    def moved(self, lattice: Grid, move: Callable[[Map], Map]) -> "Field":
        """The same on another lattice: all its layers (layer, y, x), concentration first, moved."""
        doubt = [] if self.doubt is None else [self.doubt]
        tb = [] if self.tb is None else [self.tb]
        layers = move(np.concatenate([self.sic[None], *doubt, *tb]))
        return replace(
            self,
            lattice=replace(lattice, shape=layers.shape[1:]),
            sic=layers[0],
            doubt=layers[1:3] if doubt else None,
            tb=layers[-2:] if tb else None,
        )

    def crop(self, rows: slice, columns: slice) -> "Field":
        """The part of it with these rows and columns."""
        part = self.lattice.crop(rows, columns)
        return self.moved(part, lambda layers: layers[:, rows, columns])
