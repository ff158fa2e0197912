"""Spectra of maps: standard deviation by wavelength, slope, noise."""

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.lines import key
from pipelines.research.reality.points import Figures

__all__ = [
    "BANDS_KM",
    "SIDE",
    "noise",
    "pack_or_edge",
    "placed_windows",
    "spectrum",
    "spectrum_scalars",
    "windows",
]

Array = NDArray[np.floating]
SIDE = 32  #: cells of a window, 200 km on the 6.25 km grid
BANDS_KM = (12.5, 25.0, 50.0, 100.0)  #: middle wavelength of each band, an octave wide
TINY = 1e-30  #: power of a wavelength that a made field lacks
FIT_KM = (12.5, 120.0)  #: wavelengths between which a slope is fitted


def windows(field: Array, stride: int = SIDE // 2) -> Iterator[Array]:
    """Square pieces of a map without gaps, half overlapping, (SIDE, SIDE)."""
    for _, _, piece in placed_windows(field, stride):
        yield piece


def placed_windows(field: Array, stride: int) -> Iterator[tuple[int, int, Array]]:
    """Square pieces of a map without gaps, each with its first row and column."""
    for row in range(0, field.shape[0] - SIDE + 1, stride):
        for column in range(0, field.shape[1] - SIDE + 1, stride):
            piece = field[row : row + SIDE, column : column + SIDE]
            if np.isfinite(piece).all():
                yield row, column, piece


def spectrum_scalars(pieces: Iterable[Array], cell: float, topic: str) -> dict[str, float]:
    """Slope and spread by band of a spectrum, by the keys of the reality check.

    Parameters
    ----------
    pieces : windows of one kind
    cell : km
    topic : `brightness spectra` or `concentration spectra KIND`
    """
    found = spectrum(pieces, cell)
    if not found:
        return {}
    group, _, kind = topic.partition(" spectra")
    place, unit = (kind.strip() or "V - H of open water", "K" if group == "brightness" else "1")
    group = f"{group} spectra"
    scalars = {key(group, place, "slope", ""): float(cast(float, found["slope"]))}
    for band, value in zip(BANDS_KM, cast(list[float], found["spread"]), strict=True):
        scalars[key(group, place, f"standard deviation near {band:g} km", unit)] = float(value)
    return scalars


def pack_or_edge(sic: Array) -> str:
    """What a window of concentration (0-1) shows: `pack`, `edge` or `neither`.

    >>> pack_or_edge(np.full((32, 32), 0.99))
    'pack'
    """
    if sic.mean() > 0.93 and (sic > 0.9).mean() > 0.8:
        return "pack"
    middle, low = ((sic > 0.15) & (sic < 0.8)).mean(), (sic < 0.15).mean()
    return "edge" if middle > 0.1 and low > 0.1 else "neither"


def spectrum(pieces: Iterable[Array], cell: float) -> Figures | None:
    """Standard deviation by wavelength and the slope of the power spectrum.

    Parameters
    ----------
    pieces : windows of one kind
    cell : km

    Returns
    -------
    dict or None
        `windows`; `spread`: root of the variance within each band of `BANDS_KM`, in the map's unit
        (mean over the windows); `typical`: the same of the median window; `slope` of power
        against wavenumber, two-dimensional density, between the wavelengths of `FIT_KM`.
    """
    powers = [_power(piece) for piece in pieces]
    if not powers:
        return None
    wavenumber = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) / cell
    with np.errstate(divide="ignore"):
        length = 1 / wavenumber
    rings = [(length >= band / 2**0.5) & (length < band * 2**0.5) for band in BANDS_KM]
    bands = np.array([[power[ring].sum() for ring in rings] for power in powers])
    fit = (length >= FIT_KM[0]) & (length <= FIT_KM[1])
    mean = np.mean(powers, axis=0)
    slope = np.polyfit(np.log(wavenumber[fit]), np.log(np.maximum(mean[fit], TINY)), 1)[0]
    return {
        "windows": len(powers),
        "spread": [float(f"{x:.3g}") for x in np.sqrt(bands.mean(axis=0))],
        "typical": [float(f"{x:.3g}") for x in np.sqrt(np.median(bands, axis=0))],
        "slope": round(float(slope), 2),
    }


def _power(piece: Array) -> Array:
    """Share of the variance at each wavenumber, tapered against the jump between borders."""
    taper = np.hanning(SIDE)[:, None] * np.hanning(SIDE)[None]
    level = (piece * taper).sum() / taper.sum()
    tapered = (piece - level) * taper / np.sqrt((taper**2).mean())
    power: Array = np.abs(np.fft.fft2(tapered)) ** 2 / SIDE**4
    return power


def noise(pieces: Iterable[Array]) -> float | None:
    """Cell-to-cell roughness of the quarter of the windows with least of it, in the map's unit.

    Second differences along rows and columns over the root of six: what white noise of one
    standard deviation would give.
    """
    rough: list[float] = []
    second: Callable[[Array, int], Array] = lambda x, axis: np.diff(x, 2, axis=axis)  # noqa: E731
    for piece in pieces:
        both = [np.median(np.abs(second(piece, axis))) * 1.4826 / np.sqrt(6) for axis in (0, 1)]
        rough.append(float(np.mean(both)))
    return round(float(np.quantile(rough, 0.25)), 2) if rough else None
