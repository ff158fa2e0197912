"""The training loop: schedule, batches, checkpoints, averaged weights, and logs."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from seaice.errors import SettingsError, WeightsError
from seaice.files import atomic_file
from seaice.train import distributed

__all__ = [
    "Batch",
    "BatchSource",
    "ScalarLog",
    "Schedule",
    "StepDataset",
    "Task",
    "TrainingState",
    "load_checkpoint",
    "prefetch",
    "save_checkpoint",
    "train",
]

Batch = Mapping[str, Tensor]
BatchSource = Callable[[np.random.Generator, int], Batch]  #: random numbers, batch size -> batch


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDataset(Dataset[Batch]):
    """The samples of every step, determined by seed, step and index in the batch."""

    source: BatchSource
    seed: int
    samples: range  #: indices in the batch that this process computes

    def __getitem__(self, step: int) -> Batch:
        each = [
            self.source(np.random.default_rng((self.seed, step, place)), 1)
            for place in self.samples
        ]
        return {name: torch.cat([sample[name] for sample in each]) for name in each[0]}


def prefetch(
    steps: StepDataset, order: range, ahead: int, loaders: int, device: torch.device
) -> Iterator[Batch]:
    """The batches of some steps in order, prepared in the background.

    Parameters
    ----------
    order : steps
    ahead : number of batches that each loader prepares in advance
    loaders : processes that prepare batches; 0: a thread of this process. The source of `steps`
        must be picklable
    device : target of the batches; for CUDA they are in pinned memory
    """
    if loaders:
        yield from DataLoader(
            steps,
            sampler=order,
            batch_size=None,
            num_workers=loaders,
            prefetch_factor=max(ahead, 1),
            pin_memory=device.type == "cuda",
            multiprocessing_context="spawn",
        )
    else:
        yield from _prefetch_by_thread(steps, order, ahead, device)


def _prefetch_by_thread(
    steps: StepDataset, order: range, ahead: int, device: torch.device
) -> Iterator[Batch]:
    def make(step: int) -> Batch:
        batch = steps[step]
        if device.type == "cuda":
            return {name: value.pin_memory() for name, value in batch.items()}
        return batch

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for step in order:
            waiting.append(pool.submit(make, step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """All that training changes. Random numbers depend on seed and step only."""

    network: nn.Module
    average: nn.Module  #: exponential moving average of the network
    optimizer: torch.optim.AdamW
    step: int = 0  #: steps done

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the state by name; an optimizer without steps is initialized."""
        yield from ((f"network.{k}", v) for k, v in self.network.state_dict().items())
        yield from ((f"average.{k}", v) for k, v in self.average.state_dict().items())
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state[parameter]
            if not state:
                state["step"] = torch.zeros(())
                state |= {key: torch.zeros_like(parameter) for key in MOMENTS}
            yield from ((f"optimizer.{name}.{key}", state[key]) for key in ("step", *MOMENTS))


def save_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Write the state to `path` atomically.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors()}
    metadata = {"step": str(state.step), "settings": json.dumps(settings, sort_keys=True)}
    with atomic_file(path) as part:
        save_file(tensors, part, metadata=metadata)


def load_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Restore `state` from the checkpoint `path`; without a file the state is not changed.

    Raises
    ------
    SettingsError
        If the checkpoint has other settings.
    WeightsError
        If the file is damaged or of another network.
    """
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_settings(path, metadata.get("settings"), settings)
            for name, value in state.tensors():
                with torch.no_grad():
                    value.copy_(file.get_tensor(name))
            state.step = int(metadata["step"])
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise WeightsError(
            f"checkpoint {path} cannot be read ({error})",
            "a whole checkpoint of this network",
            "remove it to start again",
        ) from error


def _check_settings(path: Path, found: str | None, settings: Mapping[str, Any]) -> None:
    expected = json.dumps(settings, sort_keys=True)
    if found != expected:
        raise SettingsError(
            f"checkpoint {path} was made with {found}",
            f"the settings of this run, {expected}",
            "remove the checkpoint to start again, or train with its settings",
        )


class ScalarLog:
    """Scalars by step, as JSON lines, and for TensorBoard where it is installed.

    Entries after `step`, from a run that was killed, are removed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        self._path.write_text("".join(f"{line}\n" for line in kept))
        self._begun = time.monotonic()
        self._board = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Append scalars of a step."""
        minutes = round((time.monotonic() - self._begun) / 60, 2)
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, "minutes": minutes, **numbers}) + "\n")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)


#: fields of `Schedule` that may differ when a run is resumed
IGNORED_FOR_RESUME = (
    "max_minutes",
    "checkpoint_every",
    "log_every",
    "ahead",
    "loaders",
    "validate_every",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Number of steps, learning rate, batch size and other settings of the training loop."""

    steps: int = 2000
    batch: int = 8
    rate: float = 5e-4  #: peak learning rate; linear over `warm_up`, then cosine decay
    warm_up: int = 100  #: steps
    decay: float = 1e-4  #: weight decay
    average: float = 0.995  #: decay of the moving average of weights, per step
    clip: float = 1.0  #: largest gradient norm
    lr_multipliers: Mapping[str, float] = field(default_factory=dict)  #: by submodule; 0: frozen
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    layout: Literal["channels_last", "contiguous"] = "channels_last"
    max_minutes: float = math.inf  #: of this call; training ends then
    checkpoint_every: int = 100  #: steps
    validate_every: int = 500  #: steps
    log_every: int = 20  #: steps
    ahead: int = 2  #: batches prepared in advance
    loaders: int = 0  #: processes that prepare batches; 0: a thread

    def rate_at(self, step: int) -> float:
        """The learning rate of a step.

        >>> schedule = Schedule(steps=100, warm_up=10, rate=1.0)
        >>> [round(schedule.rate_at(step), 2) for step in (0, 9, 55, 99)]
        [0.1, 1.0, 0.48, 0.0]
        """
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        left = (step - self.warm_up + 1) / max(self.steps - self.warm_up, 1)
        return self.rate * 0.5 * (1 + math.cos(math.pi * left))

    def result_settings(self) -> dict[str, object]:
        """The settings that the result depends on."""
        settings = asdict(self)
        # "paces" is the key in checkpoints of version 0.1, which can so be resumed
        settings["paces"] = settings.pop("lr_multipliers") or None
        return {k: v for k, v in settings.items() if k not in IGNORED_FOR_RESUME and v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A training task: network, loss, data and scores."""

    network: nn.Module
    loss: Callable[[nn.Module, Batch], Tensor]
    source: BatchSource  #: random numbers, batch size -> batch
    evaluate: Callable[[nn.Module], Mapping[str, float]]  #: scores of the averaged network


def train(
    task: Task,
    schedule: Schedule,
    folder: Path,
    device: torch.device,
    report: Callable[[int, float], None],
) -> tuple[nn.Module, int]:
    """Train for the steps or minutes of the schedule, resuming from a checkpoint in `folder`.

    A run that was killed and resumed gives, on the same machine with the same number of threads,
    bit-identical results to an uninterrupted one: the samples and random numbers of a step depend
    on the seed and the step. Several processes (`seaice.train.distributed`) divide every batch and
    give the result of one, except that batch norm uses the samples of each process. The main
    process writes files and computes scores.

    Parameters
    ----------
    folder : for the checkpoint and the logs
    report : called with the steps done and the loss, in the main process

    Returns
    -------
    (network, steps) : the moving average, on the device, in eval mode; the steps done

    Raises
    ------
    SettingsError
        If `folder` has a checkpoint of other settings, the loss is not finite, or a batch cannot be
        divided evenly among the processes.
    WeightsError
        If the checkpoint is damaged.
    """
    deadline = time.monotonic() + 60 * schedule.max_minutes
    state = _new_state(task.network, schedule, device)
    checkpoint = folder / "checkpoint.safetensors"
    load_checkpoint(state, checkpoint, schedule.result_settings())
    scalars = ScalarLog(folder, state.step) if distributed.is_main_process() else None
    steps = StepDataset(
        source=task.source, seed=schedule.seed, samples=distributed.rank_indices(schedule.batch)
    )
    remaining = range(state.step, schedule.steps)
    for batch in prefetch(steps, remaining, schedule.ahead, schedule.loaders, device):
        loss = _step(state, task, schedule, batch)
        late = distributed.broadcast_bool(time.monotonic() > deadline, device)
        ends = late or state.step == schedule.steps
        if scalars is not None:
            _log(scalars, state, task, schedule, loss)
            if ends or state.step % schedule.checkpoint_every == 0:
                save_checkpoint(state, checkpoint, schedule.result_settings())
            report(state.step, loss)
        if ends:
            break
    distributed.barrier()  # so that no process reads a checkpoint that is being written
    return state.average, state.step


def _log(
    scalars: ScalarLog, state: TrainingState, task: Task, schedule: Schedule, loss: float
) -> None:
    if state.step % schedule.log_every == 0:
        scalars.add(state.step, {"loss": loss, "rate": schedule.rate_at(state.step - 1)})
    if state.step % schedule.validate_every == 0:
        scalars.add(state.step, task.evaluate(state.average))


def _new_state(network: nn.Module, schedule: Schedule, device: torch.device) -> TrainingState:
    placed = network.to(device)
    if schedule.layout == "channels_last":
        placed = placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = list(_parameter_groups(placed, schedule))
    optimizer = torch.optim.AdamW(groups, lr=schedule.rate, weight_decay=schedule.decay)
    average = deepcopy(placed).eval().requires_grad_(requires_grad=False)
    placed.train()
    for part, multiplier in schedule.lr_multipliers.items():
        if not multiplier:  # batch norm statistics are frozen as well
            placed.get_submodule(part).requires_grad_(requires_grad=False).eval()
    return TrainingState(network=placed, average=average, optimizer=optimizer)


def _parameter_groups(network: nn.Module, schedule: Schedule) -> Iterator[dict[str, Any]]:
    """Parameters grouped by learning rate multiplier; multiplier 1 comes first."""
    by_multiplier: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in network.named_parameters():
        own = [
            multiplier
            for part, multiplier in schedule.lr_multipliers.items()
            if name.startswith(f"{part}.")
        ]
        by_multiplier.setdefault(own[0] if own else 1.0, []).append(parameter)
    yield from (
        {"params": params, "lr_multiplier": multiplier}
        for multiplier, params in by_multiplier.items()
    )


def _step(state: TrainingState, task: Task, schedule: Schedule, batch: Batch) -> float:
    """One training step; returns the loss before it, averaged over processes."""
    device = next(state.network.parameters()).device
    torch.manual_seed(hash((schedule.seed, state.step)) + distributed.rank())
    for group in state.optimizer.param_groups:
        group["lr"] = group["lr_multiplier"] * schedule.rate_at(state.step)
    mixed = schedule.precision == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
        placed = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        loss = task.loss(state.network, placed)
    loss_value = float(distributed.mean_over_processes(loss))
    if not math.isfinite(loss_value):
        raise SettingsError(
            f"a loss of {loss_value} at step {state.step}",
            "a finite one",
            "lower the learning rate, and start again from the last checkpoint or without one",
        )
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    distributed.average_gradients(state.network)
    nn.utils.clip_grad_norm_(state.network.parameters(), schedule.clip)
    state.optimizer.step()
    state.step += 1
    _update_average(state, min(schedule.average, state.step / (state.step + 9)))
    return loss_value


@torch.no_grad()
def _update_average(state: TrainingState, keep: float) -> None:
    """Update the exponential moving average of the weights, faster in early steps."""
    fresh = state.network.state_dict()
    for name, value in state.average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(fresh[name], 1 - keep)
        else:
            value.copy_(fresh[name])
