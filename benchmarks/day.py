"""The demo day, stage by stage, each verb in a process of its own; then the finished day once more.

Granules of an earlier demo are taken where they lie in products/; else they are simulated first,
within the first stage.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, Taken
from benchmarks.stages import stages_measured
from seaice.workflow.demo import DATE, REGION

KEPT = Path("products/simulated")
SAYS = ("", "", "", " (writing is left)", " (all is finished)")  #: of each stage


def rows(runs: int) -> Iterator[Row]:
    """Once: it takes minutes. `runs` is not used."""
    folders = sorted(KEPT.glob(f"{DATE}_*"))
    told = ["--demo"]
    sizes = f"{REGION}, five days, simulated within the first stage"
    if folders:
        told = ["--granules", str(folders[-1]), "--date", str(DATE), "--region", REGION]
        granules = len(list(folders[-1].glob("*.h5")))
        sizes = f"{REGION}, {granules} granules of five days, cut to the region"
    with tempfile.TemporaryDirectory() as folder:
        for stage, text in zip(stages_measured(Path(folder), told), SAYS, strict=True):
            yield Row(
                subject="day",
                what=f"seaice {stage.what}{text}",
                sizes=sizes,
                ours=Taken(wall=stage.seconds, cpu=stage.cpu, runs=1),
                peak=stage.peak / 1e6,
                note="peak is that of the largest stage until then",
            )
