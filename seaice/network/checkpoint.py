"""A training run laid down and taken up again: safetensors and JSON, nothing executable."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from seaice.errors import SettingsError, WeightsError
from seaice.files import atomic_file

__all__ = ["State", "lay_down", "take_up"]

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that training changes. Random numbers follow from seed and step alone."""

    network: nn.Module
    average: nn.Module  #: exponential moving average of the network
    optimizer: torch.optim.AdamW
    step: int = 0  #: steps done

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the state by a name; an optimizer that never stepped is set up."""
        yield from ((f"network.{k}", v) for k, v in self.network.state_dict().items())
        yield from ((f"average.{k}", v) for k, v in self.average.state_dict().items())
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state[parameter]
            if not state:
                state["step"] = torch.zeros(())
                state |= {key: torch.zeros_like(parameter) for key in MOMENTS}
            yield from ((f"optimizer.{name}.{key}", state[key]) for key in ("step", *MOMENTS))


def lay_down(state: State, path: Path, settings: Mapping[str, Any]) -> None:
    """Write the state to `path`, whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors()}
    told = {"step": str(state.step), "settings": json.dumps(settings, sort_keys=True)}
    with atomic_file(path) as part:
        save_file(tensors, part, metadata=told)


def take_up(state: State, path: Path, settings: Mapping[str, Any]) -> None:
    """Bring `state` to where `path` was laid down; where no file is, it stays as it is.

    Raises
    ------
    SettingsError
        If the file was laid down under other settings.
    WeightsError
        If the file is damaged or of another network.
    """
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            _check_settings(path, told.get("settings"), settings)
            for name, value in state.tensors():
                with torch.no_grad():
                    value.copy_(file.get_tensor(name))
            state.step = int(told["step"])
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise WeightsError(
            f"checkpoint {path} cannot be taken up ({error})",
            "a whole checkpoint of this network",
            "remove it to begin anew",
        ) from error


def _check_settings(path: Path, found: str | None, settings: Mapping[str, Any]) -> None:
    expected = json.dumps(settings, sort_keys=True)
    if found != expected:
        raise SettingsError(
            f"checkpoint {path} was made with {found}",
            f"the settings of this run, {expected}",
            "remove the checkpoint to begin anew, or train with its settings",
        )
