"""What concentration gains from what it is told: `make variants`.

Every variant learns from nothing but the same refined samples, for as many steps; all tell of the
same worlds. Run it again and it goes on where it was left; what is finished is only scored.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from seaice.evaluate.records import Record
from seaice.evaluate.report import write_report
from seaice.evaluate.tables import score_table, whole
from seaice.evaluate.words import definitions
from seaice.instrument import LOW_CHANNELS
from seaice.models.inference import choose_device
from seaice.models.inputs import PUBLISHED_CHANNELS, SIC_CHANNELS
from seaice.page import Section
from seaice.product.provenance import commit
from seaice.train.samples import SampleSet, Split
from seaice.workflow.evaluation.methods import ways
from seaice.workflow.training.compare import SIZES, is_trained, score_worlds
from seaice.workflow.training.recipe import recipes
from seaice.workflow.training.train import SICTraining, train_sic

__all__ = ["compared", "variants", "written"]

SCORES = ("rmse", "mae", "bias", "false_ice", "lost_ice")

Report = Callable[[str, int], None]


def variants(base: SICTraining) -> Mapping[str, SICTraining]:
    """The network by what it is told, from the least to the most."""
    low = (*PUBLISHED_CHANNELS, "valid", *LOW_CHANNELS, "land")
    told = {"published": PUBLISHED_CHANNELS, "low frequencies": low, "other days": SIC_CHANNELS}
    return {name: replace(base, channels=channels) for name, channels in told.items()}


def compared(
    data: Path, out: Path, base: SICTraining, split: Split, device: torch.device, report: Report
) -> list[Record]:
    """Train what is not trained yet, and score all of it beside ASI.

    Parameters
    ----------
    data : folder of the sample sets
    out : a folder for each variant goes there
    base : how each is trained
    split : set to score on
    report : called with what is being done, and the steps or worlds done

    Returns
    -------
    list of records over all worlds, in cells of `SIZES`

    Raises
    ------
    NoInputError, SettingsError, WeightsError
        As `seaice.workflow.training.train.train_sic`.
    """
    samples = SampleSet.of(data, split)  # refused before hours of learning
    methods = {"ASI": "asi"}
    for name, settings in variants(base).items():
        folder = out / name.replace(" ", "_")
        path = folder / f"{settings.name}.safetensors"
        if not is_trained(path, settings):
            train_sic(data, folder, settings, device, partial(_told, report, name))
        methods[name] = str(path)
    told = [f"{base.sr_weights}:{method}" for method in methods.values()]
    result = ways(told, out / "hashes.json")
    named = dict(zip(methods, result, strict=True))
    return list(score_worlds(samples, split, named, device, report))


def _told(report: Report, name: str, step: int, _loss: float) -> None:
    report(name, step)


def written(records: Sequence[Record], folder: Path, title: str) -> Path:
    """Write a report of tables alone into `folder`; the path of its Markdown."""
    sections = []
    for size in SIZES:
        rows = {record.method: whole(record.method, size) for record in records}
        table = score_table("Concentration", records, rows, SCORES)
        sections.append(Section(title=f"Cells of {size:g} km", tables=(table,)))
    sections.append(Section(title="How it is measured", says=definitions("whole worlds")[::2]))
    write_report(folder, title, sections, records)
    return folder / "report.md"


def main() -> None:
    """Train, score, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training"), help="folder of sample sets")
    parser.add_argument("--out", type=Path, help="DATA/variants where it is not given")
    parser.add_argument("--sr-weights", type=Path, help="DATA/weights/pmdrnet.safetensors usually")
    parser.add_argument("--recipe", choices=list(recipes()), default="compact")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    told = parser.parse_args()
    out = told.out or told.data / "variants"
    weights = told.sr_weights or told.data / "weights" / "pmdrnet.safetensors"
    first = recipes()[told.recipe].sic[0]
    schedule = replace(first.schedule, steps=told.steps)
    base = replace(first, sr_weights=weights, schedule=schedule, commit=commit() or "")

    def report(name: str, done: int) -> None:
        if done % 50 == 0:
            print(f"{name}: {done}", flush=True)

    records = compared(told.data, out, base, told.split, choose_device(told.device), report)
    title = f"{told.steps} steps each, scored on the {told.split} samples"
    print(written(records, out / "report", title).read_text())


if __name__ == "__main__":
    main()
