"""How concentration looks: one ramp for rasters, pictures and QGIS."""

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np

__all__ = ["LAND", "NO_DATA", "PERCENT_RAMP", "colour_table", "write_qml"]

LAND = 254  #: in the byte raster
NO_DATA = 255  #: in the byte raster
LAND_COLOUR = (150, 148, 143)

#: Percent and colour: dark blue water to white ice, as ice services draw it.
PERCENT_RAMP = (
    (0, (8, 41, 88)),
    (15, (19, 88, 150)),
    (40, (61, 142, 196)),
    (65, (133, 188, 220)),
    (85, (200, 224, 239)),
    (100, (255, 255, 255)),
)

Colour = tuple[int, int, int, int]


def colour_of(percent: float) -> tuple[int, int, int]:
    """The colour of a concentration, straight between the stops of the ramp.

    >>> colour_of(0), colour_of(100)
    ((8, 41, 88), (255, 255, 255))
    """
    stops, colours = zip(*PERCENT_RAMP, strict=True)
    red, green, blue = (
        int(np.rint(np.interp(percent, stops, channel))) for channel in np.transpose(colours)
    )
    return red, green, blue


def colour_table() -> dict[int, Colour]:
    """Colour of every value of the byte raster: 0-100 %, land; all else transparent."""
    table: dict[int, Colour] = dict.fromkeys(range(256), (0, 0, 0, 0))
    table |= {percent: (*colour_of(percent), 255) for percent in range(101)}
    table[LAND] = (*LAND_COLOUR, 255)
    return table


def write_qml(path: Path) -> None:
    """Write the QGIS style that belongs beside the byte raster of the same name.

    Source: layer style files of QGIS 3.22, single-band pseudocolour renderer.
    """
    qgis = Element(
        "qgis", version="3.22.0", styleCategories="Symbology", hasScaleBasedVisibilityFlag="0"
    )
    pipe = SubElement(qgis, "pipe")
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
        classificationMin="0",
        classificationMax=str(LAND),
    )
    SubElement(renderer, "rasterTransparency")
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="1",
        minimumValue="0",
        maximumValue=str(LAND),
        labelPrecision="0",
    )
    for percent in range(0, 101, 10):
        _item(shader, percent, colour_of(percent), f"{percent} %")
    _item(shader, LAND, LAND_COLOUR, "land")
    SubElement(shader, "rampLegendSettings", useContinuousLegend="0")
    SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    SubElement(pipe, "rasterresampler", maxOversampling="2")
    SubElement(qgis, "blendMode").text = "0"
    indent(qgis)
    ElementTree(qgis).write(path, encoding="utf-8", xml_declaration=True)


def _item(shader: Element, value: int, colour: tuple[int, int, int], label: str) -> None:
    code = "#{:02x}{:02x}{:02x}".format(*colour)
    SubElement(shader, "item", value=str(value), color=code, label=label, alpha="255")
