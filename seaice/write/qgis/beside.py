"""What QGIS looks for beside a raster: its style, and its projection where it would guess."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from pyproj import CRS

from seaice.write.style import RGB, Stop, Style

__all__ = ["write_projection", "write_qml"]


def write_qml(style: Style, path: Path) -> None:
    """Write the style that QGIS applies by itself to the raster of the same name.

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
    _write(qgis, path)


def write_projection(crs: str, path: Path, legend: Sequence[Stop] = ()) -> None:
    """Write GDAL's note beside a raster (its name and ".aux.xml") that spells out its projection.

    Where values are classes, `legend` says what each means, as a raster attribute table.

    The registry of an older PROJ (9.1, as in Debian 12) calls EPSG:3411 and 3412 deprecated; GDAL
    then reads their codes in a GeoTIFF as EPSG:3413 and 3976, another ellipsoid, and cells move by
    up to 0.15 km. What is spelt out is not replaced.

    Source: GDAL, "PAM - Persistent Auxiliary Metadata", elements SRS and GDALRasterAttributeTable.
    """
    note = Element("PAMDataset")
    SubElement(note, "SRS", dataAxisToSRSAxisMapping="1,2").text = CRS(crs).to_wkt("WKT1_GDAL")
    # Where the note gives the projection, GDAL no longer asks the raster for this either.
    SubElement(SubElement(note, "Metadata"), "MDI", key="AREA_OR_POINT").text = "Area"
    if legend:
        SubElement(note, "PAMRasterBand", band="1").append(_table(legend))
    _write(note, path)


def _table(legend: Sequence[Stop]) -> Element:
    """Value, meaning and colour of each class; the codes are GDAL's GDALRATFieldType and -Usage."""
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
        for tag, said in (("Name", name), ("Type", kind), ("Usage", usage)):
            SubElement(column, tag).text = said
    for index, stop in enumerate(legend):
        row = SubElement(table, "Row", index=str(index))
        for said in (f"{stop.value:g}", stop.says, *map(str, stop.colour)):
            SubElement(row, "F").text = said
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
    shader.extend([_entry("item", stop) for stop in style.stops])
    SubElement(shader, "rampLegendSettings", useContinuousLegend="0")
    return renderer


def _classes(style: Style) -> Element:
    renderer = _renderer("paletted", style)
    palette = SubElement(renderer, "colorPalette")
    palette.extend([_entry("paletteEntry", stop) for stop in style.stops])
    return renderer


def _renderer(kind: str, style: Style) -> Element:
    absent = _code(style.absent) if style.absent else ""
    renderer = Element(
        "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor=absent
    )
    SubElement(renderer, "rasterTransparency")
    return renderer


def _entry(tag: str, stop: Stop) -> Element:
    return Element(
        tag, value=f"{stop.value:g}", color=_code(stop.colour), label=stop.says, alpha="255"
    )


def _code(colour: RGB) -> str:
    """A colour as QGIS writes it.

    >>> _code((8, 41, 88))
    '#082958'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _write(root: Element, path: Path) -> None:
    """Without a declaration: GDAL passes over a note that begins with one."""
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=False)
