"""Maps without truth in, a network whose encoder knows the look of ice out.

The maps are those that `make daily` left in its folder, or a training set, whose truth is not
looked at. The result is an ordinary file of weights, to be trained on from with --start.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from seaice.errors import NoInputError
from seaice.grid.blocks import SCALE
from seaice.grid.grid import Grid, grid_of
from seaice.grid.masks import land_mask
from seaice.models.inputs import new_sic_card
from seaice.models.registry import create_model, find_model
from seaice.models.weights import save_model
from seaice.retrieval.pretraining import (
    PretrainingTask,
    Target,
    UnlabelledDay,
    autoencoder_of,
    centre_batch,
    random_batch,
)
from seaice.retrieval.task import network_input
from seaice.stack import five_frames, frame_dates
from seaice.train import distributed
from seaice.train.trainer import Batch, BatchSource, train
from seaice.workflow.training.fine_tuning import SingleModelSettings, training_of
from seaice.workflow.training.train import Report, SICTraining, sic_task

__all__ = ["MaskConfig", "pretrain", "unlabelled_days"]

PATCH = 32  #: cells to a side of what is hidden, where the network has no patches of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskConfig:
    """What is hidden of a map."""

    ratio: float = 0.75  #: share of its patches
    patch: int = PATCH  #: cells to a side
    target: Target = "values"


def pretrain(
    data: Path,
    out: Path,
    told: SingleModelSettings,
    hiding: MaskConfig,
    device: torch.device,
    report: Report,
) -> Path:
    """Pre-train the encoder of a concentration network.

    Parameters
    ----------
    data : folder of daily and refined maps, as `make daily` fills its OUT, or of `train.zarr`
    out : folder for the weights and, below it, the checkpoint and the logs
    told : the network and how long it learns
    hiding : what is hidden of each map
    report : called with the steps done and the error

    Returns
    -------
    Path of the weights: the encoder as it was pre-trained, the rest fresh

    Raises
    ------
    NoInputError
        If there are no maps.
    SettingsError, WeightsError, UnknownNameError
        As `seaice.workflow.training.fine_tuning.training_of`; or if the network has no encoder.
    """
    training = training_of("sic", told)
    if not isinstance(training, SICTraining):
        raise TypeError(f"a training of {type(training).__name__}")
    card = new_sic_card(training.name, training.hyper, training.channels)
    torch.manual_seed(training.schedule.seed)
    network = create_model(training.name, card.config)
    autoencoder = autoencoder_of(network, hiding.patch)
    lesson = _lesson(data, training, hiding, device, report)
    learnt, steps = train(
        lesson.task(autoencoder), training.schedule, out / training.name, device, report
    )
    network.get_submodule(find_model(training.name).encoder).load_state_dict(
        learnt.get_submodule("encoder").state_dict()
    )
    path = out / f"{training.name}.safetensors"
    facts = {"lesson": "masked maps", "steps": steps, "ratio": hiding.ratio, "data": data.name}
    card = replace(card, training=facts, seed=training.schedule.seed, commit=training.commit)
    card = replace(card, scores=dict(lesson.evaluate(learnt)))
    distributed.run_on_main_process_first(partial(save_model, path, network, card))
    return path


def _lesson(
    data: Path, training: SICTraining, hiding: MaskConfig, device: torch.device, report: Report
) -> PretrainingTask:
    card = new_sic_card(training.name, training.hyper, training.channels)
    of = _of_samples if (data / "train.zarr").exists() else _of_days
    source, validation_batch = of(data, training, device, report)
    return PretrainingTask(
        source=source,
        network_input=partial(network_input, card=card),
        card=card,
        validation_batch=validation_batch,
        ratio=hiding.ratio,
        target=hiding.target,
    )


def _of_samples(
    data: Path, training: SICTraining, device: torch.device, report: Report
) -> tuple[BatchSource, Callable[[], Batch]]:
    """Samples of a training set, whose truth nobody looks at, and one of the validation set."""
    task, _ = sic_task(data, training, device, report)
    return task.source, partial(task.validation_batch, 0)


def _of_days(
    data: Path, training: SICTraining, _device: torch.device, _report: Report
) -> tuple[BatchSource, Callable[[], Batch]]:
    """Samples of the days in a folder; the centre of the last of several days is for validation."""
    card = new_sic_card(training.name, training.hyper, training.channels)
    side = card.window // SCALE if card.window else training.crop
    days = list(unlabelled_days(data))
    learnt = days[:-1] or days
    return partial(_draw, learnt, side), partial(centre_batch, days[-1], side)


def _draw(days: list[UnlabelledDay], side: int, random: np.random.Generator, size: int) -> Batch:
    return random_batch(days, random, size, side)


def unlabelled_days(folder: Path) -> Iterator[UnlabelledDay]:
    """Every day that was refined in a folder of `make daily`, in order of their dates.

    Where a day was refined more than once, the newest is taken, with the newest daily maps of the
    same grid.

    Raises
    ------
    NoInputError
        If there is none.
    """
    stages = folder / "stages" if (folder / "stages").is_dir() else folder
    newest = {path.name[:10]: path for path in _by_age(stages / "refine")}
    if not newest:
        raise NoInputError(
            f"{folder} without refined maps",
            "a folder that `make daily` has filled, or one with train.zarr",
            "run `make daily` with OUT= this folder, or give --data training",
        )
    for name, path in sorted(newest.items()):
        refined = xr.open_zarr(path, chunks=None, consolidated=False).load()
        day = date.fromisoformat(name)
        maps = _maps(stages / "grid", day, grid_of(refined))
        if day in maps:
            land = land_mask(grid_of(refined))
            yield UnlabelledDay.of(refined, maps[day], five_frames(maps, day), land)


def _by_age(folder: Path) -> list[Path]:
    result = [path for path in folder.glob("????-??-??_*") if path.is_dir()]
    return sorted(result, key=lambda path: path.stat().st_mtime)


def _maps(folder: Path, day: date, fine: Grid) -> dict[date, xr.Dataset]:
    """Daily maps of the five dates that lie under a refined map."""
    needed = {other.isoformat(): other for other in frame_dates(day)}
    maps = {}
    for path in _by_age(folder):
        if path.name[:10] in needed:
            result = xr.open_zarr(path, chunks=None, consolidated=False)
            if grid_of(result).refine(SCALE) == fine:
                maps[needed[path.name[:10]]] = result.load()
    return maps
