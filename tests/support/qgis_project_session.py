"""Run by the Python that QGIS belongs to: opens a project, draws each of its layers alone.

    python3 qgis_project_session.py OUT FRACTION PROJECT

Each layer is drawn into OUT upon magenta, FRACTION pixels a side of a cell of 1562.5 m, and once
more in the time of the project's first and last second. What there is to say is printed as JSON.
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsDateTimeRange,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor

CELL = 1562.5


def drawn(layers, project, path, fraction, moment=None):
    extent = project.viewSettings().defaultViewExtent()
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(project.crs())
    settings.setExtent(extent)
    sides = (round(side / CELL * fraction) for side in (extent.width(), extent.height()))
    settings.setOutputSize(QSize(*sides))
    settings.setBackgroundColor(QColor("magenta"))
    if moment:
        at = QDateTime.fromString(moment, Qt.ISODate)
        settings.setIsTemporal(True)
        settings.setTemporalRange(QgsDateTimeRange(at, at))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(path))
    return str(path)


def said(out, fraction, path):
    """What QGIS reads in the project; every object of QGIS ends with this function."""
    project = QgsProject.instance()
    opened = project.read(str(path))
    nodes = project.layerTreeRoot().findLayers()
    span = project.timeSettings().temporalRange()
    moments = [each.toString(Qt.ISODate) for each in (span.begin(), span.end())]
    shown = [node.layer() for node in nodes if node.isVisible()]
    answer = {
        "opened": opened,
        "crs": project.crs().authid(),
        "moments": moments,
        "step": [project.timeSettings().timeStep(), project.timeSettings().timeStepUnit()],
        "navigation": project.readNumEntry("TemporalControllerWidget", "/NavigationMode")[0],
        "played": [
            drawn(shown, project, out / f"played_{at}.png", fraction, moment)
            for at, moment in enumerate(moments)
        ],
        "whole": drawn(shown, project, out / "whole.png", fraction),
        "layers": {
            node.layerId(): {
                "name": node.name(),
                "shown": node.isVisible(),
                "valid": node.layer().isValid(),
                "crs": node.layer().crs().authid(),
                "ellipsoid": node.layer().crs().ellipsoidAcronym(),
                "picture": drawn([node.layer()], project, out / f"{node.layerId()}.png", fraction),
            }
            for node in nodes
            if node.layer()
        },
    }
    project.clear()
    return answer


def main(out, fraction, path):
    application = QgsApplication([], False)
    application.initQgis()
    print(json.dumps(said(Path(out), float(fraction), Path(path))))
    application.exitQgis()


if __name__ == "__main__":
    main(*sys.argv[1:])
