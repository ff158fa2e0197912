"""Two maps in, their spectra and how much of one is in the other out.

In each annulus of wavenumber, over all tiles: S_e and S_r are the power of the estimate and of the
reference, S_er the cross-spectrum. Squared coherence |S_er|^2 / (S_e S_r) is the share of the
estimate's power that goes with the reference in a fixed relation: 1 where one is the other however
faint, 0 where the estimate tells nothing. S_e / S_r is the transfer of power: below 1 blurred,
above 1 noisy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spectra", "half_power", "spectra_of", "spectrum_sums", "tile_sides"]

Array = NDArray[np.float64]
Map = NDArray[np.floating]


class Spectra(NamedTuple):
    """By wavelength, from long to short."""

    wavelength: Array  #: (annulus,) km
    estimate: Array  #: (..., annulus) power density, units of the maps squared times km2
    reference: Array
    coherence: Array  #: squared
    transfer: Array  #: of power


def tile_sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Cells along a tile that fits four times into maps of this shape, the best first.

    >>> tile_sides((512, 700)), tile_sides((90, 40)), tile_sides((10, 10))
    ((128, 64, 32, 16), (16,), ())
    """
    return tuple(side for side in (128, 64, 32, 16) if 2 * side <= min(shape))


def spectrum_sums(estimate: Map, reference: Map, side: int) -> Array:
    """Sums of each square tile of `side` cells in which both maps are known throughout.

    Each tile has its mean taken off and is faded out by a Hann window.

    Returns
    -------
    (tile, 4, side / 2) float64
        Real and imaginary part of S_er, S_e, S_r, summed over the annuli |k| = 1 ... side / 2
        cycles a tile; tiles that are not known throughout are left out
    """
    window = np.outer(np.hanning(side), np.hanning(side))
    annulus = _annulus(side)
    both = np.stack([_tiles(estimate, side), _tiles(reference, side)], axis=1)
    sums = []
    for tile in both[np.isfinite(both).all(axis=(1, 2, 3))]:
        one, other = np.fft.fft2((tile - tile.mean((1, 2), keepdims=True)) * window)
        cross = one * np.conj(other)
        parts = cross.real, cross.imag, abs(one) ** 2, abs(other) ** 2
        sums.append([np.bincount(annulus, part.ravel())[1 : side // 2 + 1] for part in parts])
    return np.array(sums).reshape(-1, 4, side // 2) / side**2


def _tiles(values: Map, side: int) -> Array:
    """(tile, side, side), next to each other; rests are left out."""
    rows, columns = (n // side for n in values.shape)
    cut = values[: rows * side, : columns * side].astype(np.float64)
    return cut.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _annulus(side: int) -> NDArray[np.int64]:
    """Which annulus each coefficient of `fft2` belongs to, flat; beyond Nyquist the last."""
    cycles = np.fft.fftfreq(side) * side
    radius = np.round(np.hypot(cycles[:, None], cycles[None])).astype(np.int64)
    numbers: NDArray[np.int64] = np.minimum(radius, side // 2 + 1).ravel()
    return numbers


def spectra_of(sums: Array, cell: float) -> Spectra:
    """Spectra from sums (..., 4, annulus) of cells of `cell` km."""
    real, imaginary, ours, theirs = np.moveaxis(sums, -2, 0)
    number = np.arange(1, sums.shape[-1] + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        coherence = (real**2 + imaginary**2) / (ours * theirs)
        transfer = ours / theirs
    return Spectra(2 * sums.shape[-1] * cell / number, ours, theirs, coherence, transfer)


def half_power(sums: Array, cell: float) -> Array:
    """Wavelength, km, at which squared coherence first falls below 1/2, from long to short.

    Between two annuli it is interpolated along the logarithm of the wavelength; NaN where it never
    falls below, or nothing is known.
    """
    result = spectra_of(sums, cell)
    below = result.coherence < 0.5
    first = below.argmax(-1)
    waves = np.log(result.wavelength)
    here = np.take_along_axis(result.coherence, first[..., None], -1)[..., 0]
    before = np.take_along_axis(result.coherence, np.maximum(first - 1, 0)[..., None], -1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(first > 0, (before - 0.5) / (before - here), 0.0)
    log_wave = waves[np.maximum(first - 1, 0)] * (1 - way) + waves[first] * way
    return np.where(below.any(-1), np.exp(log_wave), np.nan)
