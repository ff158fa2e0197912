"""Sections of text, tables and pictures in; one HTML page that needs no other file out."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

from matplotlib.figure import Figure

__all__ = ["Picture", "Section", "Table", "drawn", "html_page"]

DOTS = 110  #: per inch
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 76rem;
       margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #c8d2dc; }
table { border-collapse: collapse; font-size: .82rem; display: block; overflow-x: auto;
        margin: .5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
td, th { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #e3e9ee;
         white-space: nowrap; }
td:first-child, th:first-child { text-align: left; } thead th { background: #eef3f7; }
small { color: #63717e; } figure { margin: 1rem 0 2rem; } img { max-width: 100%; }
figcaption { font-size: .9rem; color: #41505d; }
.alert { background: #fdecea; border-left: .3rem solid #b2182b; padding: .4rem .8rem; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells of text under headings."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure, the name of its file, and what it shows."""

    name: str
    figure: Figure
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report."""

    title: str
    says: tuple[str, ...] = ()  #: paragraphs
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    alerts: tuple[str, ...] = ()  #: paragraphs that nobody should miss


def drawn(sections: Sequence[Section]) -> dict[str, bytes]:
    """All pictures of a page as PNG, by name."""
    return {p.name: _png(p.figure) for section in sections for p in section.pictures}


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS)
    return stream.getvalue()


def html_page(title: str, sections: Sequence[Section], pictures: Mapping[str, bytes]) -> str:
    """The page with its pictures (see `drawn`) inside it.

    Whatever a text holds is shown as it is, never run.

    >>> "<script>" in html_page("a day", [Section(title="<script>")], {})
    False
    """
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [f'<p class="alert">{escape(alert)}</p>' for alert in section.alerts]
        parts += [f"<p>{escape(text)}</p>" for text in section.says]
        parts += [_table(table) for table in section.tables]
        parts += [_picture(picture, pictures[picture.name]) for picture in section.pictures]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _picture(picture: Picture, content: bytes) -> str:
    source = base64.b64encode(content).decode()
    return (
        f'<figure><img alt="{escape(picture.name)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{escape(picture.says)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_small(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _small(cell: str) -> str:
    """Intervals in small print."""
    return re.sub(r" (\(.* to .*\))", r"<br><small>\1</small>", escape(cell))
