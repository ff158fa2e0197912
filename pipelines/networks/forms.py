"""Files of one network in several forms, judged beside the first: error, change, time and size."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from seaice.models.weights import Storage
from seaice.sic.learning.lesson import SICLesson

__all__ = ["Export", "Looks", "Report", "Row", "judged", "markdown"]

Report = Callable[[str, int, int], None]  #: what is being done, done, of


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One file, and how it is run."""

    name: str
    path: Path
    network: nn.Module  #: as loaded from the file
    precision: Storage = "float32"

    @torch.inference_mode()
    def tells(self, image: Tensor) -> Tensor:
        """The answer, as maps are run."""
        with self._running():
            told: Tensor = self.network(image.contiguous(memory_format=torch.channels_last))
        return told.float()

    def _running(self) -> AbstractContextManager[None]:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How often files are looked at."""

    worlds: int = 24  #: validation worlds that are scored
    rounds: int = 9  #: that are timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one file gains and costs."""

    name: str
    rmse: float  #: of concentration, %, over the validation worlds
    change: float  #: largest, of concentration, against the training form, %
    seconds: float  #: of a window, median
    size: int  #: bytes of the file
    file: str


def judged(
    made: Sequence[Export], lesson: SICLesson, window: Tensor, looks: Looks, report: Report
) -> list[Row]:
    """Judge files beside the first of them.

    Parameters
    ----------
    window : (1, channel, y, x), normalized, that is timed
    looks : how often each is looked at
    report : called with what is being done, how much is done, and of how much
    """
    errors = _errors(made, lesson, min(looks.worlds, len(lesson.valid)), report)
    seconds = _timed(made, window, looks.rounds, report)
    return [
        Row(
            name=one.name,
            rmse=100 * rmse,
            change=100 * change,
            seconds=took,
            size=one.path.stat().st_size,
            file=one.path.name,
        )
        for one, (rmse, change), took in zip(made, errors, seconds, strict=True)
    ]


@torch.inference_mode()
def _errors(
    made: Sequence[Export], lesson: SICLesson, worlds: int, report: Report
) -> list[tuple[float, float]]:
    """RMSE against truth and largest change against the first, 0-1, of each over the worlds."""
    squares, changes, cells = [0.0] * len(made), [0.0] * len(made), 0
    for world in range(worlds):
        report("score on the validation worlds", world, worlds)
        batch = lesson.held_out(world)
        told = [lesson.answer(one.tells, batch) for one in made]  # type: ignore[arg-type]
        known, truth = told[0].known, told[0].truth
        first = told[0].told[:, :1]
        cells += int(known.sum())
        for place, answer in enumerate(told):
            sic = answer.told[:, :1]
            squares[place] += float((sic - truth)[known].double().square().sum())
            changes[place] = max(changes[place], float((sic - first)[known].abs().max()))
    return [
        ((square / cells) ** 0.5, change) for square, change in zip(squares, changes, strict=True)
    ]


def _timed(made: Sequence[Export], window: Tensor, rounds: int, report: Report) -> list[float]:
    """Seconds of a window, median; all take turns, so that what else runs slows all alike."""
    took: list[list[float]] = [[] for _ in made]
    for turn in range(rounds + 1):
        report("time a window", turn, rounds + 1)
        for one, seconds in zip(made, took, strict=True):
            began = time.perf_counter()
            one.tells(window)
            seconds.append(time.perf_counter() - began)
    return [median(seconds[1:]) for seconds in took]  # the first warms up


def markdown(rows: Sequence[Row]) -> str:
    """One table, a row for each form."""
    heads = (
        "form", "RMSE, %", "loss, % points", "largest change, %", "s a window", "speed-up", "kB",
        "file",
    )  # fmt: skip
    first = rows[0]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + 6 * " ---: |" + " --- |"]
    for row in rows:
        figures = (
            f"{row.rmse:.3f}", f"{row.rmse - first.rmse:+.3f}", f"{row.change:.3g}",
            f"{row.seconds:.4f}", f"{first.seconds / row.seconds:.2f}", f"{row.size / 1e3:.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join((row.name, *figures, row.file))} |")
    return "\n".join(lines)
