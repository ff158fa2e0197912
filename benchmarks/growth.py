"""How cost grows with granules, map area, frames and width: one plot each in docs/pictures.

A line through the points on logarithmic axes; a slope of 1 grows as its work does.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.measure import Row, Taken, interleaved, peak
from seaice.grid.definition import NORTH
from seaice.grid.resample import grid_day
from seaice.network.catalogue import build
from tests.granules import make_swath

PICTURES = Path("docs/pictures")
DAY = date(2020, 3, 3)
Ways = dict[float, Callable[[], object]]


def granules() -> Ways:
    """Gridding so many granules, all channels, on the north; the map itself is made once."""
    swath = make_swath(500, phase=1000.0)
    return {n: lambda n=n: grid_day([swath] * n, NORTH, DAY) for n in (1, 2, 4, 8)}


def area() -> Ways:
    """Super-resolution of squares, million refined cells."""
    return {
        side**2 * 16 / 1e6: refining(5, 24, side, "deformable") for side in (48, 72, 104, 152, 208)
    }


def frames() -> Ways:
    """Super-resolution of so many days."""
    return {n: refining(n, 24, 96, "deformable") for n in (1, 3, 5, 7)}


def width() -> Ways:
    """Super-resolution as wide; work is width squared."""
    return {n: refining(5, n, 64, "deformable") for n in (16, 24, 32, 48, 64)}


def refining(days: int, wide: int, side: int, alignment: str) -> Callable[[], object]:
    """A run of the super-resolution network, float32."""
    hyper = {"frames": days, "width": wide, "groups": 4, "extract_blocks": 2}
    sizes = hyper | {"reconstruct_blocks": 8, "tail": 16, "alignment": alignment}
    network = build("pmdrnet", sizes).eval().to(memory_format=torch.channels_last)
    given = torch.randn(1, days, 11, side, side)

    @torch.inference_mode()
    def run() -> object:
        return network(given)

    return run


#: what grows, its axis, and the power of it that the work is
GROWING: Mapping[str, tuple[Callable[[], Ways], str, float]] = {
    "granules": (granules, "granules of 500 scans", 1.0),
    "area": (area, "million refined cells", 1.0),
    "frames": (frames, "frames", 1.0),
    "width": (width, "channels of the network", 2.0),
}


def rows(runs: int) -> Iterator[Row]:
    """A line and a picture for everything that grows."""
    for name, (ways, axis, power) in GROWING.items():
        named = {str(size): way for size, way in ways().items()}
        taken = {float(size): each for size, each in interleaved(named, max(runs // 2, 1)).items()}
        sizes, seconds = list(taken), [each.cpu for each in taken.values()]
        steepest = float(np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0])
        draw(name, axis, (sizes, seconds), power)
        last: Taken = taken[sizes[-1]]
        yield Row(
            subject="growth",
            what=f"with {name}",
            sizes=f"{axis}: {', '.join(f'{size:.3g}' for size in sizes)}",
            ours=last,
            peak=peak(),
            note=f"cost grows as its {steepest:.2f}th power (last three sizes), work as its {power:.0f}.",
        )


def draw(name: str, axis: str, points: tuple[list[float], list[float]], power: float) -> None:
    """Seconds over size, with a line of the work's slope through the largest."""
    sizes, seconds = points
    figure = Figure(figsize=(4.5, 3.4), layout="constrained")
    plot = figure.subplots()
    work = [seconds[-1] * (size / sizes[-1]) ** power for size in sizes]
    plot.loglog(sizes, work, color="0.7", linestyle="--", label="as the work")
    plot.loglog(sizes, seconds, color="#1f5a8a", marker="o", label="measured")
    plot.set_xlabel(axis)
    plot.set_ylabel("processor time, s")
    ticks = [f"{size:.3g}" for size in sizes]
    plot.set_xticks(sizes, ticks)
    plot.minorticks_off()
    plot.legend(frameon=False)
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"bench_{name}.png", dpi=110)
