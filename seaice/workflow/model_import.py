"""Official checkpoints converted to weights files of this package, to start training from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from seaice.models.card import Card
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.inputs import new_sic_card as blank_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model, find_model
from seaice.models.weights import (
    WeightsMatch,
    match_weights,
    read_checkpoint_tensors,
    save_model,
    weights_hash,
)
from seaice.product.provenance import commit
from seaice.workflow.training.settings import compact

__all__ = ["Imported", "import_weights"]


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
