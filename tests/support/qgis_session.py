"""Run by the Python that QGIS belongs to: opens rasters, says what QGIS made of them.

    python3 qgis_session.py OUT FRACTION RASTER...

Each raster is drawn into OUT as a PNG of FRACTION times as many pixels a side as it has cells,
upon magenta, which no style holds. What else there is to say is printed as JSON.
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsLayerTreeModel,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor


def said(raster, out, fraction):
    """What QGIS reads in one raster; every object of QGIS ends with this function."""
    layer = QgsRasterLayer(str(raster), raster.stem)
    project = QgsProject.instance()
    project.addMapLayer(layer)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(round(layer.width() * fraction), round(layer.height() * fraction)))
    settings.setBackgroundColor(QColor("magenta"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    picture = out / f"{raster.stem}.png"
    job.renderedImage().save(str(picture))
    tree = QgsLayerTreeModel(project.layerTreeRoot())
    nodes = tree.layerLegendNodes(project.layerTreeRoot().findLayer(layer))
    answer = {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "ellipsoid": layer.crs().ellipsoidAcronym(),
        "renderer": layer.renderer().type(),
        "picture": str(picture),
        "shown": [str(node.data(Qt.DisplayRole)) for node in nodes],
        "legend": [
            (label, colour.getRgb()) for label, colour in layer.renderer().legendSymbologyItems()
        ],
    }
    project.clear()
    return answer


def main(out, fraction, *rasters):
    application = QgsApplication([], False)
    application.initQgis()
    print(json.dumps([said(Path(name), Path(out), float(fraction)) for name in rasters]))
    application.exitQgis()


if __name__ == "__main__":
    main(*sys.argv[1:])
