"""What may differ between two days of the same ice: how warm it looks, and where it was seen.

Turning and mirroring are `seaice.sr.samples.Window`, missing days `standing_in`; here are smooth
drifts of brightness temperature by kind of surface, and swaths that were not received. Everything
follows from the generator handed in, and is shared by super-resolution and concentration.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drift", "missing_swath", "with_missing_swaths"]

OPEN_WATER = 47.0  # K, V - H at 89 GHz; Spreen et al. 2008, JGR 113, C02S03, section 3
CLOSED_ICE = 11.7  # K, likewise
COMMON = 1.75  # K, largest drift that H and V share
APART = 0.25  # K, largest by which either leaves the other, in opposite directions

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Offsets of a sample: one for what looks like ice, one for what looks like water.

    Ice grows colder and the air over water wetter from week to week. H and V follow together, so
    that their difference moves by 0.5 K at most where either moves by up to 2 K.
    """

    corners: NDArray[np.float64]  #: (ice and water, H and V, y, x) K, at the sample's four corners

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Self:
        """One at random."""
        level = random.normal(0, 0.6, (2, 1, 1, 1)) + random.normal(0, 0.3, (2, 1, 2, 2))
        apart = np.clip(random.normal(0, 0.1, (2, 1, 2, 2)), -APART, APART)
        common = np.clip(level, -COMMON, COMMON)
        return cls(corners=np.concatenate((common - apart, common + apart), axis=1))

    def on(self, tb: Floats) -> Floats:
        """Brightness temperature after the drift; between the corners it is bilinear.

        Fine cells drift by what their coarse cell drifts by, on average: a sample and its truth
        stay each other's where both are handed in.

        Parameters
        ----------
        tb : (..., 2, y, x), K, H then V at 89 GHz, of one ground at any resolution

        Returns
        -------
        (..., 2, y, x) float32, K; NaN where H or V is absent
        """
        down, right = (_from_edge_to_edge(length) for length in tb.shape[-2:])
        ice, water = np.einsum("spab,ay,bx->spyx", self.corners, down, right).astype(np.float32)
        difference = tb[..., 1:, :, :] - tb[..., :1, :, :]
        share = np.clip((OPEN_WATER - difference) / (OPEN_WATER - CLOSED_ICE), 0, 1)
        drifted: Floats = tb + share * ice + (1 - share) * water
        return drifted


def _from_edge_to_edge(length: int) -> NDArray[np.float64]:
    """(2, length): how much of either end a cell's centre has."""
    place = (np.arange(length) + 0.5) / length
    return np.stack((1 - place, place))


def missing_swath(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """An oblique strip of a tenth to half of a square's side, at any place and angle.

    Returns
    -------
    (y, x) bool, true where nothing was seen
    """
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in shape)
    side, angle = min(shape), random.uniform(0, math.pi)
    across = rows[:, None] * math.sin(angle) + columns * math.cos(angle)
    middle, width = random.uniform(-0.5, 0.5) * side, random.uniform(0.1, 0.5) * side
    strip: NDArray[Any] = np.abs(across - middle) < width / 2
    return strip


def with_missing_swaths(random: np.random.Generator, tb: Floats) -> Floats:
    """Frames of which one or more lack a swath, each its own.

    Parameters
    ----------
    tb : (frame, 2, y, x), K

    Returns
    -------
    (frame, 2, y, x), K, NaN in the strips
    """
    seen = tb.copy()
    hit = random.choice(len(tb), int(random.integers(1, len(tb) + 1)), replace=False)
    for frame in hit:
        seen[frame][:, missing_swath(random, tb.shape[-2:])] = np.nan
    return seen
