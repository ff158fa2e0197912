"""Meridians and parallels: positions, labels, and clipping at the edges of the map."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from seaice.grid.grid import HEMISPHERES
from seaice.product.vectors import graticule

GRIDS = {
    "north": HEMISPHERES["north"],
    "south": HEMISPHERES["south"],
    "part": HEMISPHERES["north"].crop(slice(600, 700), slice(500, 620)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_every_line_is_at_the_angle_of_its_label(name):
    grid = GRIDS[name]
    lines, labels = graticule(grid)
    assert len(lines) > 5
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    for line, label in zip(lines, labels, strict=True):
        longitude, latitude = back.transform(*np.transpose(line.coords))
        labelled = int(label.rstrip("NSEW").rstrip("°")) * (-1 if label[-1] in "SW" else 1)
        if label[-1] in "NS":
            np.testing.assert_allclose(latitude, labelled, atol=0.02)  # chords of half a degree
        else:
            turned = (np.asarray(longitude) - labelled + 180) % 360 - 180
            np.testing.assert_allclose(turned, 0, atol=1e-6)


@pytest.mark.parametrize("name", GRIDS)
def test_no_line_leaves_the_map(name):
    grid = GRIDS[name]
    lines, _ = graticule(grid)
    assert shapely.box(*grid.bounds).buffer(1e-3).contains(shapely.multilinestrings(list(lines)))
