"""QGIS opens the GeoTIFF, finds its style file, and draws the colours of the style."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import binary_erosion

from seaice.product.geotiff import rasters, write_geotiff
from seaice.product.qgis import write_qml
from seaice.product.style import LAND_COLOUR, NO_DATA_COLOUR, colour_of
from tests.support.products import made_product

PYTHON = Path("/usr/bin/python3")  # Debian's, which is the one that knows QGIS
PAINT = """
import sys
from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

def paint(raster, picture):
    layer = QgsRasterLayer(raster, "map")
    assert layer.isValid()
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setExtent(layer.extent())
    settings.setDestinationCrs(layer.crs())
    settings.setOutputSize(QSize(layer.width(), layer.height()))
    settings.setBackgroundColor(QColor(255, 0, 255))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    print(layer.renderer().type())

application = QgsApplication([], False)
application.initQgis()
paint(sys.argv[1], sys.argv[2])
application.exitQgis()
"""


def qgis_is_here():
    if not PYTHON.exists():
        return False
    asked = subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True)
    return asked.returncode == 0


@pytest.mark.skipif(not qgis_is_here(), reason="Debian's python3-qgis is not installed")
def test_qgis_paints_water_ice_land_and_what_was_not_observed(tmp_path):
    product = made_product()
    raster = rasters(product)[""]
    write_geotiff(raster, product, tmp_path / "map.tif")
    write_qml(raster.style, tmp_path / "map.qml")
    result = subprocess.run(
        [PYTHON, "-c", PAINT, tmp_path / "map.tif", tmp_path / "map.png"],
        capture_output=True,
        text=True,
        env={"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)},
    )
    assert result.stdout.split() == ["singlebandpseudocolor"], result.stderr
    painted = np.rint(imread(tmp_path / "map.png")[..., :3] * 255)
    sic, flags = product["sic"].values, product["status_flag"].values
    for chosen, colour in (
        (sic == 0, colour_of(0)),
        (sic == 1, colour_of(100)),
        (flags == 1, LAND_COLOUR),
        (flags == 4, NO_DATA_COLOUR),
    ):
        inside = binary_erosion(chosen)  # a cell's rim may fall into its neighbour's pixel
        assert inside.any()
        assert (np.abs(painted[inside] - colour) <= 1).all()
