"""What concentration gains from what it is told: `make variants`.

Every variant learns from nothing but the same refined samples, for as many steps; all tell of the
same worlds. Run it again and it goes on where it was left; what is finished is only scored.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from seaice.evaluate.records import Record, records_of
from seaice.evaluate.report import write_report
from seaice.evaluate.tables import score_table, whole
from seaice.evaluate.words import definitions
from seaice.instrument import LOW_CHANNELS
from seaice.models.inference import Machine, choose_device
from seaice.models.inputs import PUBLISHED_CHANNELS, SIC_CHANNELS
from seaice.models.weights import read_card, weights_hash
from seaice.page import Section
from seaice.product.provenance import commit
from seaice.simulate.samples import SPLITS, draw
from seaice.train.samples import SampleSet, Split
from seaice.workflow.evaluation.methods import Networks, Way, told_of, ways, world_of
from seaice.workflow.evaluation.worlds import cases_of, sums_of
from seaice.workflow.training.recipe import recipes
from seaice.workflow.training.settings import SICTraining
from seaice.workflow.training.train import train_sic

__all__ = ["compared", "finished", "scored", "variants", "written"]

SIZES = (1.5625, 6.25)  #: km, cells that scores are of
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
        if not finished(path, settings):
            train_sic(data, folder, settings, device, partial(_told, report, name))
        methods[name] = str(path)
    told = [f"{base.sr_weights}:{method}" for method in methods.values()]
    found = ways(told, out / "hashes.json")
    named = dict(zip(methods, found, strict=True))
    return list(scored(samples, split, named, device, report))


def scored(
    samples: SampleSet, split: Split, named: Mapping[str, Way], device: torch.device, report: Report
) -> Iterator[Record]:
    """Scores of some ways on all worlds of a set, in cells of `SIZES`.

    Parameters
    ----------
    named : ways by the name that the records get
    report : called with what is being done, and the worlds done
    """
    networks, found = Networks(Machine(device=device)), []
    for index in range(len(samples)):
        report(f"worlds of {split}", index)
        world = world_of(samples, index, draw(SPLITS[split], index)[0])
        found.append(sums_of(world, told_of(world, list(named.values()), networks)))
    names = {way.label: name for name, way in named.items()}
    for case in cases_of(found, [()] * len(found)):
        if case.cell in SIZES and "moments" in case.sums:
            yield from records_of(replace(case, method=names[case.method]))


def _told(report: Report, name: str, step: int, _loss: float) -> None:
    report(name, step)


def finished(path: Path, settings: SICTraining) -> bool:
    """Whether `path` holds weights of as many steps on the same refined samples."""
    if not path.exists():
        return False
    card = read_card(path)
    refiner = weights_hash(settings.sr_weights)[:12] if settings.sr_weights else "0"
    wanted = {"steps": settings.schedule.steps, "refined_by": refiner}
    return wanted.items() <= card.training.items() and bool(card.calibration)


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
