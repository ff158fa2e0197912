"""What each part of the super-resolution network brings: `make ablations`.

Every variant learns from the same samples for the same number of steps, then all are scored on the
same set. Run it again and it goes on where it was left; what is finished is only scored.
"""

import argparse
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from seaice.files import atomic_file
from seaice.models.inference import choose_device
from seaice.models.weights import load_model, read_card
from seaice.product.provenance import commit
from seaice.train.samples import SampleSet, Split
from seaice.train.super_resolution import SRTask
from seaice.workflow.training.compare import ScoreRow, score_row
from seaice.workflow.training.recipe import recipes
from seaice.workflow.training.train import SRTraining, train_sr

__all__ = ["compared", "markdown", "variants", "written"]

COLUMNS = ("variant", "PSNR H, dB", "PSNR V, dB", "RMSE P, K", "RMSE P, % of bicubic's")


def variants(base: SRTraining, aligned: Mapping[str, object]) -> Mapping[str, SRTraining]:
    """The network, and what is left of it without one part or another.

    All but one do without alignment, which costs nine tenths of a step.

    Parameters
    ----------
    base : how the whole network is trained, without alignment
    aligned : its hyper-parameters with alignment
    """

    def changed(**hyper: object) -> SRTraining:
        return replace(base, hyper={**base.hyper, **hyper})

    return {
        "ESPCN": replace(base, name="espcn", hyper={}),
        "PMDRnet, 1 frame": changed(frames=1),
        "PMDRnet, 3 frames": changed(frames=3),
        "PMDRnet, 5 frames": base,
        "PMDRnet without the P term": replace(base, difference_weight=0.0),
        "PMDRnet without quarter cells": changed(channels=3),
        "PMDRnet with alignment": replace(base, hyper=aligned),
    }


def compared(
    data: Path,
    out: Path,
    trainings: Mapping[str, SRTraining],
    split: Split,
    device: torch.device,
    report: Callable[[str, int], None],
) -> list[ScoreRow]:
    """Train what is not trained yet, and score all of it beside bicubic interpolation.

    Parameters
    ----------
    data : folder of the sample sets
    out : a folder for each variant goes there
    trainings : variants by name
    split : set to score on
    report : called with a variant's name and the steps done

    Returns
    -------
    list of rows, as `COLUMNS`; bicubic first

    Raises
    ------
    NoInputError, SettingsError
        As `seaice.workflow.training.train.train_sr`.
    """
    samples = SampleSet.of(data, split)
    rows: list[ScoreRow] = []
    for name, settings in trainings.items():
        folder = out / name.lower().replace(",", "").replace(" ", "_")
        path = folder / f"{settings.name}.safetensors"
        if not _finished(path, settings):
            train_sr(data, folder, settings, device, partial(_told, report, name))
        network, card = load_model(path, "sr")
        task = SRTask(train=samples, valid=samples, card=card, valid_samples=len(samples))
        scores = task.evaluate(network.to(device))
        if not rows:
            rows.append(score_row("bicubic", scores, "bicubic_"))
        rows.append(score_row(name, scores, ""))
    return rows


def _told(report: Callable[[str, int], None], name: str, step: int, _loss: float) -> None:
    report(name, step)


def _finished(path: Path, settings: SRTraining) -> bool:
    if not path.exists():
        return False
    card = read_card(path)
    return card.training["steps"] == settings.schedule.steps and card.config == settings.hyper


def markdown(rows: Sequence[ScoreRow]) -> str:
    """The rows as a table.

    >>> print(markdown([("bicubic", 35.0, 36.0, 2.5, 100.0)]).splitlines()[-1])
    | bicubic | 35.00 | 36.00 | 2.50 | 100 |
    """
    shown = [(n, f"{h:.2f}", f"{v:.2f}", f"{p:.2f}", f"{s:.0f}") for n, h, v, p, s in rows]
    lines = [COLUMNS, ("---",) + 4 * ("---:",), *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(rows: Sequence[ScoreRow], out: Path, title: str) -> str:
    """Write `out`/ablations.md and .csv, and give the first of them."""
    text = f"{title}\n\n{markdown(rows)}\n"
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    for suffix, stored in (("md", text), ("csv", table.getvalue())):
        with atomic_file(out / f"ablations.{suffix}") as part:
            part.write_text(stored)
    return text


def main() -> None:
    """Train, score, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training"), help="folder of sample sets")
    parser.add_argument("--out", type=Path, help="DATA/ablations where it is not given")
    parser.add_argument("--recipe", choices=list(recipes()), default="compact")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    told = parser.parse_args()
    out = told.out or told.data / "ablations"
    first, last = recipes()[told.recipe].sr
    schedule = replace(first.schedule, steps=told.steps)
    base = replace(first, schedule=schedule, commit=commit() or "")

    def report(name: str, step: int) -> None:
        if step % 50 == 0:
            print(f"{name}: step {step}", flush=True)

    trainings, device = variants(base, last.hyper), choose_device(told.device)
    rows = compared(told.data, out, trainings, told.split, device, report)
    print(written(rows, out, f"{told.steps} steps each, scored on the {told.split} samples."))


if __name__ == "__main__":
    main()
