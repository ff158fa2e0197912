"""A simulated day's truth in, the figures of several methods on the same cells out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipelines.day import concentration, refined
from pipelines.plan import ground, plan
from pipelines.stages import Progress
from seaice.config import Settings
from seaice.errors import NoInputError
from seaice.grid.dataset import grid_of
from seaice.grid.refined import SCALE
from seaice.sic.classical.asi import asi
from seaice.sic.metrics import by_class, summary
from seaice.simulate.days import truth_path

__all__ = ["METHODS", "compared", "markdown", "scored"]

#: What a row of the table says, and which networks make it.
METHODS: Mapping[str, tuple[str, str]] = {
    "ASI on bicubic frames, filtered": ("bicubic", "asi"),
    "ASI on PMDRnet, filtered": ("pmdrnet", "asi"),
    "PMDRnet + Xception-ASPP": ("pmdrnet", "xception_aspp"),
}
UNFILTERED = "ASI on bicubic frames, no filter"
COARSER = (1, SCALE)  #: cell sizes, in cells of 1.5625 km

Map = NDArray[np.floating]
Row = tuple[str, float, Mapping[str, float]]  #: method, cell in km, figures


def compared(settings: Settings, progress: Progress) -> Iterator[Row]:
    """The figures of every method on one simulated day, at 1.5625 and at 6.25 km.

    Parameters
    ----------
    settings : of the day; its granules lie in a folder that `seaice simulate` made
    progress : told what is done

    Raises
    ------
    NoInputError
        If the folder of granules holds no truth of the day, or one of another region.
    """
    truth = _truth(settings)
    for name, estimate in _estimates(settings, progress):
        for cell, figures in scored(estimate, truth):
            yield name, cell, figures


def scored(estimate: Map, truth: Map) -> Iterator[tuple[float, Mapping[str, float]]]:
    """The figures of one estimate on cells of 1.5625 km and of 6.25 km.

    Parameters
    ----------
    estimate, truth : (y, x), 0-1, on cells of 1.5625 km; NaN in either is left out of both

    Yields
    ------
    (cell, figures) : km; those of `seaice.sic.metrics.summary`, and `rmse_0` to `rmse_90` by class

    >>> [(cell, figures["rmse"]) for cell, figures in scored(np.eye(8), np.eye(8))]
    [(1.5625, 0.0), (6.25, 0.0)]
    """
    known = np.where(np.isfinite(estimate), truth, np.float32("nan"))
    told = np.where(np.isfinite(truth), estimate, np.float32("nan"))
    for factor in COARSER:
        ours, theirs, cell = _coarse(told, factor), _coarse(known, factor), 1.5625 * factor
        classes = {f"rmse_{10 * k}": score.rmse for k, score in enumerate(by_class(ours, theirs))}
        yield cell, summary(ours, theirs, cell) | classes


def _truth(settings: Settings) -> Map:
    run = settings.run
    if run.granules is None or run.date is None or not truth_path(run.granules, run.date).exists():
        raise NoInputError(
            f"no truth of {run.date} in {run.granules}",
            "a folder of simulated granules with `truth` beside them",
            "make one with `seaice simulate`, or evaluate the demo with `make evaluate`",
        )
    with xr.open_dataset(truth_path(run.granules, run.date)) as truth:
        if grid_of(truth) != ground(run).refine(SCALE):
            raise NoInputError(
                f"truth of {run.date} in {run.granules} of another region than {run.region!r}",
                "the region that was simulated",
                "give --region and --hemisphere as they were given to `seaice simulate`",
            )
        return np.asarray(truth["sic"].values, np.float32)


def _estimates(settings: Settings, progress: Progress) -> Iterator[tuple[str, Map]]:
    first = _with(settings, "bicubic", "asi")
    fine = refined(plan(first), partial(_said, progress, UNFILTERED))
    yield UNFILTERED, np.asarray(asi(fine["pd"].values), np.float32)
    for name, (sr, sic) in METHODS.items():
        day = plan(_with(settings, sr, sic))
        yield name, concentration(day, partial(_said, progress, name))["sic"].values


def _with(settings: Settings, sr: str, sic: str) -> Settings:
    """The same settings with other methods; formulas need no weights, whatever is told."""
    told = {
        "sr": settings.sr.model_copy(update={"name": sr}),
        "sic": settings.sic.model_copy(update={"name": sic}),
    }
    return settings.model_copy(update=told)


def _said(progress: Progress, name: str, stage: str, done: int, steps: int) -> None:
    progress(f"{name}: {stage}", done, steps)


def _coarse(values: Map, factor: int) -> Map:
    """Means of blocks, NaN where more than half of a block is."""
    rows, columns = (n // factor for n in values.shape)
    blocks = values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0).sum(axis=(1, 3))
    mean = total / np.maximum(count, 1)
    return np.asarray(np.where(2 * count >= factor**2, mean, np.nan), np.float32)


def markdown(rows: Sequence[Row]) -> str:
    """The figures as a table of Markdown, shares in percent."""
    heads = ("method", "cell km", "RMSE %", "MAE %", "bias %", "false ice %", "lost ice %")
    lines = [" | ".join((*heads, "edge km")), " | ".join("---" for _ in range(len(heads) + 1))]
    for name, cell, figures in rows:
        shares = ("rmse", "mae", "bias", "false_ice", "lost_ice")
        told = [f"{100 * figures[key]:.2f}" for key in shares]
        lines.append(" | ".join([name, f"{cell:g}", *told, f"{figures['edge_distance']:.2f}"]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"
