"""From nothing to weights: simulated samples, then super-resolution, then concentration.

Every step goes on where it was left.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from seaice.errors import SettingsError
from seaice.models.inputs import PUBLISHED_CHANNELS
from seaice.product.provenance import commit
from seaice.simulate.samples import SPLITS, write_samples
from seaice.train import distributed
from seaice.train.trainer import Schedule
from seaice.workflow.training.train import (
    JointTraining,
    SICTraining,
    SRTraining,
    compact,
    train_joint,
    train_sic,
    train_sr,
)

__all__ = ["Progress", "Recipe", "Step", "recipes", "reported", "run_recipe"]

Step = Literal["samples", "sr", "sic", "joint", "all"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How many samples, and how each network learns from them."""

    samples: int  #: simulated five-day worlds of 128 x 128 coarse cells
    valid: int  #: worlds to validate on
    sr: tuple[SRTraining, ...]  #: one after another; each goes on from the one before
    sic: tuple[SICTraining, ...]  #: likewise
    published: SICTraining | None = None  #: the network of V, H and V - H alone, for comparison
    joint: JointTraining | None = None  #: both networks on together, where that is asked for


_REFINED = Path("pmdrnet.safetensors")  # in the folder of weights
_CONCENTRATION = Path("xception_aspp.safetensors")
_SMALL = {"average": 0.99, "precision": "bfloat16", "checkpoint_every": 50, "batch": 4}


def _small_sic(refiner: Path | None, steps: int, rate: float) -> SICTraining:
    """A training stage of concentration for two cores."""
    schedule = Schedule(steps=steps, rate=rate, warm_up=40, **_SMALL)  # type: ignore[arg-type]
    hyper = compact("xception_aspp")
    return SICTraining(sr_weights=refiner, hyper=hyper, crop=96, schedule=schedule)


def _unaligned_first(last: SRTraining, steps: int) -> tuple[SRTraining, SRTraining]:
    """A long stage without alignment, which costs nine tenths of a step, before the last one."""
    hyper = {**last.hyper, "alignment": "none"}
    schedule = replace(last.schedule, steps=steps, rate=2 * last.schedule.rate)
    return replace(last, hyper=hyper, schedule=schedule), last


def _as_published(stage: SICTraining) -> SICTraining:
    """A shorter stage with only V, H and V - H."""
    schedule = replace(stage.schedule, steps=400, rate=1.5e-3)
    return replace(stage, name="published", channels=PUBLISHED_CHANNELS, schedule=schedule)


def _small_joint() -> JointTraining:
    """A short stage for both networks; a step costs what one of each does."""
    small = _SMALL | {"batch": 2}
    schedule = Schedule(steps=120, rate=1e-4, warm_up=10, **small)  # type: ignore[arg-type]
    return JointTraining(sr_weights=_REFINED, sic_weights=_CONCENTRATION, schedule=schedule)


def recipes() -> dict[str, Recipe]:
    """Recipes of `seaice train`: `compact` made what ships, `paper` is for a GPU.

    The compact concentration network is trained on interpolated frames in four stages: every class
    of concentration weighs alike; then every cell, which removes the bias towards middle
    concentrations, with an offset of 4 K on each channel of each sample; then with a smooth random
    field of 1.5 K as well; last by the squared error alone. Without offsets and noise a network
    learns contrasts between channels and neighbouring cells that only simulated worlds have.
    """
    small = Schedule(steps=500, rate=5e-4, warm_up=50, **_SMALL)  # type: ignore[arg-type]
    first = _small_sic(None, 1500, 1.5e-3)
    second = replace(
        _small_sic(None, 1500, 1e-3),
        crop=48,
        balance="cells",
        absolute_weight=0.3,
        offset=4.0,
        band_missing=0.1,
        low_missing=0.05,
    )
    second = replace(second, schedule=replace(second.schedule, average=0.995))
    third = replace(
        second,
        absolute_weight=0.2,
        smooth_noise=1.5,
        schedule=replace(second.schedule, steps=700, rate=7e-4),
    )
    last = replace(
        third, absolute_weight=0.0, schedule=replace(third.schedule, steps=300, rate=3e-4)
    )
    return {
        "compact": Recipe(
            samples=600,
            valid=24,
            sr=_unaligned_first(SRTraining(hyper=compact("pmdrnet"), schedule=small), 4000),
            sic=(first, second, third, last),
            published=_as_published(last),
            joint=_small_joint(),
        ),
        "paper": Recipe(
            samples=12_000,
            valid=200,
            sr=_unaligned_first(SRTraining(), 100_000),
            sic=(
                SICTraining(sr_weights=_REFINED, hyper={"outputs": 2, "context": 32, "fine": 16}),
            ),
        ),
    }


def run_recipe(
    recipe: Recipe, step: Step, folder: Path, device: torch.device, progress: Progress
) -> list[Path]:
    """Follow a recipe, wholly or one step of it.

    Parameters
    ----------
    recipe : of `recipes()`, or changed from one of them
    step : "samples", "sr", "sic", or "all" of them in turn; "joint" after these
    folder : samples go to `folder/{train,valid}.zarr`, weights to `folder/weights`, those
        of "joint" to `folder/weights/joint`
    device : where the networks learn
    progress : told what is done, how much of it, and how much there is

    Returns
    -------
    list of Path
        The weights that were made.

    Raises
    ------
    SettingsError
        If the recipe has no such step.
    SeaIceError
        Of a step that cannot be done; what was finished before it stays.
    """
    needed = ("samples", "sr", "sic") if step == "all" else (step,)
    folder.mkdir(parents=True, exist_ok=True)
    result = []
    if "samples" in needed:
        distributed.run_on_main_process_first(partial(_samples, recipe, folder, progress))
    if "sr" in needed:
        result.append(_super_resolution(recipe, folder, device, progress))
    if "sic" in needed:
        result.append(_concentration(recipe, folder, device, progress))
        if recipe.published is not None:
            folders, what = (folder, folder / "weights"), "concentration as published"
            result.append(_train_stage(recipe.published, folders, what, device, progress))
    if "joint" in needed:
        result += _joint(recipe.joint, folder, device, progress)
    return result


def _joint(
    stage: JointTraining | None, folder: Path, device: torch.device, progress: Progress
) -> tuple[Path, ...]:
    """Both networks learn on together, beside what each became alone."""
    if stage is None:
        raise SettingsError(
            "the step 'joint' of a recipe without one",
            "a recipe whose networks learn on together, as compact",
            "choose --recipe compact, or another step",
        )
    weights = folder / "weights"
    settings = replace(
        stage,
        sr_weights=weights / stage.sr_weights,
        sic_weights=weights / stage.sic_weights,
        commit=commit() or "",
    )
    report = partial(reported, progress, "both networks", stage.schedule.steps)
    return train_joint(folder, weights, settings, device, report)


def _samples(recipe: Recipe, folder: Path, progress: Progress) -> None:
    for split, count in (("valid", recipe.valid), ("train", recipe.samples)):
        for done in write_samples(SPLITS[split], count, folder / f"{split}.zarr"):
            progress(f"samples to {split} with", done, count)


def _super_resolution(
    recipe: Recipe, folder: Path, device: torch.device, progress: Progress
) -> Path:
    """The stages of super-resolution, one after another; the last one's weights."""
    result = None
    for number, stage in enumerate(recipe.sr, start=1):
        what = f"super-resolution, training stage {number}"
        out = _folder_of(folder, number, len(recipe.sr))
        settings = replace(stage, start=result, commit=commit() or "")
        report = partial(reported, progress, what, stage.schedule.steps)
        result = train_sr(folder, out, settings, device, report)
    if result is None:
        raise ValueError("a recipe without stages of super-resolution")
    return result


def _folder_of(folder: Path, number: int, stages: int) -> Path:
    """Where a stage's weights go: the last one's stand for the recipe."""
    weights = folder / "weights"
    return weights if number == stages else weights / f"stage_{number}"


def _concentration(recipe: Recipe, folder: Path, device: torch.device, progress: Progress) -> Path:
    """The stages of concentration, one after another; the last one's weights."""
    result = None
    for number, stage in enumerate(recipe.sic, start=1):
        out = _folder_of(folder, number, len(recipe.sic))
        what = f"concentration, training stage {number}"
        result = _train_stage(replace(stage, start=result), (folder, out), what, device, progress)
    if result is None:
        raise ValueError("a recipe without stages of concentration")
    return result


def _train_stage(
    stage: SICTraining,
    folders: tuple[Path, Path],
    what: str,
    device: torch.device,
    progress: Progress,
) -> Path:
    """One stage of concentration, from the samples of the first folder into the second."""
    data, out = folders
    refiner = stage.sr_weights and data / "weights" / stage.sr_weights
    settings = replace(stage, sr_weights=refiner, commit=commit() or "")
    report = partial(reported, progress, what, stage.schedule.steps)
    return train_sic(data, out, settings, device, report)


def reported(progress: Progress, what: str, steps: int, done: int, _loss: float) -> None:
    """Steps as they are done; before them, samples that wait to be refined, which count up to 0.

    The loss of every step is in the log that lies beside the checkpoint.
    """
    if done < 0:
        progress(f"{what}: samples left to refine", 0, -done)
    else:
        progress(what, done, steps)
