"""The page of a paper: widths, letters, and how a figure is saved.

Source: IEEE, "Preparation of Papers for IEEE Transactions and Journals": one column 3.5 in, two
7.16 in; labels in 8-point Times, quantities with units in parentheses, captions in the text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from seaice.files import atomic_file

__all__ = ["INCHES", "LETTERS", "Width", "panel", "save", "typeset"]

Width = Literal["column", "page"]
INCHES: dict[Width, float] = {"column": 3.5, "page": 7.16}
DOTS = 600  #: an inch, of a PNG
#: Times by the names it goes by; the last comes with matplotlib and has the same shapes
LETTERS = ("Times New Roman", "Times", "Nimbus Roman", "Liberation Serif", "STIXGeneral")
POINTS = 8
ENDINGS = (".pdf", ".png")


@contextmanager
def typeset() -> Iterator[None]:
    """Within this block matplotlib draws as the journal asks."""
    there = {font.name for font in mpl.font_manager.fontManager.ttflist}
    told: dict[Any, Any] = {
        "font.family": [name for name in LETTERS if name in there],
        "mathtext.fontset": "stix",
        "font.size": POINTS,
        "axes.labelsize": POINTS,
        "axes.titlesize": POINTS,
        "xtick.labelsize": POINTS,
        "ytick.labelsize": POINTS,
        "legend.fontsize": POINTS,
        "axes.linewidth": 0.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "lines.linewidth": 1.0,
        "pdf.fonttype": 42,  # letters stay letters, which publishers ask for
        "savefig.pad_inches": 0.02,
    }
    with mpl.rc_context(told):
        yield


def panel(number: int) -> str:
    """The letter of a part of a figure.

    >>> panel(0), panel(1)
    ('(a)', '(b)')
    """
    return f"({chr(ord('a') + number)})"


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PDF and as PNG of 600 dots an inch; the same bytes for the same figure.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    paths = []
    for ending in ENDINGS:
        path = stem.with_name(stem.name + ending)
        about = {"CreationDate": None} if ending == ".pdf" else {"Software": "seaice"}
        with atomic_file(path) as part:
            figure.savefig(part, dpi=DOTS, metadata=about)
        paths.append(path)
    return paths
