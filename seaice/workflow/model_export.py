"""Exports models for other runtimes, measures the exports, and imports published weights."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.inputs import new_sic_card as blank_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model, find_model
from seaice.models.weights import (
    Storage,
    WeightsMatch,
    load_model,
    load_trainable_model,
    match_weights,
    read_checkpoint_tensors,
    save_model,
    weights_hash,
)
from seaice.product.provenance import commit
from seaice.retrieval.task import SICTask, network_input
from seaice.train.trainer import Schedule, train
from seaice.workflow.training.train import SICTraining, compact, sic_task

__all__ = [
    "ExportConfig",
    "ExportProgress",
    "ExportResult",
    "ExportedModel",
    "Imported",
    "evaluate_exports",
    "export_model",
    "find_weights",
    "import_weights",
    "markdown",
    "write_report",
]

SIDE = 384  #: side in cells of the window that is timed
TOLERANCE = 0.01  #: concentration, of an 8-bit network and its float form
RANGE_SAMPLES = 16  #: training samples from which input ranges of convolutions are taken
CPU = torch.device("cpu")


ExportProgress = Callable[[str, int, int], None]  #: name of the step, done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """One exported file and its precision."""

    name: str
    path: Path
    network: nn.Module  #: as loaded from the file
    precision: Storage = "float32"

    @torch.inference_mode()
    def predict(self, image: Tensor) -> Tensor:
        """The prediction, computed like that of maps."""
        with self._running():
            predictions: Tensor = self.network(image.contiguous(memory_format=torch.channels_last))
        return predictions.float()

    def _running(self) -> AbstractContextManager[None]:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """Error, time and size of one file."""

    name: str
    rmse: float  #: of concentration, %, over the validation worlds
    change: float  #: largest, of concentration, against the training form, %
    seconds: float  #: of a window, median
    size: int  #: bytes of the file
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """What to export, and how to evaluate it."""

    model: str
    weights: Path
    out: Path  #: folder of the files and the table
    data: Path  #: folder of the sample sets
    sr_weights: Path | None  #: whose refined maps it reads; None: bicubic
    int8: bool = False  #: also int8
    qat_steps: int = 0  #: steps of quantization-aware training
    worlds: int = 24  #: validation worlds that are scored
    rounds: int = 9  #: rounds of timing


def find_weights(name: str, data: Path) -> Path:
    """Weights of a network: those trained in a folder, or those shipped.

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
            "one for 'sic', which the validation worlds can score",
            "see `seaice models`",
        )
    shipped = Path(str(files("seaice"))) / "models" / "sic" / "weights"
    for folder in (data / "weights", shipped):
        if (path := folder / f"{name}.safetensors").exists():
            return path
    raise WeightsError(
        f"no weights of {name} in {data / 'weights'}, and none are shipped",
        "a file of trained weights",
        f"give --weights FILE, or train with seaice train sic --model {name}",
    )


def export_model(config: ExportConfig, report: ExportProgress) -> list[ExportResult]:
    """Write every form of a network, load each again, and compare it with the training form.

    Parameters
    ----------
    report : called with the name of the step, the amount done and the total

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
        If int8 is requested, and the network has no convolution that can be quantized.
    OutputError
        If a file cannot be written, or its prediction differs after loading.
    """
    network, card = load_trainable_model(config.weights, "sic")
    if card.architecture != find_model(config.model).name:
        raise WeightsError(
            f"{config.weights} holds {card.architecture}",
            f"weights of {config.model}",
            f"write --model {card.architecture}, or give another file",
        )
    task = _sic_task(config, card, report)
    window = _window(task)
    start = ExportedModel(name="training form, float32", path=config.weights, network=network)
    exports = [start, *_exported_forms(config, (network, card), task, window, report)]
    return evaluate_exports(exports, task, window, config, report)


def _sic_task(config: ExportConfig, card: Card, report: ExportProgress) -> SICTask:
    training = SICTraining(
        sr_weights=config.sr_weights,
        name=card.architecture,
        hyper={key: value for key, value in card.config.items() if key != "in_channels"},
        channels=card.channels,
        crop=96,
        balance="cells",
        absolute_weight=0.1,
    )

    def refining(done: int, _: float) -> None:
        report("refine the samples", max(done, 0), 1)

    task, _ = sic_task(config.data, training, CPU, refining)
    return replace(task, card=card)


def _window(task: SICTask) -> Tensor:
    """The input of the network at the centre of the first validation world."""
    image = network_input(task.validation_batch(0), task.card)
    side = task.card.window or SIDE
    top, left = (max(length - side, 0) // 2 for length in image.shape[-2:])
    return image[..., top : top + side, left : left + side].clone()


def _exported_forms(
    config: ExportConfig,
    trained: tuple[nn.Module, Card],
    task: SICTask,
    window: Tensor,
    report: ExportProgress,
) -> Iterator[ExportedModel]:
    network, card = trained
    simpler = fuse_layers(network)
    keep = partial(_save_and_verify, config, window)
    plain = replace(card, form="folded")
    yield keep("folded, float32", "folded", simpler, plain)
    yield keep("folded, bfloat16", "bfloat16", _in_bfloat16(simpler), plain, "bfloat16")
    if not config.int8:
        return
    report("input ranges of convolutions", 0, 1)
    rounding = fake_quantize(simpler, activation_ranges(simpler, _images(task)))
    eight = replace(card, form="int8")
    yield keep("int8, after training", "int8", quantize(rounding), eight)
    if config.qat_steps:
        aware = _train_quantized(rounding, task, config, report)
        facts = {**card.training, "rounding": config.qat_steps}
        one, two = task.calibration(aware)
        card_channels = replace(eight, training=facts, calibration=one, calibration_95=two)
        keep_aware = partial(keep, "int8, aware of it in training", "int8_aware")
        yield keep_aware(quantize(aware), card_channels)


@torch.no_grad()
def _in_bfloat16(network: nn.Module) -> nn.Module:
    """A copy with kernels and matrices rounded to bfloat16."""
    copy = deepcopy(network)
    for parameter in copy.parameters():
        if parameter.ndim > 1:
            parameter.copy_(parameter.bfloat16())
    return copy


def _images(task: SICTask) -> Iterator[Tensor]:
    """Training samples, with gaps."""
    for number in range(RANGE_SAMPLES):
        yield network_input(task.source(np.random.default_rng((0, number)), 1), task.card)


def _train_quantized(
    rounding: nn.Module, task: SICTask, config: ExportConfig, report: ExportProgress
) -> nn.Module:
    """The network after quantization-aware training on the data of the task."""
    warm_up = max(config.qat_steps // 10, 1)
    schedule = Schedule(steps=config.qat_steps, batch=4, rate=5e-5, warm_up=warm_up, average=0.98)

    def learning(done: int, _: float) -> None:
        report("quantization-aware training", done, config.qat_steps)

    with TemporaryDirectory(dir=config.out) as folder:
        return train(task.task(rounding), schedule, Path(folder), CPU, learning)[0]


def _save_and_verify(
    config: ExportConfig,
    window: Tensor,
    name: str,
    suffix: str,
    network: nn.Module,
    card: Card,
    storage: Storage = "float32",
) -> ExportedModel:
    """Write a file of a network and check that its prediction is the same after loading."""
    path = config.out / f"{card.architecture}_{suffix}.safetensors"
    source = {"exported_from": weights_hash(config.weights)[:12]}
    facts = replace(card, training={**card.training, **source}, commit=commit() or card.commit)
    save_model(path, network, facts, storage)
    exported = ExportedModel(
        name=name, path=path, network=load_model(path, "sic")[0], precision=storage
    )
    prediction = exported.predict(window)
    if not torch.equal(prediction, replace(exported, network=network).predict(window)):
        path.unlink()
        raise OutputError(
            f"{path}, whose prediction differs after loading",
            "a bit-identical prediction",
            "export again; if it happens again, the disk or the memory is damaged",
        )
    if facts.form == "int8":
        _check_int8(
            path, prediction, replace(exported, network=float_backend_copy(network)).predict(window)
        )
    return exported


def _check_int8(path: Path, by_integers: Tensor, by_floats: Tensor) -> None:
    """Compare an 8-bit network's prediction with that of its float form.

    The two round differently where a value lies halfway between two steps, so that a few cells
    may differ.

    Raises
    ------
    OutputError
        If concentration differs by more than `TOLERANCE` in more than one cell of a thousand.
    """
    differs = (by_integers - by_floats)[:, :1].abs() > TOLERANCE
    if float(differs.float().mean()) <= 1e-3:
        return
    path.unlink()
    raise OutputError(
        f"{path}, whose integer sums differ from float sums in {float(differs.float().mean()):.1%} "
        f"of cells",
        f"concentration within {TOLERANCE:.0%} in 999 of 1000 cells",
        "export without --int8, and report the processor and the version of PyTorch",
    )


def write_report(rows: Sequence[ExportResult], config: ExportConfig) -> Path:
    """Write export.md into the wish's folder; its path."""
    worlds, rounds = config.worlds, config.rounds
    title = (
        f"{config.weights.name}: error of concentration over {worlds} validation worlds, and time "
        f"of a window of {SIDE} x {SIDE} cells on {torch.get_num_threads()} CPU threads (median of "
        f"{rounds}, taken in turns). Convolutions of form int8 are computed "
        f"{'by integer sums' if int8_is_exact() else 'by float32 sums of the same integers'} here."
    )
    path = config.out / "export.md"
    with atomic_file(path) as part:
        part.write_text(f"{title}\n\n{markdown(rows)}\n")
    return path


def evaluate_exports(
    exports: Sequence[ExportedModel],
    task: SICTask,
    window: Tensor,
    config: ExportConfig,
    report: ExportProgress,
) -> list[ExportResult]:
    """Score and time files, and compare them with the first.

    Parameters
    ----------
    window : (1, channel, y, x), normalized, that is timed
    config : numbers of worlds and of timing rounds
    report : called with the name of the step, the amount done and the total
    """
    errors = _errors(exports, task, min(config.worlds, len(task.valid)), report)
    seconds = _timed(exports, window, config.rounds, report)
    return [
        ExportResult(
            name=one.name,
            rmse=100 * rmse,
            change=100 * change,
            seconds=took,
            size=one.path.stat().st_size,
            file=one.path.name,
        )
        for one, (rmse, change), took in zip(exports, errors, seconds, strict=True)
    ]


@torch.inference_mode()
def _errors(
    exports: Sequence[ExportedModel], task: SICTask, worlds: int, report: ExportProgress
) -> list[tuple[float, float]]:
    """RMSE against truth and largest change against the first, 0-1, of each over the worlds."""
    squares, changes, cells = [0.0] * len(exports), [0.0] * len(exports), 0
    for world in range(worlds):
        report("score on the validation worlds", world, worlds)
        batch = task.validation_batch(world)
        predictions = [task.predict(one.predict, batch) for one in exports]  # type: ignore[arg-type]
        known, truth = predictions[0].known, predictions[0].truth
        reference = predictions[0].output[:, :1]
        cells += int(known.sum())
        for index, prediction in enumerate(predictions):
            sic = prediction.output[:, :1]
            squares[index] += float((sic - truth)[known].double().square().sum())
            changes[index] = max(changes[index], float((sic - reference)[known].abs().max()))
    return [
        ((square / cells) ** 0.5, change) for square, change in zip(squares, changes, strict=True)
    ]


def _timed(
    exports: Sequence[ExportedModel], window: Tensor, rounds: int, report: ExportProgress
) -> list[float]:
    """Median seconds of a window; files alternate, so that other load affects all equally."""
    took: list[list[float]] = [[] for _ in exports]
    for turn in range(rounds + 1):
        report("time a window", turn, rounds + 1)
        for one, seconds in zip(exports, took, strict=True):
            began = time.perf_counter()
            one.predict(window)
            seconds.append(time.perf_counter() - began)
    return [median(seconds[1:]) for seconds in took]  # the first round is a warm-up


def markdown(rows: Sequence[ExportResult]) -> str:
    """One table, a row for each form."""
    header = (
        "form", "RMSE, %", "loss, % points", "largest change, %", "s a window", "speed-up", "kB",
        "file",
    )  # fmt: skip
    reference = rows[0]
    lines = [f"| {' | '.join(header)} |", "| --- |" + 6 * " ---: |" + " --- |"]
    for row in rows:
        figures = (
            f"{row.rmse:.3f}", f"{row.rmse - reference.rmse:+.3f}", f"{row.change:.3g}",
            f"{row.seconds:.4f}", f"{reference.seconds / row.seconds:.2f}", f"{row.size / 1e3:.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join((row.name, *figures, row.file))} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The weights file, and which tensors of the checkpoint it uses."""

    path: Path
    fit: WeightsMatch

    def summary(self) -> str:
        """A summary for the command line."""
        used, fresh, unused = map(len, (self.fit.tensors, self.fit.fresh, self.fit.unused))
        lines = [f"{used} tensors used, {fresh} with fresh weights, {unused} of the file not used"]
        if self.fit.adapted:
            lines.append(f"adapted from three colours: {', '.join(self.fit.adapted)}")
        return "\n".join([*lines, str(self.path)])


def import_weights(
    name: str, file: Path, out: Path, size: str, hyper: Mapping[str, Any], seed: int = 0
) -> Imported:
    """Initialize a network of the registry from an official checkpoint, as far as it goes.

    Parameters
    ----------
    name : of the network
    file : safetensors, or .pth with tensors only
    out : path of the weights to write
    size : "published" or "compact", to which `hyper` is added
    seed : of parts with fresh weights

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsError
        If the file cannot be read or does not fit.
    """
    entry = find_model(name)
    sizes = {**(compact(name) if size == "compact" else {}), **hyper}
    card = _card(name, entry.role, sizes)
    torch.manual_seed(seed)
    network = create_model(name, card.config)
    part = network.get_submodule(entry.encoder)
    fit = match_weights(part, read_checkpoint_tensors(file))
    part.load_state_dict(dict(fit.tensors), strict=False)
    training = {"imported": file.name, "sha256": weights_hash(file), "adapted": list(fit.adapted)}
    card = replace(card, training=training, seed=seed, commit=commit() or "")
    save_model(out, network, card)
    return Imported(path=out, fit=fit)


def _card(name: str, role: str, hyper: Mapping[str, Any]) -> Card:
    if role == "sr":
        return blank_sr_card(name, hyper)
    return blank_sic_card(name, {**hyper, "outputs": hyper.get("outputs", 2)}, SIC_CHANNELS)
