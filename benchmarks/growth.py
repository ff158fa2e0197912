"""How cost grows with granules, map area, frames and width: one plot each in docs/pictures.

The dashed line is the work: granules, or floating-point operations as PyTorch counts them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import torch
from matplotlib.figure import Figure
from tests.granules import make_swath
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row, interleaved, peak
from seaice.grid.grid import NORTH
from seaice.grid.gridding import grid_day
from seaice.models.registry import create_model

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
    network = create_model("pmdrnet", sizes).eval().to(memory_format=torch.channels_last)
    inputs = torch.randn(1, days, 11, side, side)

    @torch.inference_mode()
    def run() -> object:
        return network(inputs)

    return run


#: what grows, and its axis
GROWING: Mapping[str, tuple[Callable[[], Ways], str]] = {
    "granules": (granules, "granules of 500 scans"),
    "area": (area, "million refined cells"),
    "frames": (frames, "frames"),
    "width": (width, "channels of the network"),
}


def work_of(way: Callable[[], object], size: float) -> float:
    """Operations of a network; of anything else, its size."""
    with FlopCounterMode(display=False) as counter:
        way()
    return float(counter.get_total_flops()) or size


def rows(runs: int) -> Iterator[Row]:
    """A line and a picture for everything that grows."""
    for name, (ways, axis) in GROWING.items():
        result = ways()
        taken = interleaved({str(size): way for size, way in result.items()}, max(runs // 2, 1))
        sizes, seconds = list(result), [each.cpu for each in taken.values()]
        work = [work_of(way, size) for size, way in result.items()]
        draw(name, axis, sizes, seconds, work)
        times, more = seconds[-1] / seconds[0], work[-1] / work[0]
        yield Row(
            subject="growth",
            what=f"with {name}",
            sizes=f"{axis}: {', '.join(f'{size:.3g}' for size in sizes)}",
            ours=taken[str(sizes[-1])],
            peak=peak(),
            note=f"first to last: {more:.1f} times the work, {times:.1f} times the cost",
        )


def draw(name: str, axis: str, sizes: list[float], seconds: list[float], work: list[float]) -> None:
    """Seconds over size, and the work, scaled to meet them at the smallest size."""
    figure = Figure(figsize=(4.5, 3.4), layout="constrained")
    plot = figure.subplots()
    scaled = [seconds[0] * each / work[0] for each in work]
    plot.loglog(sizes, scaled, color="0.6", linestyle="--", label="as the work")
    plot.loglog(sizes, seconds, color="#1f5a8a", marker="o", label="measured")
    plot.set_xlabel(axis)
    plot.set_ylabel("processor time, s")
    plot.minorticks_off()
    plot.set_xticks(sizes, [f"{size:.2g}" for size in sizes])
    ends = [min(*scaled, *seconds), max(*scaled, *seconds)]
    ticks = [t * 10.0**n for n in range(-4, 4) for t in (1, 2, 5) if ends[0] / 2 < t * 10.0**n]
    ticks = [tick for tick in ticks if tick < 2 * ends[1]]
    plot.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    plot.legend(frameon=False)
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"bench_{name}.png", dpi=110)
