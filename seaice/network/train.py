"""A network, a loss and a source of samples in, a trained network out."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seaice.errors import SettingsError
from seaice.network import ranks
from seaice.network.batches import Batch, Source, Steps, made_ahead
from seaice.network.checkpoint import State, lay_down, take_up
from seaice.network.scalars import Scalars

__all__ = ["Batch", "Schedule", "Task", "train"]

BIT_NEUTRAL = ("max_minutes", "checkpoint_every", "log_every", "ahead", "loaders", "validate_every")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast a network learns."""

    steps: int = 2000
    batch: int = 8
    rate: float = 5e-4  #: highest learning rate; it rises over `warm_up`, then falls as a cosine
    warm_up: int = 100  #: steps
    decay: float = 1e-4  #: of weights
    average: float = 0.995  #: what the moving average keeps a step
    clip: float = 1.0  #: largest norm of a gradient
    paces: Mapping[str, float] = field(default_factory=dict)  #: factors of parts; 0: they stay
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    layout: Literal["channels_last", "contiguous"] = "channels_last"
    max_minutes: float = math.inf  #: of this call; what is reached then is the result
    checkpoint_every: int = 100  #: steps
    validate_every: int = 500  #: steps
    log_every: int = 20  #: steps
    ahead: int = 2  #: batches made while the network works
    loaders: int = 0  #: processes that make them; 0: a thread, which two cores have room for

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

    def binding(self) -> dict[str, object]:
        """The settings that the result depends on."""
        told = asdict(self) | ({} if self.paces else {"paces": None})
        return {k: v for k, v in told.items() if k not in BIT_NEUTRAL and v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be learnt; nothing here knows what the numbers mean."""

    network: nn.Module
    loss: Callable[[nn.Module, Batch], Tensor]
    source: Source  #: random numbers, batch size -> batch
    evaluate: Callable[[nn.Module], Mapping[str, float]]  #: scores of the averaged network


def train(
    task: Task,
    schedule: Schedule,
    folder: Path,
    device: torch.device,
    report: Callable[[int, float], None],
) -> tuple[nn.Module, int]:
    """Train until the steps or the minutes are spent, from where `folder` was left.

    A run that was killed and taken up again gives, on the same machine with the same number of
    threads, bit for bit what an undisturbed one gives: which samples a step sees, and every random
    number of the step, follow from the seed and the step. Several processes
    (`seaice.network.ranks`) share every batch and learn what one would; batch norm alone sees each
    process's share. The first one writes, and scores the network.

    Parameters
    ----------
    folder : for the checkpoint and the logs
    report : called with the steps done and the loss, in the first process

    Returns
    -------
    (network, steps) : the moving average, on the device, in eval; the steps it has seen

    Raises
    ------
    SettingsError
        If a checkpoint of other settings lies in `folder`, the loss is no longer finite, or a batch
        cannot be shared evenly.
    WeightsError
        If the checkpoint is damaged.
    """
    deadline = time.monotonic() + 60 * schedule.max_minutes
    state = _fresh(task.network, schedule, device)
    checkpoint = folder / "checkpoint.safetensors"
    take_up(state, checkpoint, schedule.binding())
    scalars = Scalars(folder, state.step) if ranks.leads() else None
    steps = Steps(source=task.source, seed=schedule.seed, samples=ranks.share(schedule.batch))
    wanted = range(state.step, schedule.steps)
    for batch in made_ahead(steps, wanted, schedule.ahead, schedule.loaders, device):
        loss = _step(state, task, schedule, batch)
        late = ranks.agreed(time.monotonic() > deadline, device)
        ends = late or state.step == schedule.steps
        if scalars is not None:
            _note(scalars, state, task, schedule, loss)
            if ends or state.step % schedule.checkpoint_every == 0:
                lay_down(state, checkpoint, schedule.binding())
            report(state.step, loss)
        if ends:
            break
    ranks.wait()  # so that none looks for a checkpoint that is still being laid down
    return state.average, state.step


def _note(scalars: Scalars, state: State, task: Task, schedule: Schedule, loss: float) -> None:
    if state.step % schedule.log_every == 0:
        scalars.add(state.step, {"loss": loss, "rate": schedule.rate_at(state.step - 1)})
    if state.step % schedule.validate_every == 0:
        scalars.add(state.step, task.evaluate(state.average))


def _fresh(network: nn.Module, schedule: Schedule, device: torch.device) -> State:
    placed = network.to(device)
    if schedule.layout == "channels_last":
        placed = placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = list(_groups(placed, schedule))
    optimizer = torch.optim.AdamW(groups, lr=schedule.rate, weight_decay=schedule.decay)
    average = deepcopy(placed).eval().requires_grad_(requires_grad=False)
    placed.train()
    for part, pace in schedule.paces.items():
        if not pace:  # its statistics stay as well
            placed.get_submodule(part).requires_grad_(requires_grad=False).eval()
    return State(network=placed, average=average, optimizer=optimizer)


def _groups(network: nn.Module, schedule: Schedule) -> Iterator[dict[str, Any]]:
    """Parameters that share a pace; the whole of the network but its slower parts comes first."""
    by_pace: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in network.named_parameters():
        own = [pace for part, pace in schedule.paces.items() if name.startswith(f"{part}.")]
        by_pace.setdefault(own[0] if own else 1.0, []).append(parameter)
    yield from ({"params": params, "pace": pace} for pace, params in by_pace.items())


def _step(state: State, task: Task, schedule: Schedule, batch: Batch) -> float:
    """One step of learning; the loss before it, of all processes."""
    device = next(state.network.parameters()).device
    torch.manual_seed(hash((schedule.seed, state.step)) + ranks.number())
    for group in state.optimizer.param_groups:
        group["lr"] = group["pace"] * schedule.rate_at(state.step)
    mixed = schedule.precision == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
        placed = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        loss = task.loss(state.network, placed)
    told = float(ranks.mean(loss))
    if not math.isfinite(told):
        raise SettingsError(
            f"a loss of {told} at step {state.step}",
            "a finite one",
            "lower the learning rate, and begin anew from the last checkpoint or from none",
        )
    state.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    ranks.average_gradients(state.network)
    nn.utils.clip_grad_norm_(state.network.parameters(), schedule.clip)
    state.optimizer.step()
    state.step += 1
    _follow(state, min(schedule.average, state.step / (state.step + 9)))
    return told


@torch.no_grad()
def _follow(state: State, keep: float) -> None:
    """Move the average a little towards the network; early steps are forgotten faster."""
    fresh = state.network.state_dict()
    for name, value in state.average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(fresh[name], 1 - keep)
        else:
            value.copy_(fresh[name])
