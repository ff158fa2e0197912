"""What fourteen years of both hemispheres would take: `make capacity`, from benchmarks/results.csv.

A plan on paper: costs of one day as they were measured, times days. Nothing was run at this size.
"""

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "costs", "main"]

RESULTS = Path(__file__).with_name("results.csv")
DAYS = 5000
SOUTH = (1328 * 1264) / (1792 * 1216)  #: cells of the south to those of the north
GRANULES = 29  #: a day
GPUS, CORES = 8, 200
GPU_RATE = 10e12  #: operations a second of the networks on one GPU: assumed, not measured
OPERATIONS = 10e12  #: of both networks over a northern map: 85 crops, by the rates measured
SHARE = 0.8  #: of a cluster's time that is work: assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Core seconds of one northern day, by what they go into."""

    reading: float
    gridding: float
    networks: float
    writing: float
    season: float
    input_gb: float
    output_gb: float  #: product and season

    @property
    def without_networks(self) -> float:
        """What no GPU takes over, core s."""
        return self.reading + self.gridding + self.writing + self.season


def costs(results: Path = RESULTS) -> Cost:
    """A northern day, from the table of benchmarks.

    Raises
    ------
    KeyError, ValueError
        If the table lacks a row.
    """
    with results.open(newline="") as file:
        rows = {(row["subject"], row["what"]): row for row in csv.DictReader(file)}
    (network,) = (key for key in rows if key[1].startswith("both networks") and "float32" in key[1])
    written = rows["writing", "zarr + geotiff + quicklook"]
    zarr = rows["writing", "zarr"]
    read = rows["reading", "L1B to swath"]
    cells = 16 * 1792 * 1216 / 1e6 / _number(r"([\d.]+) million cells", written["sizes"])
    return Cost(
        reading=GRANULES * float(read["ours_cpu"]),
        gridding=float(rows["gridding", "a full day, all channels"]["ours_cpu"]),
        networks=float(rows[network]["ours_cpu"]),
        writing=_number(r"north .*: ([\d.]+) s of processor", written["note"]),
        season=_number(r"north .*: ([\d.]+) s of processor", zarr["note"]),
        input_gb=GRANULES * _number(r"([\d.]+) MB,", read["sizes"]) / 1e3,
        output_gb=cells * (_size(written) + _size(zarr)) / 1e3,
    )


def _size(row: dict[str, str]) -> float:
    return _number(r"([\d.]+) MB", row["sizes"])


def _number(pattern: str, text: str) -> float:
    result = re.search(pattern, text)
    if result is None:
        raise KeyError(f"no {pattern!r} in {text!r}")
    return float(result[1])


def lines(day: Cost) -> Iterator[tuple[str, str, str]]:
    """The plan: what, on cores alone, with GPUs."""
    both = DAYS * (1 + SOUTH)
    cores = both * (day.without_networks + day.networks)
    neighbours = both * day.without_networks
    on_gpu = both * OPERATIONS / GPU_RATE
    wall = cores / CORES / SHARE, max(on_gpu / GPUS, neighbours / CORES) / SHARE
    yield "core hours", f"{cores / 3600:,.0f}", f"{neighbours / 3600:,.0f}"
    yield "GPU hours", "0", f"{on_gpu / 3600:,.0f} (assumed rate)"
    yield (
        "wall",
        f"{wall[0] / 3600:,.1f} h on {CORES} cores",
        (f"{wall[1] / 3600:,.1f} h on {GPUS} GPUs and {CORES} cores"),
    )
    read, result = 2 * DAYS * day.input_gb / 1e3, both * day.output_gb / 1e3
    yield "granules read", f"{read:,.0f} TB", "the same"
    yield "read a second", f"{1e6 * read / wall[0]:,.0f} MB", f"{1e6 * read / wall[1]:,.0f} MB"
    yield "products and seasons", f"{result:,.1f} TB", "the same"


def main() -> int:
    """Print the costs of a day and the plan, as Markdown."""
    day = costs()
    print("| one northern day | core s |\n|---|---|")
    for name in ("reading", "gridding", "networks", "writing", "season"):
        print(f"| {name} | {getattr(day, name):.0f} |")
    print(f"\n| {DAYS} days, both hemispheres | cores alone | with GPUs |\n|---|---|---|")
    for row in lines(day):
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
