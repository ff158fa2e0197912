"""QGIS styles of rasters, GDAL's auxiliary files, and QGIS projects of one or many days.

A project names its files relative to itself and repeats the styles stored next to the rasters.

Source: QGIS 3.22: layer style files (.qml), project files (.qgz: a zip of one .qgs document), layer
definitions with renderer "singleSymbol" and labelling "simple".
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

from seaice.product.folder import add_suffix
from seaice.product.style import RGB, ColourStop, Style
from seaice.retrieval.flags import Flag

__all__ = [
    "ProjectDay",
    "line_labels",
    "line_symbol",
    "write_project",
    "write_projection",
    "write_qml",
]


def write_qml(style: Style, path: Path) -> None:
    """Write the style file that QGIS applies automatically to the raster of the same name.

    Source: layer style files of QGIS 3.22, renderers "singlebandpseudocolor" and "paletted".
    """
    qgis = Element(
        "qgis", version="3.22.0", styleCategories="Symbology", hasScaleBasedVisibilityFlag="0"
    )
    pipe = SubElement(qgis, "pipe")
    pipe.append({"ramp": _ramp, "classes": _classes}[style.kind](style))
    SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    SubElement(pipe, "rasterresampler", maxOversampling="2")
    SubElement(qgis, "blendMode").text = "0"
    _write_xml(qgis, path)


def write_projection(crs: str, path: Path, legend: Sequence[ColourStop] = ()) -> None:
    """Write GDAL's auxiliary file of a raster (its name and ".aux.xml") with the full projection.

    For classes, `legend` becomes a raster attribute table with the meaning of each value.

    An older PROJ (9.1, as in Debian 12) treats EPSG:3411 and 3412 as deprecated; GDAL then reads
    their codes in a GeoTIFF as EPSG:3413 and 3976, with another ellipsoid, and cells move by up to
    0.15 km. A projection written in full is not replaced.

    Source: GDAL, "PAM - Persistent Auxiliary Metadata", elements SRS and GDALRasterAttributeTable.
    """
    document = Element("PAMDataset")
    SubElement(document, "SRS", dataAxisToSRSAxisMapping="1,2").text = CRS(crs).to_wkt("WKT1_GDAL")
    # With a projection in the auxiliary file, GDAL does not read this from the raster either.
    SubElement(SubElement(document, "Metadata"), "MDI", key="AREA_OR_POINT").text = "Area"
    if legend:
        SubElement(document, "PAMRasterBand", band="1").append(_table(legend))
    _write_xml(document, path)


def _table(legend: Sequence[ColourStop]) -> Element:
    """Value, meaning and colour of each class; codes are GDALRATFieldType and GDALRATFieldUsage."""
    table = Element("GDALRasterAttributeTable", tableType="thematic")
    whole, text = "0", "2"
    columns = (
        ("Value", whole, "5"),
        ("Meaning", text, "2"),
        *(
            (colour, whole, usage)
            for colour, usage in (("Red", "6"), ("Green", "7"), ("Blue", "8"))
        ),
    )
    for index, (name, kind, usage) in enumerate(columns):
        column = SubElement(table, "FieldDefn", index=str(index))
        for tag, content in (("Name", name), ("Type", kind), ("Usage", usage)):
            SubElement(column, tag).text = content
    for index, stop in enumerate(legend):
        row = SubElement(table, "Row", index=str(index))
        for content in (f"{stop.value:g}", stop.label, *map(str, stop.colour)):
            SubElement(row, "F").text = content
    return table


def _ramp(style: Style) -> Element:
    first, last = (f"{stop.value:g}" for stop in (style.stops[0], style.stops[-1]))
    renderer = _renderer("singlebandpseudocolor", style)
    renderer.attrib |= {"classificationMin": first, "classificationMax": last}
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="1",
        minimumValue=first,
        maximumValue=last,
    )
    shader.extend([_color_entry("item", stop) for stop in style.stops])
    SubElement(shader, "rampLegendSettings", useContinuousLegend="0")
    return renderer


def _classes(style: Style) -> Element:
    renderer = _renderer("paletted", style)
    palette = SubElement(renderer, "colorPalette")
    palette.extend([_color_entry("paletteEntry", stop) for stop in style.stops])
    return renderer


def _renderer(kind: str, style: Style) -> Element:
    no_data = _hex_color(style.no_data) if style.no_data else ""
    renderer = Element(
        "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor=no_data
    )
    SubElement(renderer, "rasterTransparency")
    return renderer


def _color_entry(tag: str, stop: ColourStop) -> Element:
    return Element(
        tag, value=f"{stop.value:g}", color=_hex_color(stop.colour), label=stop.label, alpha="255"
    )


def _hex_color(colour: RGB) -> str:
    """A colour in the notation of QGIS.

    >>> _hex_color((8, 41, 88))
    '#082958'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _write_xml(root: Element, path: Path) -> None:
    """Write without an XML declaration: GDAL ignores auxiliary files that begin with one."""
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=False)


LABEL_ALONG_LINE = "2"  #: placement of a label: along its line


def line_symbol(colour: RGB, width: float) -> Element:
    """Symbol for lines of one colour; `width` in mm."""
    renderer = Element("renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
    symbols = SubElement(renderer, "symbols")
    symbol = SubElement(symbols, "symbol", type="line", name="0", alpha="1", clip_to_extent="1")
    layer = SubElement(symbol, "layer", {"class": "SimpleLine", "enabled": "1", "pass": "0"})
    properties = {
        "line_color": _rgba_color(colour),
        "line_width": f"{width:g}",
        "line_width_unit": "MM",
        "line_style": "solid",
        "capstyle": "round",
        "joinstyle": "round",
    }
    options = SubElement(layer, "Option", type="Map")
    for name, value in properties.items():
        SubElement(options, "Option", name=name, type="QString", value=value)
    return renderer


def line_labels(field: str, colour: RGB) -> Element:
    """Labels along lines, one a line, with the text of `field`."""
    labelling = Element("labeling", type="simple")
    settings = SubElement(labelling, "settings")
    style = SubElement(
        settings,
        "text-style",
        fieldName=field,
        fontSize="7",
        fontSizeUnit="Point",
        textColor=_rgba_color(colour),
    )
    SubElement(
        style, "text-buffer", bufferDraw="1", bufferSize="0.6", bufferColor="255,255,255,255"
    )
    SubElement(settings, "placement", placement=LABEL_ALONG_LINE, placementFlags="9")
    return labelling


def _rgba_color(colour: RGB) -> str:
    return ",".join(map(str, (*colour, 255)))


ZIP_TIME = (1980, 1, 1, 0, 0, 0)  #: constant, so that the same project gives the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectDay:
    """One product in a project."""

    stem: Path  #: path of its files without suffix
    date: date
    crs: str
    bounds: tuple[float, float, float, float]  #: left, bottom, right, top, m


@dataclass(frozen=True, slots=True, kw_only=True)
class _LayerType:
    """A layer that products can have."""

    name: str
    ending: str  #: suffix of its file
    title: str
    shown: bool  #: when the project is opened
    bit: int = 0  #: of a raster of classes, only classes with this bit are drawn
    table: str = ""  #: of a GeoPackage; empty for a raster
    colour: RGB = (0, 0, 0)  #: of lines
    width: float = 0.0  #: of lines, mm
    labels: str = ""  #: field with the labels of lines

    @property
    def provider(self) -> Literal["ogr", "gdal"]:
        return "ogr" if self.table else "gdal"


#: All layer types, from the top of the legend downwards.
LAYER_TYPES = (
    _LayerType(
        name="graticule", ending=".gpkg", table="graticule", title="graticule", shown=True,
        colour=(117, 128, 138), width=0.15, labels="label",
    ),
    _LayerType(
        name="ice_edge", ending=".gpkg", table="ice_edge", title="ice edge, 15 %", shown=True,
        colour=(214, 39, 40), width=0.5,
    ),
    _LayerType(name="land", ending="_flags.tif", bit=Flag.LAND, title="land and lakes", shown=True),
    _LayerType(
        name="flags", ending="_flags.tif", title="flags: why a cell has its value", shown=False,
    ),
    _LayerType(
        name="uncertainty", ending="_uncertainty.tif", shown=False,
        title="uncertainty, one standard deviation",
    ),
    _LayerType(name="raw", ending="_raw.tif", title="concentration before filters", shown=False),
    _LayerType(name="pd", ending="_pd.tif", title="polarization difference V - H, K", shown=False),
    _LayerType(name="tb89v", ending="_tb89v.tif", title="89 GHz V, K", shown=False),
    _LayerType(name="tb89h", ending="_tb89h.tif", title="89 GHz H, K", shown=False),
    _LayerType(name="sic", ending=".tif", title="concentration, %", shown=True),
)  # fmt: skip


def write_project(days: Sequence[ProjectDay], home: Path, path: Path) -> None:
    """Write a project of one product, or of many days of one place, newest on top.

    Each layer is visible on its day of the temporal controller, which is set to the range from the
    first to the last day in steps of a day.

    Parameters
    ----------
    days : at least one, of one projection; layers without a file are left out
    home : folder of the project: the product folder, or the parent of all product folders
    path : file to write
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
            group.append(_legend_entry(layer))
    root.extend([layers, _properties(ordered), _view(ordered), _times(ordered)])
    _write_archive(root, path)


def _layers(day: ProjectDay, home: Path) -> Iterator[Element]:
    for kind in LAYER_TYPES:
        file = add_suffix(day.stem, kind.ending)
        if file.exists():
            yield _layer(day, kind, file, home)


def _layer(day: ProjectDay, kind: _LayerType, file: Path, home: Path) -> Element:
    """One layer: file, projection, day and style."""
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
    """Rendering of a raster, from its style file; only classes with `bit`, if it is set."""
    pipe: Element = parse(style).getroot().find("pipe")
    for palette in pipe.iter("colorPalette") if bit else ():
        for entry in list(palette):
            if not int(entry.get("value", "0")) & bit:
                palette.remove(entry)
    return pipe


def _legend_entry(layer: Element) -> Element:
    """Legend entry of a layer."""
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
    """A projection as WKT and code: older PROJ versions replace the code by another ellipsoid."""
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


def _times(days: Sequence[ProjectDay]) -> Element:
    return _range(
        "ProjectTimeSettings", "TemporalRange", days[0].date, days[-1].date,
        timeStep="1", timeStepUnit="d", frameRate="2", cumulativeTemporalRange="0",
    )  # fmt: skip


def _view(days: Sequence[ProjectDay]) -> Element:
    """Initial map view: the union of all products."""
    settings = Element("ProjectViewSettings", UseProjectScales="0")
    lefts, bottoms, rights, tops = zip(*(day.bounds for day in days), strict=True)
    edges = {"xmin": min(lefts), "ymin": min(bottoms), "xmax": max(rights), "ymax": max(tops)}
    extent = {name: f"{edge:g}" for name, edge in edges.items()}
    _system(SubElement(settings, "DefaultViewExtent", extent), days[0].crs)
    return settings


def _properties(days: Sequence[ProjectDay]) -> Element:
    """Project properties: relative paths, projection on, temporal controller on."""
    properties = Element("properties")
    for section, name, kind, value in (
        ("Paths", "Absolute", "bool", "false"),
        ("SpatialRefSys", "ProjectionsEnabled", "int", "1"),
        ("TemporalControllerWidget", "NavigationMode", "int", "1"),
        ("TemporalControllerWidget", "StartDateTime", "QString", f"{days[0].date}T00:00:00Z"),
        ("TemporalControllerWidget", "EndDateTime", "QString", f"{days[-1].date}T23:59:59Z"),
    ):
        existing = properties.find(section)
        parent = SubElement(properties, section) if existing is None else existing
        SubElement(parent, name, type=kind).text = value
    return properties


def _write_archive(root: Element, path: Path) -> None:
    indent(root)
    document = BytesIO()
    ElementTree(root).write(document, encoding="utf-8", xml_declaration=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(f"{path.stem}.qgs", ZIP_TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, document.getvalue())
