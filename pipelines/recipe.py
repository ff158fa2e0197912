"""From nothing to weights: simulated samples, then super-resolution, then concentration.

Every step goes on where it was left. What ships was made by `COMPACT`; `PAPER` is the published
size, for a GPU, from the same code.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from pipelines.train import SICTraining, SRTraining, compact, train_sic, train_sr
from seaice.network.train import Schedule
from seaice.simulate.samples import SPLITS, write_samples

__all__ = ["RECIPES", "Recipe", "Step", "follow"]

Step = Literal["samples", "sr", "sic", "all"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How many samples, and how each network learns from them."""

    samples: int  #: simulated five-day worlds of 128 x 128 coarse cells
    valid: int  #: worlds to validate on
    sr: SRTraining
    sic: SICTraining


_SR_WEIGHTS = Path("pmdrnet.safetensors")  # below the folder of weights

RECIPES = {
    "compact": Recipe(
        samples=600,
        valid=16,
        sr=SRTraining(
            hyper=compact("pmdrnet"),
            crop=64,
            schedule=Schedule(
                steps=1000,
                batch=4,
                rate=1e-3,
                warm_up=50,
                average=0.99,
                precision="bfloat16",
                checkpoint_every=50,
            ),
        ),
        sic=SICTraining(
            sr_weights=_SR_WEIGHTS,
            hyper=compact("xception_aspp"),
            crop=96,
            schedule=Schedule(
                steps=1500,
                batch=4,
                rate=1.5e-3,
                warm_up=50,
                average=0.99,
                precision="bfloat16",
                checkpoint_every=50,
            ),
        ),
    ),
    "paper": Recipe(
        samples=12_000,
        valid=200,
        sr=SRTraining(),
        sic=SICTraining(sr_weights=_SR_WEIGHTS, hyper={"outputs": 2, "context": 32, "fine": 16}),
    ),
}


def follow(
    recipe: Recipe, step: Step, folder: Path, device: torch.device, progress: Progress
) -> list[Path]:
    """Follow a recipe, wholly or one step of it.

    Parameters
    ----------
    recipe : of `RECIPES`, or changed from one of them
    step : "samples", "sr", "sic", or "all" of them in turn
    folder : samples go to `folder/{train,valid}.zarr`, weights to `folder/weights`
    device : where the networks learn
    progress : told what is done, how much of it, and how much there is

    Returns
    -------
    list of Path
        The weights that were made.

    Raises
    ------
    SeaIceError
        Of a step that cannot be done; what was finished before it stays.
    """
    wanted = ("samples", "sr", "sic") if step == "all" else (step,)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    if "samples" in wanted:
        for split, count in (("valid", recipe.valid), ("train", recipe.samples)):
            for done in write_samples(SPLITS[split], count, folder / f"{split}.zarr"):
                progress(f"samples to {split} with", done, count)
    weights = folder / "weights"
    if "sr" in wanted:
        steps = recipe.sr.schedule.steps
        report = partial(_report, progress, "super-resolution", steps)
        made.append(train_sr(folder, weights, recipe.sr, device, report))
    if "sic" in wanted:
        steps = recipe.sic.schedule.steps
        report = partial(_report, progress, "concentration", steps)
        settings = replace(recipe.sic, sr_weights=weights / recipe.sic.sr_weights)
        made.append(train_sic(folder, weights, settings, device, report))
    return made


def _report(progress: Progress, what: str, steps: int, done: int, loss: float) -> None:
    progress(f"{what}, loss {loss:.4f}", done, steps)
