"""Correlated random fields: the raw material of ice, weather and drift."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

__all__ = ["gaussian_field", "uniform"]

Array = NDArray[np.float32]


def gaussian_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    slope: float,
    outer: float,
    stretch: float = 1.0,
) -> Array:
    """A periodic Gaussian field with a power-law spectrum, mean 0 and variance 1.

    Parameters
    ----------
    rng : generator
    shape : (y, x)
    slope : exponent of the two-dimensional power spectrum, power ~ k^-slope
    outer : cells; wavelengths beyond this carry no more power than it
    stretch : > 1 makes structures longer along x than along y by this factor

    Returns
    -------
    (y, x) float32
    """
    rows, columns = shape
    ky = fft.fftfreq(rows)[:, None].astype(np.float32)
    kx = fft.rfftfreq(columns)[None, :].astype(np.float32) * np.float32(stretch)
    power = (ky**2 + kx**2 + np.float32(1.0 / outer**2)) ** (-slope / 2)
    power[0, 0] = 0.0
    white = rng.standard_normal((rows, columns), dtype=np.float32)
    spectrum = fft.rfft2(white, workers=2) * np.sqrt(power)
    field: Array = fft.irfft2(spectrum, (rows, columns), workers=2)
    field -= field.mean()
    field /= field.std() + np.float32(1e-12)
    return field.astype(np.float32)


def uniform(field: Array) -> Array:
    """Standard normal values to uniform ones in 0-1."""
    ranks: Array = special.ndtr(field).astype(np.float32)
    return ranks
