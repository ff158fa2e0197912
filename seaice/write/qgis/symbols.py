"""How QGIS draws lines and what it writes on them.

Source: layer definitions of QGIS 3.22, renderer "singleSymbol" and labelling "simple".
"""

from xml.etree.ElementTree import Element, SubElement

from seaice.write.style import RGB

__all__ = ["line_labels", "line_symbol"]

ALONG = "2"  #: placement of a label: along its line


def line_symbol(colour: RGB, width: float) -> Element:
    """Lines of one colour; `width` in mm."""
    renderer = Element("renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
    symbols = SubElement(renderer, "symbols")
    symbol = SubElement(symbols, "symbol", type="line", name="0", alpha="1", clip_to_extent="1")
    drawn = SubElement(symbol, "layer", {"class": "SimpleLine", "enabled": "1", "pass": "0"})
    told = {
        "line_color": _code(colour),
        "line_width": f"{width:g}",
        "line_width_unit": "MM",
        "line_style": "solid",
        "capstyle": "round",
        "joinstyle": "round",
    }
    options = SubElement(drawn, "Option", type="Map")
    for name, value in told.items():
        SubElement(options, "Option", name=name, type="QString", value=value)
    return renderer


def line_labels(field: str, colour: RGB) -> Element:
    """Labels along lines, once a line, as `field` tells."""
    labelling = Element("labeling", type="simple")
    settings = SubElement(labelling, "settings")
    style = SubElement(
        settings,
        "text-style",
        fieldName=field,
        fontSize="7",
        fontSizeUnit="Point",
        textColor=_code(colour),
    )
    SubElement(
        style, "text-buffer", bufferDraw="1", bufferSize="0.6", bufferColor="255,255,255,255"
    )
    SubElement(settings, "placement", placement=ALONG, placementFlags="9")
    return labelling


def _code(colour: RGB) -> str:
    return ",".join(map(str, (*colour, 255)))
