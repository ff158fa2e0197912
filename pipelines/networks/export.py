"""Trained weights in, files to run them from out, and what each costs and gains: `seaice export`.

Every figure is of the file that was written, loaded again.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.networks.forms import Export, Looks, Report, Row, judged, markdown
from pipelines.training.train import sic_lesson
from pipelines.training.trainings import SICTraining
from seaice.errors import OutputError, SettingsError, WeightsError
from seaice.files import atomic_file
from seaice.models.card import Card
from seaice.models.export import (
    activation_ranges,
    fake_quantize,
    float_backend_copy,
    fuse_layers,
    int8_is_exact,
    quantize,
)
from seaice.models.registry import find_model
from seaice.models.weights import (
    Storage,
    load_model,
    load_trainable_model,
    save_model,
    weights_hash,
)
from seaice.product.provenance import commit
from seaice.sic.learning.lesson import SICLesson, given
from seaice.train.trainer import Schedule, train

__all__ = ["Wish", "exported", "weights_of", "written"]

SIDE = 384  #: cells of the map, of the window that is timed
CLOSE = 0.01  #: concentration, of an 8-bit network and its float form
LOOKED_AT = 16  #: training samples that the ranges of what convolutions read are of
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be exported, and how it is judged."""

    model: str
    weights: Path
    out: Path  #: folder of the files and the table
    data: Path  #: folder of the sample sets
    sr_weights: Path | None  #: whose refined maps it reads; None: bicubic
    int8: Literal["no", "yes"] = "no"
    qat_steps: int = 0  #: of learning with the rounding of eight bits
    looks: Looks = field(default_factory=Looks)


def weights_of(name: str, data: Path) -> Path:
    """Weights of a network: those trained in a folder, or those that ship.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    SettingsError
        If it is not for concentration.
    WeightsError
        If there are none.
    """
    entry = find_model(name)
    if entry.role != "sic":
        raise SettingsError(
            f"{name}, a network for {entry.role!r}",
            "one for 'sic', whose worth the validation worlds can tell",
            "see `seaice models`",
        )
    shipped = Path(str(files("seaice"))) / "models" / "sic" / "weights"
    for folder in (data / "weights", shipped):
        if (path := folder / f"{name}.safetensors").exists():
            return path
    raise WeightsError(
        f"no weights of {name} in {data / 'weights'}, and none that ship",
        "a file of weights that it has learnt",
        f"give --weights FILE, or train with seaice train sic --model {name}",
    )


def exported(wish: Wish, report: Report) -> list[Row]:
    """Write every form of a network, load each again, and judge it beside the training form.

    Parameters
    ----------
    report : called with what is being done, how much is done, and of how much

    Returns
    -------
    list of rows, the training form first

    Raises
    ------
    WeightsError
        If the weights cannot be read, are for another role or are no training form.
    NoInputError
        If there are no sample sets.
    SettingsError
        If eight bits are wished for, and the network has no convolution for them.
    OutputError
        If a file cannot be written, or answers otherwise when it is loaded.
    """
    network, card = load_trainable_model(wish.weights, "sic")
    if card.architecture != find_model(wish.model).name:
        raise WeightsError(
            f"{wish.weights} holds {card.architecture}",
            f"weights of {wish.model}",
            f"write --model {card.architecture}, or give another file",
        )
    lesson = _lesson(wish, card, report)
    window = _window(lesson)
    start = Export(name="training form, float32", path=wish.weights, network=network)
    made = [start, *_forms(wish, (network, card), lesson, window, report)]
    return judged(made, lesson, window, wish.looks, report)


def _lesson(wish: Wish, card: Card, report: Report) -> SICLesson:
    training = SICTraining(
        sr_weights=wish.sr_weights,
        name=card.architecture,
        hyper={key: value for key, value in card.config.items() if key != "in_channels"},
        channels=card.channels,
        crop=96,
        balance="cells",
        absolute_weight=0.1,
    )

    def refining(done: int, _: float) -> None:
        report("refine the samples", max(done, 0), 1)

    lesson, _ = sic_lesson(wish.data, training, CPU, refining)
    return replace(lesson, card=card)


def _window(lesson: SICLesson) -> Tensor:
    """The middle of the first validation world, as the network is given it."""
    image = given(lesson.held_out(0), lesson.card)
    side = lesson.card.window or SIDE
    top, left = (max(length - side, 0) // 2 for length in image.shape[-2:])
    return image[..., top : top + side, left : left + side].clone()


def _forms(
    wish: Wish,
    trained: tuple[nn.Module, Card],
    lesson: SICLesson,
    window: Tensor,
    report: Report,
) -> Iterator[Export]:
    network, card = trained
    simpler = fuse_layers(network)
    keep = partial(_kept, wish, window)
    plain = replace(card, form="folded")
    yield keep("folded, float32", "folded", simpler, plain)
    yield keep("folded, bfloat16", "bfloat16", _in_bfloat16(simpler), plain, "bfloat16")
    if wish.int8 == "no":
        return
    report("look at what convolutions read", 0, 1)
    rounding = fake_quantize(simpler, activation_ranges(simpler, _images(lesson)))
    eight = replace(card, form="int8")
    yield keep("int8, after training", "int8", quantize(rounding), eight)
    if wish.qat_steps:
        aware = _taught(rounding, lesson, wish, report)
        facts = {**card.training, "rounding": wish.qat_steps}
        one, two = lesson.calibration(aware)
        taught = replace(eight, training=facts, calibration=one, calibration_95=two)
        keep_aware = partial(keep, "int8, aware of it in training", "int8_aware")
        yield keep_aware(quantize(aware), taught)


@torch.no_grad()
def _in_bfloat16(network: nn.Module) -> nn.Module:
    """A copy whose kernels and matrices hold nothing that such a file cannot."""
    made = deepcopy(network)
    for parameter in made.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.bfloat16())
    return made


def _images(lesson: SICLesson) -> Iterator[Tensor]:
    """Training samples as they are learnt from, gaps and all."""
    for number in range(LOOKED_AT):
        yield given(lesson.source(np.random.default_rng((0, number)), 1), lesson.card)


def _taught(rounding: nn.Module, lesson: SICLesson, wish: Wish, report: Report) -> nn.Module:
    """The network after learning with the rounding; what it learns from is the last lesson's."""
    warm_up = max(wish.qat_steps // 10, 1)
    schedule = Schedule(steps=wish.qat_steps, batch=4, rate=5e-5, warm_up=warm_up, average=0.98)

    def learning(done: int, _: float) -> None:
        report("learn with the rounding", done, wish.qat_steps)

    with TemporaryDirectory(dir=wish.out) as folder:
        return train(lesson.task(rounding), schedule, Path(folder), CPU, learning)[0]


def _kept(
    wish: Wish,
    window: Tensor,
    name: str,
    suffix: str,
    network: nn.Module,
    card: Card,
    storage: Storage = "float32",
) -> Export:
    """A file of a network, which answers as the network does when it is loaded."""
    path = wish.out / f"{card.architecture}_{suffix}.safetensors"
    source = {"exported_from": weights_hash(wish.weights)[:12]}
    facts = replace(card, training={**card.training, **source}, commit=commit() or card.commit)
    save_model(path, network, facts, storage)
    made = Export(name=name, path=path, network=load_model(path, "sic")[0], precision=storage)
    tells = made.tells(window)
    if not torch.equal(tells, replace(made, network=network).tells(window)):
        path.unlink()
        raise OutputError(
            f"{path}, which answers otherwise when it is loaded",
            "the same answer, bit for bit",
            "export again; if it happens again, the disk or the memory is damaged",
        )
    if facts.form == "int8":
        _check_integers(
            path, tells, replace(made, network=float_backend_copy(network)).tells(window)
        )
    return made


def _check_integers(path: Path, by_integers: Tensor, by_floats: Tensor) -> None:
    """Compare an 8-bit network's prediction with that of its float form.

    The two round differently where a value lies halfway between two steps, so that a few cells
    may differ.

    Raises
    ------
    OutputError
        If concentration differs by more than `CLOSE` in more than one cell of a thousand.
    """
    apart = (by_integers - by_floats)[:, :1].abs() > CLOSE
    if float(apart.float().mean()) <= 1e-3:
        return
    path.unlink()
    raise OutputError(
        f"{path}, whose integer sums differ from float sums in {float(apart.float().mean()):.1%} "
        f"of cells",
        f"concentration within {CLOSE:.0%} in 999 of 1000 cells",
        "export without --int8, and report the processor and the version of PyTorch",
    )


def written(rows: Sequence[Row], wish: Wish) -> Path:
    """Write export.md into the wish's folder; its path."""
    worlds, rounds = wish.looks.worlds, wish.looks.rounds
    title = (
        f"{wish.weights.name}: error of concentration over {worlds} validation worlds, and time of "
        f"a window of {SIDE} x {SIDE} cells on {torch.get_num_threads()} CPU threads (median of "
        f"{rounds}, taken in turns). Convolutions of form int8 are computed "
        f"{'by integer sums' if int8_is_exact() else 'by float32 sums of the same integers'} here."
    )
    path = wish.out / "export.md"
    with atomic_file(path) as part:
        part.write_text(f"{title}\n\n{markdown(rows)}\n")
    return path
