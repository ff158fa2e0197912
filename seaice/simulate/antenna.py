"""Fields in, antenna temperatures out: every footprint is integrated, not sampled."""

import math

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled
from seaice.instrument import Band

__all__ = ["footprint_mean"]

Array = NDArray[np.float32]
REACH = 1.25  #: half-power widths from the centre to the outermost quadrature node
NODES = 7  #: quadrature nodes along each axis


@compiled
def _bilinear(field: Array, row: float, column: float) -> float:
    rows, columns = field.shape
    row = min(max(row, 0.0), rows - 1.001)
    column = min(max(column, 0.0), columns - 1.001)
    r, c = int(row), int(column)
    fr, fc = np.float32(row - r), np.float32(column - c)
    top = field[r, c] + fc * (field[r, c + 1] - field[r, c])
    low = field[r + 1, c] + fc * (field[r + 1, c + 1] - field[r + 1, c])
    return float(top + fr * (low - top))


@compiled
def _integrate(
    fields: Array,
    place: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    nodes: NDArray[np.float64],
    out: Array,
) -> None:
    """Weighted mean of each field over the nodes of each footprint."""
    row, column, heading = place
    for s in range(row.size):
        sine, cosine = math.sin(heading[s]), math.cos(heading[s])
        inside = (
            row[s] > 0
            and row[s] < fields.shape[1] - 1
            and column[s] > 0
            and column[s] < fields.shape[2] - 1
        )
        for f in range(fields.shape[0]):
            if not inside:
                out[f, s] = np.nan
                continue
            total = np.float32(0.0)
            for n in range(nodes.shape[0]):
                along, across, weight = nodes[n, 0], nodes[n, 1], nodes[n, 2]
                r = row[s] - along * sine + across * cosine
                c = column[s] + along * cosine + across * sine
                total += np.float32(weight) * _bilinear(fields[f], r, c)
            out[f, s] = total


def _quadrature(band: Band, cell: float) -> NDArray[np.float64]:
    """(node, 3): along and across offsets in cells, weight; a Gaussian beam cut at REACH."""
    steps = np.linspace(-REACH, REACH, NODES)
    along, across = np.meshgrid(steps, steps)
    weight = np.exp(-4 * math.log(2) * (along**2 + across**2))
    keep = np.hypot(along, across) <= REACH * 1.001
    weight = weight[keep] / weight[keep].sum()
    scale = 1000.0 / cell
    return np.stack(
        [along[keep] * band.along * scale, across[keep] * band.across * scale, weight], axis=1
    )


def footprint_mean(
    fields: Array,
    position: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    band: Band,
    cell: float,
) -> Array:
    """Mean of each field under the Gaussian beam of each sample.

    Parameters
    ----------
    fields : (field, y, x)
    position : (row, column, heading) of each sample, each (sample,)
        Rows and columns are fractional cell-centre indices; heading is the look direction in
        radians from +x towards +y of the plane.
    band : gives the half-power widths along and across the look direction
    cell : m, cell size of the fields

    Returns
    -------
    (field, sample) float32; NaN for samples outside the fields
    """
    out = np.empty((fields.shape[0], position[0].size), np.float32)
    _integrate(fields, position, _quadrature(band, cell), out)
    return out
