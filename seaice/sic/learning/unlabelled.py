"""Daily maps and refined maps in, samples without truth out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import NoInputError
from seaice.grid.blocks import SCALE
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.train.samples import Window, stack_batch
from seaice.train.trainer import Batch

__all__ = ["UnlabelledDay", "drawn", "middle"]

TRIES = 50  #: windows drawn until one is observed
LEAST = 0.3  #: share of a window that must have been observed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnlabelledDay:
    """A day that was mapped and refined."""

    refined: NDArray[np.float32]  #: (2, 4 y, 4 x) K, H then V, NaN where absent
    low: NDArray[np.float32]  #: (12, y, x) K
    frames: NDArray[np.float32]  #: (5, 2, y, x) K
    land: NDArray[np.bool_]  #: (4 y, 4 x)

    @classmethod
    def of(
        cls,
        refined: xr.Dataset,
        daily_map: xr.Dataset,
        stack: xr.Dataset,
        land: NDArray[np.bool_],
    ) -> "UnlabelledDay":
        """From the datasets of the stages, all of one day and one grid."""
        absent = np.full_like(daily_map["tb89h"].values, np.nan)
        low = [daily_map[name].values if name in daily_map else absent for name in LOW_CHANNELS]
        high = [stack[name].values for name in HIGH_CHANNELS]
        return cls(
            refined=np.stack([refined[name].values for name in HIGH_CHANNELS]),
            low=np.stack(low),
            frames=np.stack(high, axis=1),
            land=land,
        )

    def parts(self, window: Window) -> dict[str, NDArray[Any]]:
        """What `seaice.sic.learning.lesson.given` needs; concentration is 0 where unknown."""
        land = np.where(self.land, np.float32("nan"), np.float32(0))
        return {
            "refined": window.of(self.refined, SCALE),
            "low": window.of(self.low, 1),
            "frames": window.of(self.frames, 1),
            "truth": window.of(land, SCALE),
        }


def drawn(
    days: Sequence[UnlabelledDay], random: np.random.Generator, size: int, side: int
) -> Batch:
    """Samples at random places of random days, of which enough was observed.

    Parameters
    ----------
    size : samples
    side : coarse cells

    Raises
    ------
    NoInputError
        If hardly anything was observed anywhere.
    """

    side = min(side, *(length for day in days for length in day.low.shape[1:]))

    def sample() -> Mapping[str, NDArray[Any]]:
        for _ in range(TRIES):
            day = days[int(random.integers(len(days)))]
            shape = day.low.shape[1], day.low.shape[2]
            parts = day.parts(Window.drawn(random, 1, shape, side))
            if np.isfinite(parts["refined"]).mean() > LEAST:
                return parts
        raise NoInputError(
            f"no window of {side} coarse cells with {LEAST:.0%} observed in {TRIES} draws",
            "daily maps of open sea and ice",
            "give maps of more days, or of a larger region",
        )

    return stack_batch(sample, size)


def middle(day: UnlabelledDay, side: int) -> Batch:
    """The middle of a day, as a batch of one."""
    window = Window.middle(0, (day.low.shape[1], day.low.shape[2]), side)
    return stack_batch(lambda: day.parts(window), 1)
