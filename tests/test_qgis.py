"""Rasters as QGIS opens them without manual settings."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from seaice.product.folder import write_product
from seaice.product.netcdf_zarr import round_values
from seaice.product.style import LAND_COLOUR, NO_DATA_COLOUR, PERCENT_RAMP, UNCERTAINTY_RAMP
from seaice.retrieval.flags import Flag
from tests.support.products import made_product

pytestmark = pytest.mark.desktop

PYTHON = "/usr/bin/python3"  # QGIS comes with the system's Python and speaks to no other
SESSION = Path(__file__).parent.joinpath("support", "qgis_session.py")
KINDS = ("percent", "float", "raw", "uncertainty", "flags", "tb89h", "tb89v", "pd")
KNOWN = {0.0: (120, 10), 0.15: (120, 11), 0.5: (120, 12), 1.0: (120, 13)}  #: SIC: (row, column)
IN_LAND, IN_COAST, IN_GAP, IN_BOTH = (30, 40), (60, 50), (105, 110), (60, 70)
ROUNDING = 3  # of 255: the ramp has bends that the legend's tenths pass by


@pytest.fixture(scope="module", autouse=True)
def _qgis():
    asked = [PYTHON, "-c", "import qgis.core"]
    if not Path(PYTHON).exists() or subprocess.run(asked, capture_output=True).returncode:
        pytest.skip(f"{PYTHON} cannot import qgis: install Debian's python3-qgis to see the map")


def opened(product, folder, fraction):
    """The rasters of a product as QGIS sees them: what it says, and `pixels`, (y, x, 3)."""
    files = write_product(product, folder / "product", ("geotiff",))
    rasters = [folder / "product" / file.name for file in files if file.name.endswith(".tif")]
    done = subprocess.run(
        [PYTHON, str(SESSION), str(folder), str(fraction), *map(str, rasters)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    layers = {}
    for layer in json.loads(done.stdout):
        kind = Path(layer["picture"]).stem.rpartition("_")[2]
        layer["pixels"] = np.rint(imread(layer["picture"])[..., :3] * 255).astype(int)
        layer["colours"] = {label: tuple(colour[:3]) for label, colour in layer["legend"]}
        layers[kind if kind in KINDS else "percent"] = layer
    return layers


@pytest.fixture(scope="module", params=["north", "south"])
def seen(request, tmp_path_factory):
    product = made_product(request.param)
    for value, cell in KNOWN.items():
        product["sic"].values[cell] = value
    product["status_flag"].values[IN_BOTH] |= Flag.SINGLE_OVERPASS
    layers = opened(product, tmp_path_factory.mktemp("qgis"), fraction=3)
    for layer in layers.values():
        layer["pixels"] = layer["pixels"][1::3, 1::3]  # one a cell, clear of its edges
    return product, layers


def ramp(stops, values):
    """Colours straight between stops, (y, x, 3)."""
    at, colours = zip(*stops, strict=True)
    return np.stack([np.interp(values, at, band) for band in np.transpose(colours)], axis=-1)


def test_every_raster_opens_in_the_projection_of_the_product(seen):
    product, layers = seen
    assert set(layers) == set(KINDS)
    for layer in layers.values():
        assert layer["valid"]
        assert layer["crs"] == {"north": "EPSG:3411", "south": "EPSG:3412"}[product.hemisphere]
        assert "WGS84" not in layer["ellipsoid"]


def test_every_raster_finds_its_own_style(seen):
    _, layers = seen
    assert {kind: layer["renderer"] for kind, layer in layers.items()} == {
        "percent": "singlebandpseudocolor",
        "float": "singlebandpseudocolor",
        "raw": "singlebandpseudocolor",
        "uncertainty": "singlebandpseudocolor",
        "flags": "paletted",
        "tb89h": "singlebandpseudocolor",
        "tb89v": "singlebandpseudocolor",
        "pd": "singlebandpseudocolor",
    }


def test_known_cells_have_the_colour_that_the_legend_gives_them(seen):
    _, layers = seen
    percent, fraction = layers["percent"], layers["float"]
    for value, cell in KNOWN.items():
        assert tuple(percent["pixels"][cell]) == percent["colours"][f"{value * 100:g} %"]
        assert tuple(fraction["pixels"][cell]) == fraction["colours"][f"{value:g}"]
    assert tuple(percent["pixels"][KNOWN[0.0]]) == (8, 41, 88)
    assert tuple(percent["pixels"][KNOWN[1.0]]) == (255, 255, 255)
    assert tuple(percent["pixels"][IN_LAND]) == percent["colours"]["land"] == LAND_COLOUR
    assert tuple(percent["pixels"][IN_GAP]) == percent["colours"]["no data"] == NO_DATA_COLOUR
    for kind in ("float", "uncertainty"):
        for cell in (IN_LAND, IN_GAP):
            assert tuple(layers[kind]["pixels"][cell]) == NO_DATA_COLOUR
        assert layers[kind]["colours"]["land or no data"] == NO_DATA_COLOUR


def test_the_whole_map_is_the_product_in_the_colours_of_the_ramp(seen):
    product, layers = seen
    written = round_values(product)  # before a half percent is rounded to one side or the other
    sic, std = written["sic"].values, written["sic_uncertainty"].values
    sea = np.isfinite(sic)
    pixels = layers["percent"]["pixels"]
    whole = ramp(PERCENT_RAMP, np.rint(sic * 100))
    np.testing.assert_allclose(pixels[sea], whole[sea], atol=ROUNDING)
    flags = product["status_flag"].values
    assert (pixels[flags == Flag.LAND] == LAND_COLOUR).all()
    assert (pixels[flags == Flag.NO_INPUT] == NO_DATA_COLOUR).all()
    fine = ramp(PERCENT_RAMP, sic * 100)
    np.testing.assert_allclose(layers["float"]["pixels"][sea], fine[sea], atol=ROUNDING)
    violet = ramp(UNCERTAINTY_RAMP, std)
    np.testing.assert_allclose(layers["uncertainty"]["pixels"][sea], violet[sea], atol=1)


def test_flags_are_read_off_the_legend(seen):
    _, layers = seen
    flags = layers["flags"]
    assert flags["shown"][1:] == list(flags["colours"])
    assert flags["shown"][1:] == ["no flag", "land", "coast", "no input", "coast + single overpass"]
    named = {colour: label for label, colour in flags["colours"].items()}
    cells = {"land": IN_LAND, "coast": IN_COAST, "no input": IN_GAP, "no flag": KNOWN[0.5]}
    for label, cell in {**cells, "coast + single overpass": IN_BOTH}.items():
        assert named[tuple(flags["pixels"][cell])] == label


def test_legends_read_as_an_ice_chart(seen):
    _, layers = seen
    percents = [f"{value} %" for value in (0, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100)]
    assert layers["percent"]["shown"][1:] == [*percents, "land", "no data"]
    assert layers["percent"]["shown"][0].startswith("Band 1: sea-ice concentration")
    assert layers["flags"]["shown"][0].startswith("Band 1: why a cell has its value")
    assert layers["uncertainty"]["shown"][1] == "± 0"
    assert layers["uncertainty"]["shown"][-1] == "land or no data"


def test_zoomed_out_nothing_is_shown_that_no_cell_holds(tmp_path):
    """Land and no data, 254 and 255 in the bytes, may never be averaged into concentration."""
    product = made_product(side=(300, 280))
    flags, sic = product["status_flag"].values, product["sic"].values
    rows, columns = np.indices(flags.shape)
    flags[(rows // 7 + columns // 5) % 3 == 0] = Flag.LAND
    flags[(rows // 11 + columns // 13) % 5 == 0] = Flag.NO_INPUT
    sic[...] = np.where(flags & (Flag.LAND | Flag.NO_INPUT), np.nan, np.where(rows < 600, 1, 0))
    layers = opened(product, tmp_path, fraction=1 / 8)
    assert layers["percent"]["pixels"].shape == (150, 140, 3)
    expected = {(8, 41, 88), (255, 255, 255), LAND_COLOUR, NO_DATA_COLOUR}
    assert colours_in(layers["percent"]) == expected
    assert colours_in(layers["flags"]) == {*layers["flags"]["colours"].values()}
    upper, lower = layers["percent"]["pixels"][:74], layers["percent"]["pixels"][76:]
    assert not (upper == (8, 41, 88)).all(axis=-1).any()
    assert not (lower == 255).all(axis=-1).any()


def colours_in(layer):
    return {tuple(pixel) for pixel in layer["pixels"].reshape(-1, 3)}
