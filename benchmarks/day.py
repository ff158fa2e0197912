"""The demo day, stage by stage, each verb in a process of its own; from nothing, then once more."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, Taken
from pipelines.bench import stages_measured


def rows(runs: int) -> Iterator[Row]:
    """Once: it takes minutes. `runs` is not used."""
    with tempfile.TemporaryDirectory() as folder:
        for stage in stages_measured(Path(folder)):
            yield Row(
                subject="day",
                what=f"seaice {stage.what} --demo",
                sizes="Svalbard, five simulated days",
                ours=Taken(wall=stage.seconds, cpu=stage.cpu, runs=1),
                peak=stage.peak / 1e6,
            )
