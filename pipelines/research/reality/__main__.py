"""Compare simulated days with real observations, line by line: `make reality`.

Prints every line with its verdict and a summary by group, writes them to docs/reality.md and
docs/reality.csv, and draws the pictures of the page. With a folder of real observations their
figures are derived from the files; without it the figures that come with the project are used.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.fields import draw_fields
from pipelines.research.reality.lines import as_csv, lines, summary
from pipelines.research.reality.pictures import draw
from pipelines.research.reality.report import filled, tables
from pipelines.research.reality.sides import Effort, real_figures, real_lines, renew, simulate
from seaice.errors import SeaIceError
from seaice.files import atomic_file

PAGE = Path("docs/reality.md")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of files with real observations")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose tables are written")
    options = parser.parse_args()
    try:
        compare(options.page, options.real)
    except SeaIceError as error:
        raise SystemExit(str(error)) from error


def compare(page: Path, folder: Path | None = None, effort: Effort | None = None) -> None:
    """Compute both sides, print the lines, write page, CSV and pictures.

    Parameters
    ----------
    page : Markdown with a place for every table; the CSV goes next to it
    folder : files of real observations to derive the real side from
    effort : how many simulated worlds
    """
    start = time.monotonic()
    scenes = renew(folder) if folder else {}
    real, kept = real_figures(), real_lines()
    simulated, figures, edges = simulate(real, kept, effort or Effort())
    found = lines(kept["figures"] | scenes, figures)
    for path, content in (
        (page.with_suffix(".csv"), as_csv(found)),
        (page, filled(page.read_text(), tables(real, simulated, found))),
    ):
        with atomic_file(path) as part:
            part.write_text(content)
    pictures = page.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    draw(real, simulated, pictures)
    draw_fields(edges, _distribution(real, simulated), pictures)
    print(as_csv(found, everything=True) + "\n" + summary(found))
    if not scenes:
        print("coasts, thin ice, most of land: only with a folder of real scenes (REAL=)")
    print(f"{page}, {page.with_suffix('.csv')}, {pictures}: {time.monotonic() - start:.0f} s")


def _distribution(
    real: Mapping[str, Any], simulated: Mapping[str, Any]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Fractions of the cells with ice by class of concentration, in winter and in summer."""
    found = {}
    for season in ("winter", "summer"):
        both = (np.array(side["distribution"][season], float)[1:] for side in (real, simulated))
        ours, theirs = (counts / counts.sum() for counts in both)
        found[season] = (ours, theirs)
    return found


if __name__ == "__main__":
    main()
