"""Brightness temperature of land: ground, snow, glacier and ice sheet, each world its own.

Real land differs more from coast to coast than ice does: full footprints of Franz Josef Land in
August have 212 K at 10.7 GHz H and V - H of 37 K at 18.7 GHz, an ice sheet 170 to 190 K at 18.7 GHz
H, bare wet ground 250 K. So a world draws two kinds of land, one at the coast and one inland, each
a smooth spectrum: 18.7 GHz V, V - H there, and how both change with frequency.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seaice.instrument import BANDS, CHANNELS
from seaice.simulate.emission import Kind, ice_table
from seaice.simulate.random_fields import gaussian_field, uniform
from seaice.simulate.settings import Climate, Physics

__all__ = ["WET", "land_brightness"]

Array = NDArray[np.float32]
#: Emissivity of bare wet ground, (vertical, horizontal) per band.
WET = {
    "6": (0.945, 0.86),
    "7": (0.945, 0.86),
    "10": (0.95, 0.875),
    "18": (0.96, 0.895),
    "23": (0.962, 0.90),
    "36": (0.965, 0.91),
    "89": (0.957, 0.921),
}
LEAST_DIFFERENCE = 2.0  #: K, V - H of any land
REFERENCE = 18.7  #: GHz, where the spectra are anchored


def _spectrum(rng: np.random.Generator, melt: float) -> Array:
    """TB of one kind of land, (channel,) K."""
    v18 = rng.uniform(195, 262) + 8 * melt
    difference = rng.uniform(8, 62) * (1 - 0.5 * max(v18 - 240, 0) / 25)
    octaves = np.array([np.log2(BANDS[name[2:-1]].ghz / REFERENCE) for name in CHANNELS])
    low, high = np.minimum(octaves, 0), np.maximum(octaves, 0)
    vertical = v18 + rng.normal(-7, 9) * -low + rng.normal(-1, 9) * high
    ratio = 1 + rng.uniform(-0.05, 0.4) * -low
    ratio = ratio * rng.uniform(0.55, 0.9) ** high
    horizontal = np.array([name[-1] == "h" for name in CHANNELS])
    own = np.repeat(rng.normal(0, 2, len(CHANNELS) // 2), 2)  # of a band, so that V stays above H
    vertical = np.clip(vertical + own, 120, 285)
    tb = vertical - horizontal * np.maximum(difference * ratio, LEAST_DIFFERENCE)
    return np.asarray(tb, np.float32)


def _drawn_spectra(
    grid_shape: tuple[int, int], inland: Array, melt: float, rng: np.random.Generator
) -> Array:
    coast, interior = _spectrum(rng, melt), _spectrum(rng, melt)
    patches = gaussian_field(rng, grid_shape, 2.8, 40)
    fraction = 1 / (1 + np.exp(-(inland / rng.uniform(5, 60) - 2 + patches)))
    texture = np.stack([gaussian_field(rng, grid_shape, 2.8, 30) for _ in range(2)])
    weights = np.repeat(rng.normal(0, 4, (len(CHANNELS) // 2, 2)), 2, axis=0).astype(np.float32)
    mixed = coast[:, None, None] + fraction * (interior - coast)[:, None, None]
    return np.asarray(mixed + np.tensordot(weights, texture, axes=1), np.float32)


def _glacier(grid_shape: tuple[int, int], kind: Kind, rng: np.random.Generator) -> Array:
    table = ice_table(kind)
    scores = [
        table.scores(k, uniform(gaussian_field(rng, grid_shape, 2.6, 30)))
        for k in range(table.axes.shape[0])
    ]
    return table.brightness(np.stack(scores), CHANNELS)


def _like_samples(grid_shape: tuple[int, int], melt: float, rng: np.random.Generator) -> Array:
    """Glacier and snow like real samples of closed ice, bare wet ground where it melts."""
    offset = np.float32(rng.normal(0, 8)) + rng.normal(0, 5, len(CHANNELS)).astype(np.float32)
    cold = _glacier(grid_shape, "north", rng) + offset[:, None, None]
    soaked = np.float32(melt * rng.uniform())
    snow = cold + soaked * (_glacier(grid_shape, "wet snow", rng) - cold)
    patches = uniform(gaussian_field(rng, grid_shape, 2.6, 40))
    bare = np.clip(patches + np.float32(rng.uniform(-1, 1)), 0, 1) * np.float32(melt)
    ground = np.array(
        [277 * (WET[name[2:-1]][name[-1] == "h"] - 0.01) for name in CHANNELS], np.float32
    )
    return np.asarray(snow + bare * (ground[:, None, None] - snow), np.float32)


def land_brightness(
    land: Array, cell: float, climate: Climate, physics: Physics, rng: np.random.Generator
) -> Array:
    """TB of land.

    Parameters
    ----------
    land : (y, x) fraction of land of coarse cells
    cell : m, side of a coarse cell
    climate, physics : of the world; `physics.land` says which of the two models is used
    rng : generator

    Returns
    -------
    (channel, y, x) float32, K, also where there is no land
    """
    if physics.land == "samples":
        return _like_samples(land.shape, climate.melt, rng)
    inland = ndimage.distance_transform_edt(land > 0.5).astype(np.float32) * np.float32(cell / 1000)
    return _drawn_spectra(land.shape, inland, climate.melt, rng)
