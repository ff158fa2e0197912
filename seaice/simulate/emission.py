"""Surfaces and air in, brightness temperature of every channel out.

Open water is a regression fitted to real AMSR2 samples with reanalysis weather; closed ice is drawn
from the joint distribution of real samples. Both tables come from `derive.py`.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seaice.instrument import BANDS, CHANNELS

__all__ = [
    "IceTable",
    "Kind",
    "WaterTable",
    "absorption",
    "ice_table",
    "water_table",
    "weather_terms",
]

Array = NDArray[np.float32]
#: Closed ice by hemisphere; and northern ice that melts, of July and of August.
Kind = Literal["north", "south", "wet snow", "bare ice"]

#: Zenith absorption per channel band: (oxygen, per kg m-2 vapour, per kg m-2 cloud liquid), Np.
#: Order of magnitude after Wentz and Meissner 2000, AMSR Ocean Algorithm ATBD, section 2.
ABSORPTION = {
    "6": (0.010, 0.0001, 0.006),
    "7": (0.010, 0.0001, 0.007),
    "10": (0.011, 0.0002, 0.015),
    "18": (0.013, 0.0020, 0.045),
    "23": (0.016, 0.0055, 0.075),
    "36": (0.035, 0.0022, 0.175),
    "89": (0.060, 0.0110, 0.850),
}
SLANT = 1.743  #: secant of the 55 degree incidence angle


def weather_terms(
    vapour: NDArray[np.floating],
    liquid: NDArray[np.floating],
    wind: NDArray[np.floating],
    sst: NDArray[np.floating],
) -> NDArray[np.float64]:
    """The predictors of open-water TB, (sample, term).

    Parameters
    ----------
    vapour, liquid : (sample,) kg m-2
    wind : (sample,) m s-1
    sst : (sample,) K

    Returns
    -------
    (sample, 12) float64
        Constant, linear and quadratic terms, and the square root of cloud liquid, which straightens
        the saturation of 89 GHz under thick cloud.
    """
    w, c, u, s = (np.asarray(v, float) for v in (vapour / 10, liquid * 10, wind / 10, sst - 273.0))
    root = np.sqrt(np.maximum(c, 0))
    terms = [np.ones_like(w), w, w**2, c, root, c * w, u, u**2, u * w, u * root, s, s * w]
    return np.stack(terms, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterTable:
    """Open-water TB as a function of weather, and what weather does not explain."""

    coefficients: NDArray[np.float64]  #: (term, channel)
    residual_factors: NDArray[np.float64]  #: (component, channel) K per unit normal score

    def brightness(self, terms: NDArray[np.float64], scores: NDArray[np.floating]) -> Array:
        """TB of open water.

        Parameters
        ----------
        terms : (..., term) from `weather_terms`
        scores : (component, ...) unit normal, correlated in space by the caller

        Returns
        -------
        (channel, ...) float32, K
        """
        explained = np.moveaxis(terms @ self.coefficients, -1, 0)
        rest = np.tensordot(self.residual_factors, scores, axes=(0, 0))
        return np.asarray(explained + rest, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class IceTable:
    """Closed-ice TB: principal axes of real samples with the distribution along each."""

    mean: Array  #: (channel,) K
    axes: Array  #: (component, channel)
    quantiles: NDArray[np.float64]  #: (probability, component) K
    difference: NDArray[np.float64]  #: (drawn or real, probability) K, quantiles of V - H at 89 GHz

    def scores(self, component: int, uniform: NDArray[np.floating]) -> Array:
        """Scores along one axis, distributed like the real ones, from uniform numbers in 0-1."""
        column = self.quantiles[:, component]
        drawn = np.interp(uniform, np.linspace(0, 1, len(column)), column)
        return np.asarray(drawn, np.float32)

    def brightness(self, scores: Array, channels: tuple[str, ...]) -> Array:
        """TB of closed ice, (channel, ...) K, from (component, ...) scores."""
        index = [CHANNELS.index(name) for name in channels]
        tb = np.tensordot(self.axes[:, index], scores, axes=(0, 0))
        tb = np.asarray(tb + self.mean[index].reshape(-1, *[1] * (scores.ndim - 1)), np.float32)
        if {"tb89h", "tb89v"} <= set(channels):
            self._match(tb[channels.index("tb89h")], tb[channels.index("tb89v")])
        return tb

    def _match(self, h: Array, v: Array) -> None:
        """Give V - H the distribution of real samples; `h` is changed in place.

        The scores are uncorrelated, not independent: drawn one by one, the tails of V - H, a small
        difference of large numbers, come out too wide.
        """
        h[...] = v - np.interp(v - h, *self.difference)


@cache
def _table() -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = json.loads(
        files("seaice.simulate").joinpath("data/emission.json").read_text()
    )
    return loaded


@cache
def water_table() -> WaterTable:
    """The open-water regression that ships with the package."""
    water = _table()["water"]
    return WaterTable(
        coefficients=np.asarray(water["coefficients"]),
        residual_factors=np.asarray(water["residual_factors"]),
    )


@cache
def ice_table(kind: Kind) -> IceTable:
    """The distribution of one kind of closed ice that ships with the package."""
    ice = _table()["ice"][kind]
    assert isinstance(ice, dict)  # noqa: S101  the shipped table's own shape
    return IceTable(
        mean=np.asarray(ice["mean"], np.float32),
        axes=np.asarray(ice["axes"], np.float32),
        quantiles=np.asarray(ice["quantiles"]),
        difference=np.asarray(ice["difference"]),
    )


def absorption(
    channel: str, vapour: NDArray[np.floating], liquid: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Share of surface emission that the slanted air column swallows, 0-1.

    >>> float(absorption("tb89v", np.array(3.0), np.array(0.0)).round(2))
    0.15
    """
    oxygen, per_vapour, per_liquid = ABSORPTION[BANDS[channel[2:-1]].name]
    depth = SLANT * (oxygen + per_vapour * vapour + per_liquid * liquid)
    return np.asarray(1.0 - np.exp(-depth))
