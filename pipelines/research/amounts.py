"""Errors of extent and area on simulated days with known truth, to calibrate their uncertainty.

`python -m pipelines.research.amounts --worlds 24` prints the factors that `seaice.product.series`
holds, and how many errors lie within one and two standard deviations, on days of the split "doubt"
(calibration) and on those of "valid" (a check). No network was trained on either.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seaice.grid.grid import NORTH
from seaice.grid.projection import cell_areas
from seaice.models.inference import Machine
from seaice.product.series import AREA, EXTENT, ErrorFactors, ErrorParts, error_parts
from seaice.simulate.samples import SPLITS, draw, write_samples
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.methods import Networks, retrieve_world, standard, ways, world_of

__all__ = ["Case", "calibrated", "cases_of", "coverage"]

CELL = 1562.5  #: m
COMMONS, FRACTIONS = np.geomspace(0.02, 3, 100), np.geomspace(1e-4, 0.1, 100)  #: that are tried
LEAST = 1.0  #: km2, the least uncertainty


class Case(NamedTuple):
    """One region of one day: the parts of its uncertainty, and its true error."""

    told: ErrorParts
    error: float  #: km2, told minus true


def cases_of(split: str, worlds: int, folder: Path) -> Iterator[tuple[Case, Case]]:
    """Extent and area of whole simulated days (800 km a side) and of their quarters.

    Parameters
    ----------
    split : of `seaice.simulate.samples.SPLITS`
    worlds : how many days
    folder : where they are kept; those that are missing are simulated
    """
    store = folder / f"{split}.zarr"
    for done in write_samples(SPLITS[split], worlds, store):
        print(f"{split}: {done} of {worlds} days are there", flush=True)
    samples = SampleSet.open(store)
    (way,) = ways(standard()[-1:], folder / "hashes.json")
    networks = Networks(Machine(device=torch.device("cpu")))
    for index in range(worlds):
        place, *_ = draw(SPLITS[split], index)
        world = world_of(samples, index, place)
        sic, uncertainty = retrieve_world(world, [way], networks).sic[way.label]
        if uncertainty is None:
            raise ValueError(f"{way.label} tells no uncertainty")
        side = samples.whole(index).side
        grid = NORTH.crop(*(slice(first, first + side) for first in place)).refine(4)
        areas = (cell_areas(grid) / 1e6).astype(np.float64)
        known = np.isfinite(sic) & np.isfinite(world.sic)
        numbers = _quarters(sic.shape)
        result = error_parts(sic, uncertainty[0], known, areas, numbers, CELL)
        true = error_parts(world.sic, None, known, areas, numbers, CELL)
        for extent, area, true_extent, true_area in zip(*result, *true, strict=True):
            yield (
                Case(extent, extent.amount - true_extent.amount),
                Case(area, area.amount - true_area.amount),
            )


def _quarters(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 to 4 in the quarters of a map."""
    rows, columns = (np.arange(size) * 2 // size for size in shape)
    return (1 + 2 * rows[:, None] + columns[None, :]).astype(np.uint8)


def calibrated(cases: Sequence[Case]) -> ErrorFactors:
    """The factors with which the errors are most likely, if they are normal.

    Regional errors count as they are told: the maps' own uncertainty is calibrated.
    """
    squares = np.array([np.square(case.told) for case in cases])
    errors = np.square([case.error for case in cases])

    def likelihood(common: float, fraction: float) -> float:
        parts = squares @ np.array([fraction**2, 1.0, common**2])
        variance = np.maximum(parts, LEAST**2)
        return float(-(errors / variance + np.log(variance)).sum())

    tried = [
        (likelihood(common, fraction), common, fraction)
        for common in COMMONS
        for fraction in FRACTIONS
    ]
    _, common, fraction = max(tried)
    return ErrorFactors(regional=1.0, common=float(common), fraction=float(fraction))


def coverage(cases: Sequence[Case], factors: ErrorFactors) -> tuple[float, float]:
    """The shares of errors within one and within two standard deviations."""
    ratios = np.array(
        [abs(case.error) / case.told.uncertainty(factors) for case in cases if case.told.amount > 0]
    )
    return float((ratios <= 1).mean()), float((ratios <= 2).mean())


def main() -> None:
    """Print the factors and what they cover."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=24, help="days of each split")
    parser.add_argument("--folder", type=Path, default=Path("training"), help="where they are kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    fitted, checked = (
        [*zip(*cases_of(split, options.worlds, options.folder), strict=True)]
        for split in ("doubt", "valid")
    )
    for number, (name, shipped) in enumerate((("extent", EXTENT), ("area", AREA))):
        print(f"{name}: calibrated {calibrated(fitted[number])}, shipped {shipped}")
        for split, cases in (("doubt", fitted[number]), ("valid", checked[number])):
            one, two = coverage(cases, shipped)
            print(f"  {split}: {one:.0%} within one, {two:.0%} within two standard deviations")


if __name__ == "__main__":
    main()
