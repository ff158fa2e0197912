"""Compiled passes over samples agree with their plain equivalents."""

import numpy as np
import pytest

from seaice.io.coregistration import low_positions
from seaice.io.decoding import brightness_temperature, count_quality, decode_counts
from tests.support.granules import make_swath


@pytest.mark.parametrize("scale", [0.01, 0.02])
def test_one_pass_over_counts_equals_both_tables(scale):
    counts = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    kelvin = np.empty(counts.shape, np.float32)
    quality = np.full(counts.shape, 8, np.uint8)
    decode_counts(counts, scale, kelvin, quality)
    np.testing.assert_array_equal(kelvin, brightness_temperature(counts, scale))
    np.testing.assert_array_equal(quality, 8 | count_quality(counts, scale))


def vector(latitude, longitude):
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], -1)


def turned(latitude, longitude, a1, a2):
    """The specification in double precision, as unit vectors."""
    p1 = vector(latitude[..., ::2], longitude[..., ::2])
    p2 = vector(latitude[..., 1::2], longitude[..., 1::2])
    across = np.cross(p1, p2)
    sine = np.linalg.norm(across, axis=-1, keepdims=True)
    theta = np.arctan2(sine, (p1 * p2).sum(-1, keepdims=True))
    ez = across / sine
    ey = np.cross(ez, p1)
    along = np.cos(a1 * theta) * p1 + np.sin(a1 * theta) * ey
    return np.cos(a2 * theta) * along + np.sin(a2 * theta) * ez


@pytest.mark.parametrize("phase", [0.0, 740.0, 1300.0, 1480.0, 4000.0])
@pytest.mark.parametrize("parameters", [(1.25, -0.5), (-3.0, 1.5), (80.0, -40.0)])
def test_series_agree_with_the_formula_to_two_metres(phase, parameters):
    """Over the pole, over the date line, and turned too far for a series."""
    swath = make_swath(200, phase=phase)
    latitude, longitude = (swath[axis].values[0] for axis in ("latitude", "longitude"))
    latitude[0, :4], longitude[0, :4] = (90.0, 89.9, 89.95, 89.9), (10.0, 40.0, 170.0, -170.0)
    latitude[1, :4], longitude[1, :4] = (80.0, 80.0, -75.0, -75.1), (179.99, -179.98, -180, 179.9)
    result = low_positions(latitude, longitude, [parameters])
    expected = turned(*(axis.astype(float) for axis in (latitude, longitude)), *parameters)
    difference = np.linalg.norm(
        vector(*(axis[0].astype(float) for axis in result)) - expected, axis=-1
    )
    assert difference.max() * 6_371_000 < 2
    assert (result[1] >= -180).all()
    assert (result[1] < 180).all()
