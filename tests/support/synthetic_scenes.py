"""Real-looking AMSR2 scenes whose brightness is linear in a known concentration."""

import numpy as np
import xarray as xr
from pyproj import Transformer

from seaice.instrument import BANDS, CHANNELS

ROWS, COLUMNS, CELL = 110, 90, 2.0  #: of a scene; km
CRS = "EPSG:3411"
#: open water and closed ice, K, of published tie points and the median of real samples
WATER = {"h": (80, 81, 88, 110, 135, 142, 197), "v": (160, 161, 168, 187, 203, 211, 244)}
ICE = {"h": (225, 225, 225, 222, 216, 205, 206), "v": (245, 245, 246, 245, 238, 225, 217)}


def spelled(name):
    return f"tb{BANDS[name[2:-1]].label.replace('.', 'p')}{name[-1]}"


def half_ice(rows=ROWS, columns=COLUMNS):
    """Concentration of the scene: ice on the left, a ramp of 20 cells, water on the right."""
    ramp = np.clip((0.6 * columns + 1 - np.arange(columns)) / 20 + 0.5, 0, 1)
    return np.repeat(ramp[None], rows, axis=0)


def brightness(sic):
    """Kelvin of every channel, (row, column), by its name in this package."""
    bands = list(BANDS)
    layers = {}
    for name in CHANNELS:
        band, pol = bands.index(name[2:-1]), name[-1]
        layers[name] = WATER[pol][band] + sic * (ICE[pol][band] - WATER[pol][band])
    return layers


def plane(row, column):
    """x and y, m, of places on a scene in the central Arctic, turned by 20 degrees."""
    turned = np.radians(20)
    x = 300e3 + 1e3 * CELL * (np.cos(turned) * column - np.sin(turned) * row)
    y = 400e3 - 1e3 * CELL * (np.sin(turned) * column + np.cos(turned) * row)
    return x, y


def positions(row, column):
    """Latitude and longitude, degrees, of places on the scene."""
    back = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(*plane(row, column))
    return latitude, longitude


def grid_positions(rows=ROWS, columns=COLUMNS):
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    return positions(row, column)


def scene_of(sic, *, with_positions=True, time="2021-03-01 05:00"):
    """A scene as a file of DMI holds it."""
    layers = {spelled(k): (("y", "x"), v.astype(np.float32)) for k, v in brightness(sic).items()}
    scene = xr.Dataset(layers, attrs={"time": time, "comment": "cells of 2000 m"})
    if with_positions:
        latitude, longitude = grid_positions(*sic.shape)
        scene = scene.assign_coords(
            latitude=(("y", "x"), latitude), longitude=(("y", "x"), longitude)
        )
    return scene
