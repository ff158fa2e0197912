"""Folders of products in, one QGIS project out: layers in order, styled, dated, to be played.

A project names its files relative to itself. Styles are those that lie beside the rasters.

Source: project files of QGIS 3.22 (.qgz: a zip of one .qgs document).
"""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from defusedxml.ElementTree import parse
from pyproj import CRS

from seaice.sic.flags import Flag
from seaice.write.names import named
from seaice.write.qgis.symbols import line_labels, line_symbol
from seaice.write.style import RGB

__all__ = ["Day", "write_project"]

NOON_OF_ZIP = (1980, 1, 1, 0, 0, 0)  #: the same bytes whenever it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One product in a project."""

    stem: Path  #: of all its files
    date: date
    crs: str
    bounds: tuple[float, float, float, float]  #: left, bottom, right, top, m


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A layer that every product may have."""

    name: str
    ending: str  #: of its file
    title: str
    shown: bool  #: when the project is opened
    bit: int = 0  #: of a raster of classes, only those with this bit
    table: str = ""  #: of a GeoPackage
    colour: RGB = (0, 0, 0)  #: of lines
    width: float = 0.0  #: of lines, mm
    labels: str = ""  #: the field that lines bear

    @property
    def provider(self) -> Literal["ogr", "gdal"]:
        return "ogr" if self.table else "gdal"


#: From the top of the legend down.
KINDS = (
    _Kind(
        name="graticule", ending=".gpkg", table="graticule", title="graticule", shown=True,
        colour=(117, 128, 138), width=0.15, labels="label",
    ),
    _Kind(
        name="ice_edge", ending=".gpkg", table="ice_edge", title="ice edge, 15 %", shown=True,
        colour=(214, 39, 40), width=0.5,
    ),
    _Kind(name="land", ending="_flags.tif", bit=Flag.LAND, title="land and lakes", shown=True),
    _Kind(name="flags", ending="_flags.tif", title="flags: why a cell has its value", shown=False),
    _Kind(
        name="uncertainty", ending="_uncertainty.tif", shown=False,
        title="uncertainty, one standard deviation",
    ),
    _Kind(name="raw", ending="_raw.tif", title="concentration before filters", shown=False),
    _Kind(name="pd", ending="_pd.tif", title="polarization difference V - H, K", shown=False),
    _Kind(name="tb89v", ending="_tb89v.tif", title="89 GHz V, K", shown=False),
    _Kind(name="tb89h", ending="_tb89h.tif", title="89 GHz H, K", shown=False),
    _Kind(name="sic", ending=".tif", title="concentration, %", shown=True),
)  # fmt: skip


def write_project(days: Sequence[Day], home: Path, path: Path) -> None:
    """Write a project of one product, or of many days of one place, newest on top.

    Each day's layers are drawn in that day's frame of the time controller, which is set to run
    from the first day to the last in steps of a day.

    Parameters
    ----------
    days : at least one, of one projection; layers whose file is absent are left out
    home : the folder that the project will lie in: of the product, or above all of them
    path : where it is written
    """
    ordered = sorted(days, key=lambda day: day.date)
    root = Element("qgis", version="3.22.0", projectname=path.stem)
    SubElement(root, "title").text = path.stem
    root.append(_crs("projectCrs", ordered[0].crs))
    tree = SubElement(root, "layer-tree-group")
    layers = Element("projectlayers")
    for day in reversed(ordered):
        group = tree
        if len(ordered) > 1:
            group = SubElement(
                tree, "layer-tree-group",
                name=str(day.date), checked="Qt::Checked", expanded="0",
            )  # fmt: skip
        for layer in _layers(day, home):
            layers.append(layer)
            group.append(_entry(layer))
    root.extend([layers, _properties(ordered), _view(ordered), _times(ordered)])
    _write(root, path)


def _layers(day: Day, home: Path) -> Iterator[Element]:
    for kind in KINDS:
        file = named(day.stem, kind.ending)
        if file.exists():
            yield _layer(day, kind, file, home)


def _layer(day: Day, kind: _Kind, file: Path, home: Path) -> Element:
    """One layer: where its file is, its projection, its day and its look."""
    lines = kind.provider == "ogr"
    layer = Element(
        "maplayer", type="vector" if lines else "raster", hasScaleBasedVisibilityFlag="0"
    )
    if lines:
        layer.set("geometry", "Line")
    SubElement(layer, "id").text = f"{kind.name}_{day.date:%Y%m%d}"
    source = f"./{file.relative_to(home).as_posix()}"
    SubElement(layer, "datasource").text = source + (f"|layername={kind.table}" if lines else "")
    SubElement(layer, "layername").text = f"{kind.title} ({day.date})"
    layer.append(_crs("srs", day.crs))
    SubElement(layer, "provider", encoding="UTF-8").text = kind.provider
    layer.append(_range("temporal", "fixedRange", day.date, day.date, mode="0", enabled="1"))
    if lines:
        layer.append(line_symbol(kind.colour, kind.width))
        if kind.labels:
            layer.set("labelsEnabled", "1")
            layer.append(line_labels(kind.labels, kind.colour))
    else:
        layer.append(_pipe(file.with_suffix(".qml"), kind.bit))
    layer.set("shown", "Qt::Checked" if kind.shown else "Qt::Unchecked")
    return layer


def _pipe(style: Path, bit: int) -> Element:
    """How the raster beside this style is drawn; of classes only those with `bit`, if any."""
    pipe: Element = parse(style).getroot().find("pipe")
    for palette in pipe.iter("colorPalette") if bit else ():
        for entry in list(palette):
            if not int(entry.get("value", "0")) & bit:
                palette.remove(entry)
    return pipe


def _entry(layer: Element) -> Element:
    """The line of a layer in the legend."""
    return Element(
        "layer-tree-layer",
        id=layer.findtext("id", ""),
        name=layer.findtext("layername", ""),
        source=layer.findtext("datasource", ""),
        providerKey=layer.findtext("provider", ""),
        checked=layer.attrib.pop("shown"),
        expanded="0",
    )


def _crs(tag: str, crs: str) -> Element:
    element = Element(tag)
    _system(element, crs)
    return element


def _system(parent: Element, crs: str) -> None:
    """A projection spelt out: the code alone means another ellipsoid to an older PROJ."""
    system = SubElement(parent, "spatialrefsys")
    SubElement(system, "wkt").text = CRS(crs).to_wkt()
    SubElement(system, "srid").text = crs.partition(":")[2]
    SubElement(system, "authid").text = crs


def _range(tag: str, inside: str, first: date, last: date, **attributes: str) -> Element:
    """From the first second of a day to the last of another."""
    element = Element(tag, attributes)
    span = SubElement(element, inside)
    SubElement(span, "start").text = f"{first}T00:00:00Z"
    SubElement(span, "end").text = f"{last}T23:59:59Z"
    return element


def _times(days: Sequence[Day]) -> Element:
    return _range(
        "ProjectTimeSettings", "TemporalRange", days[0].date, days[-1].date,
        timeStep="1", timeStepUnit="d", frameRate="2", cumulativeTemporalRange="0",
    )  # fmt: skip


def _view(days: Sequence[Day]) -> Element:
    """Where the map is when the project opens: on all of the ground."""
    settings = Element("ProjectViewSettings", UseProjectScales="0")
    lefts, bottoms, rights, tops = zip(*(day.bounds for day in days), strict=True)
    edges = {"xmin": min(lefts), "ymin": min(bottoms), "xmax": max(rights), "ymax": max(tops)}
    extent = {name: f"{edge:g}" for name, edge in edges.items()}
    _system(SubElement(settings, "DefaultViewExtent", extent), days[0].crs)
    return settings


def _properties(days: Sequence[Day]) -> Element:
    """Paths that move with the folder, a projection, and a time controller that is on."""
    properties = Element("properties")
    for section, name, kind, value in (
        ("Paths", "Absolute", "bool", "false"),
        ("SpatialRefSys", "ProjectionsEnabled", "int", "1"),
        ("TemporalControllerWidget", "NavigationMode", "int", "1"),
        ("TemporalControllerWidget", "StartDateTime", "QString", f"{days[0].date}T00:00:00Z"),
        ("TemporalControllerWidget", "EndDateTime", "QString", f"{days[-1].date}T23:59:59Z"),
    ):
        found = properties.find(section)
        parent = SubElement(properties, section) if found is None else found
        SubElement(parent, name, type=kind).text = value
    return properties


def _write(root: Element, path: Path) -> None:
    indent(root)
    document = BytesIO()
    ElementTree(root).write(document, encoding="utf-8", xml_declaration=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        inside = zipfile.ZipInfo(f"{path.stem}.qgs", NOON_OF_ZIP)
        inside.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(inside, document.getvalue())
