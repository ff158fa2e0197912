"""Ice and water of two maps in, how far apart their edges are out."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

__all__ = ["PER_CELL", "edge_cells", "edge_sums"]

PER_CELL = 4  #: steps of the histogram of distances to a cell's side
FARTHEST = 100  #: cells; what is farther counts as that far, in the histogram only

Mask = NDArray[np.bool_]
Surface = tuple[Mask, Mask]  #: where there is ice, where there is water


def edge_sums(
    estimate: Surface, reference: Surface, cell: float, block: int
) -> dict[str, NDArray[np.float64]]:
    """How far each edge cell of one map is from the nearest edge cell of the other.

    Parameters
    ----------
    cell : km, side of a cell
    block : cells along a unit's side

    Returns
    -------
    dict
        `edge` (unit, 2, 2): from the estimate's edge and from the reference's, edge cells and sum
        of distances in km; `edge_steps` (unit, steps): cells of both by distance, in steps of a
        quarter cell. All zero where one of the maps has no edge: there is no distance to it.

    >>> water = np.arange(8) > np.full((8, 1), 3)
    >>> edge_sums((~water, water), (~water, water), 1.0, 8)["edge"].tolist()
    [[[8.0, 0.0], [8.0, 0.0]]]
    """
    rows, columns = (-(-n // block) for n in estimate[0].shape)
    units, steps = rows * columns, PER_CELL * FARTHEST + 1
    sums, histogram = np.zeros((units, 2, 2)), np.zeros(units * steps)
    edges = [np.argwhere(edge_cells(*surface)) for surface in (estimate, reference)]
    if all(len(edge) for edge in edges):
        for side, (here, there) in enumerate((edges, edges[::-1])):
            away, _ = cKDTree(there).query(here)
            unit = (here[:, 0] // block) * columns + here[:, 1] // block
            sums[:, side, 0] = np.bincount(unit, minlength=units)
            sums[:, side, 1] = np.bincount(unit, away * cell, units)
            step = np.minimum(np.round(away * PER_CELL), steps - 1).astype(np.int64)
            histogram += np.bincount(unit * steps + step, minlength=units * steps)
    return {"edge": sums, "edge_steps": histogram.reshape(units, steps)}


def edge_cells(ice: Mask, water: Mask) -> Mask:
    """Ice cells with water at one of their four sides; land and gaps make no edge.

    >>> edge_cells(np.array([[True, True, False]]), np.array([[False, False, True]])).tolist()
    [[False, True, False]]
    """
    neighbours: Mask = ice & binary_dilation(water)
    return neighbours
