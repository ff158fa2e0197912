"""The simulated days beside real observations: `make reality`.

Writes the tables of docs/reality.md and the pictures beside it. With files of real observations
their figures are derived anew; without, those that come with the project are used.
"""

import argparse
import time
from pathlib import Path

from pipelines.reality.pictures import draw
from pipelines.reality.report import filled, tables
from pipelines.reality.sides import (
    real_figures,
    renew,
    simulated_map_figures,
    simulated_point_figures,
)
from seaice.errors import SeaIceError
from seaice.files import atomic_file

PAGE = Path("docs/reality.md")
WORLDS = 4  #: of each month; more narrow the sampling error of the simulated side


def main() -> None:
    """Compare, and say where the tables are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rrdp", type=Path, help="Round Robin Data Package samples, NetCDF")
    parser.add_argument(
        "--scene", type=Path, help="one scene of all channels on 2 km cells, NetCDF"
    )
    parser.add_argument("--maps", type=Path, nargs="+", default=[], help="Bremen ASI maps, NetCDF")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page whose tables are filled")
    told = parser.parse_args()
    try:
        compared(told.page, told.rrdp, told.scene, told.maps)
    except SeaIceError as error:
        raise SystemExit(str(error)) from error


def compared(page: Path, rrdp: Path | None, scene: Path | None, maps: list[Path]) -> None:
    """Make both sides' figures, fill the page, draw the pictures."""
    start = time.monotonic()
    if rrdp or scene or maps:
        renew(rrdp, scene, maps)
    real = real_figures()
    simulated = simulated_point_figures(real, WORLDS) | simulated_map_figures(WORLDS)
    text = filled(page.read_text(), tables(real, simulated))
    with atomic_file(page) as part:
        part.write_text(text)
    folder = page.parent / "pictures"
    folder.mkdir(exist_ok=True)
    draw(real, simulated, folder)
    print(f"{page} and {folder} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
