"""Sections of text, tables and pictures in; report.html, report.md and scores.csv out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seaice.evaluate.records import Record, write_csv
from seaice.files import atomic_folder
from seaice.page import Section, drawn, html_page

__all__ = ["write_report"]


def write_report(
    folder: Path,
    title: str,
    sections: Sequence[Section],
    records: Sequence[Record],
    texts: Mapping[str, str] | None = None,
) -> None:
    """A folder that holds this report and nothing else: HTML that needs no other file, Markdown
    with its pictures, and every score in scores.csv.

    Parameters
    ----------
    folder : replaced as a whole
    records : of scores.csv, which is left out where there are none
    texts : more files, name -> content

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    pictures = drawn(sections)
    with atomic_folder(folder) as place:
        for name, content in pictures.items():
            (place / f"{name}.png").write_bytes(content)
        (place / "report.html").write_text(html_page(title, sections, pictures), "utf-8")
        (place / "report.md").write_text(_markdown(title, sections), "utf-8")
        if records:
            write_csv(records, place / "scores.csv")
        for name, text in (texts or {}).items():
            (place / name).write_text(text, "utf-8")


def _markdown(title: str, sections: Sequence[Section]) -> str:
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *(f"**{alert}**" for alert in section.alerts)]
        parts += section.says
        for table in section.tables:
            lines = [table.heads, ("---",) * len(table.heads), *table.rows]
            rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            parts += [f"**{table.title}**", rows]
        parts += [f"![{p.name}]({p.name}.png)\n\n{p.says}" for p in section.pictures]
    return "\n\n".join(parts) + "\n"
