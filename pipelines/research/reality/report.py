"""The tables of docs/reality.md."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pipelines.research.reality.lines import Line, summary
from pipelines.research.reality.lines import table as lines_table
from pipelines.research.reality.points import CLOUD, LEVELS, VAPOUR
from pipelines.research.reality.spectra import BANDS_KM
from seaice.errors import NoInputError

__all__ = ["filled", "tables"]

Table = Mapping[str, Any]
SURFACES = ("water", "ice north", "ice winter", "ice spring", "ice summer", "ice south")
AIR = ("vapour", "liquid")
SPECTRA = {
    "sea": "P of open water, K",
    "sic pack": "concentration, pack",
    "asi pack": "... as ASI finds it",
    "sic edge": "concentration, edge",
    "asi edge": "... as ASI finds it",
}


def filled(page: str, parts: Mapping[str, str]) -> str:
    """A page whose marked places hold new tables.

    Parameters
    ----------
    page : Markdown with `<!-- table NAME -->` and `<!-- end -->`
    parts : Markdown for each name

    Raises
    ------
    NoInputError
        If the page lacks a place.

    >>> filled("a <!-- table x -->old<!-- end --> b", {"x": "new"})
    'a <!-- table x -->\\nnew\\n<!-- end --> b'
    """
    for name, part in parts.items():
        place = re.compile(rf"(<!-- table {name} -->).*?(<!-- end -->)", re.DOTALL)
        if not place.search(page):
            raise NoInputError(
                f"no place for the table {name!r} on the page",
                f"the marks <!-- table {name} --> and <!-- end -->",
                "restore them, or take the page from the repository",
            )
        page = place.sub(rf"\g<1>\n{part}\n\g<2>", page)
    return page


def tables(real: Table, simulated: Table, found: Sequence[Line]) -> dict[str, str]:
    """Every table by its name on the page."""
    outside = sorted((x for x in found if not x.within), key=lambda x: -x.excess)
    return {
        "verdict": summary(found),
        "outside": lines_table(outside) if outside else "All lines are within range.",
        "lines": lines_table(found),
        "percentiles": _percentiles(real, simulated),
        "weather": _weather(real, simulated),
        "air": _air(real, simulated),
        "filters": _filters(real, simulated),
        "spectra": _spectra(real, simulated),
        "noise": _noise(real, simulated),
        "asi": _asi(real),
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percentiles(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                cells = [f"{x:.1f}" for x in table[name]["percentiles"]["pd"]]
                middle = [f"{table[name]['percentiles'][c][3]:.0f}" for c in ("tb89v", "tb89h")]
                count = str(table[name]["samples"])
                correlation = f"{table[name]['correlation']:.2f}"
                rows.append([name, side, count, *cells, *middle, correlation])
    heads = ("surface", "side", "samples", *(f"{x} %" for x in LEVELS), "V", "H", "V-H corr.")
    return _table(heads, rows)


def _weather(real: Table, simulated: Table) -> str:
    rows = []
    for kind, edges in (("vapour", VAPOUR), ("cloud", CLOUD)):
        for k, (low, high) in enumerate(pairwise(edges)):
            cells = [
                "-"
                if not t[s][kind][k]
                else f"{t[s][kind][k]['mean']:.1f} ± {t[s][kind][k]['spread']:.1f}"
                for s in ("water", "ice north")
                for t in (real, simulated)
            ]
            rows.append([f"{kind} {_span(low, high)}", *cells])
    heads = ("kg m-2", "water real", "water simulated", "ice real", "ice simulated")
    return _table(heads, rows)


def _air(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                one = table[name]["percentiles"]
                cells = [" / ".join(f"{one[n][k]:.3g}" for k in (1, 3, 5)) for n in AIR]
                rows.append([name, side, *cells])
    return _table(("samples of", "side", *(f"{n} kg m-2, 5/50/95 %" for n in AIR)), rows)


def _span(low: float, high: float) -> str:
    return f"over {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _filters(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                one = table[name]["percentiles"]
                ends = [
                    " / ".join(f"{one[r][k]:.3f}" for k in (1, 3, 5))
                    for r in ("gr_cloud", "gr_vapour")
                ]
                rows.append([name, side, *ends, f"{100 * table[name]['filtered']:.2f}"])
    heads = (
        "surface",
        "side",
        "GR(36.5/18.7), 5/50/95 %",
        "GR(23.8/18.7), 5/50/95 %",
        "filtered %",
    )
    return _table(heads, rows)


def _spectra(real: Table, simulated: Table) -> str:
    rows = []
    for name, title in SPECTRA.items():
        for side, table in (("real", real), ("simulated", simulated)):
            if table.get(name):
                scale = 1.0 if name == "sea" else 100.0
                cells = [f"{scale * x:.2f}" for x in table[name]["spread"]]
                rows.append(
                    [
                        title,
                        side,
                        str(table[name]["windows"]),
                        *cells,
                        f"{table[name]['slope']:.1f}",
                    ]
                )
    return _table(("map", "side", "windows", *(f"{b:g} km" for b in BANDS_KM), "slope"), rows)


def _noise(real: Table, simulated: Table) -> str:
    rows = [
        [side, *(f"{table['noise'][name]:.2f}" for name in "VHP")]
        for side, table in (("real scene", real), ("simulated", simulated))
        if "noise" in table
    ]
    return _table(("side", "V, K", "H, K", "P, K"), rows)


def _asi(real: Table) -> str:
    rows = []
    for name in ("water north", "water south", "ice north", "ice south"):
        rows.append(_asi_row(name, "all", real[name]))
        for kind, edges in (("vapour", VAPOUR), ("cloud", CLOUD)):
            for one, (low, high) in zip(real[name][kind], pairwise(edges), strict=True):
                if one:
                    rows.append(_asi_row(name, f"{kind} {_span(low, high)}", one))
    heads = ("surface", "weather, kg m-2", "samples", "ASI", "ASI with weather filters")
    return _table(heads, rows)


def _asi_row(name: str, weather: str, one: Table) -> list[str]:
    cells = [f"{one['asi'][k][0]:+.1f} ± {one['asi'][k][1]:.1f}" for k in ("plain", "filtered")]
    return [name, weather, str(one["samples"]), *cells]
