"""Sections of text, tables and pictures in; report.html, report.md and scores.csv out."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from seaice.evaluate.records import Record, write_csv
from seaice.evaluate.tables import Table
from seaice.files import atomic_folder

__all__ = ["Picture", "Section", "write_report"]

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
"""


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


def write_report(
    folder: Path, title: str, sections: Sequence[Section], records: Sequence[Record]
) -> None:
    """A folder that holds this report and nothing else: HTML that needs no other file, Markdown
    with its pictures beside it, and every score in scores.csv.

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    pictures = {p.name: _png(p.figure) for section in sections for p in section.pictures}
    with atomic_folder(folder) as place:
        for name, content in pictures.items():
            (place / f"{name}.png").write_bytes(content)
        (place / "report.html").write_text(_html(title, sections, pictures), "utf-8")
        (place / "report.md").write_text(_markdown(title, sections), "utf-8")
        write_csv(records, place / "scores.csv")


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS)
    return stream.getvalue()


def _markdown(title: str, sections: Sequence[Section]) -> str:
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *section.says]
        for table in section.tables:
            lines = [table.heads, ("---",) * len(table.heads), *table.rows]
            rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            parts += [f"**{table.title}**", rows]
        parts += [f"![{p.name}]({p.name}.png)\n\n{p.says}" for p in section.pictures]
    return "\n\n".join(parts) + "\n"


def _html(title: str, sections: Sequence[Section], pictures: dict[str, bytes]) -> str:
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [f"<p>{escape(says)}</p>" for says in section.says]
        parts += [_html_table(table) for table in section.tables]
        for picture in section.pictures:
            source = base64.b64encode(pictures[picture.name]).decode()
            parts.append(
                f'<figure><img alt="{picture.name}" src="data:image/png;base64,{source}">'
                f"<figcaption>{escape(picture.says)}</figcaption></figure>"
            )
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _html_table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_small(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _small(cell: str) -> str:
    """Intervals in small print."""
    return re.sub(r" (\(.* to .*\))", r"<br><small>\1</small>", escape(cell))
