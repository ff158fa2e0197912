"""Both networks learn at once: concentration's error reaches super-resolution too.

What refining leaves of the ice edge is then decided by what concentration needs of it. A small
weight on the error of brightness keeps brightness brightness, which other methods read as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.grid.blocks import SCALE, space_to_depth
from seaice.models.inputs import nearest_upsample, to_kelvin
from seaice.retrieval.task import LabelledCells, Prediction, SICTask, window_land_fractions
from seaice.train.samples import (
    FRAMES,
    SampleSet,
    Window,
    frames_of_sample,
    sample_frame_dropout,
    stack_batch,
)
from seaice.train.super_resolution import BrightnessJitter, SRTask, with_missing_swaths
from seaice.train.trainer import Batch, Task

__all__ = ["JointTask", "joint_model"]

TARGET = FRAMES // 2


def joint_model(sr: nn.Module, sic: nn.Module) -> nn.Module:
    """Two networks as one, with parts `sr` and `sic`.

    >>> [name for name, _ in joint_model(nn.Identity(), nn.Flatten()).named_children()]
    ['sr', 'sic']
    """
    return nn.ModuleDict({"sr": sr, "sic": sic})


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTask:
    """What both networks are to learn together.

    Samples, crop and what becomes of samples are those of `sic`; samples without quarters are as
    many as `sr` has.
    """

    sr: SRTask
    sic: SICTask
    brightness_weight: float = 0.1  #: of the error of super-resolution, beside concentration's

    def task(self, network: nn.Module) -> Task:
        """The task for two networks, as `joint_model` holds them."""
        return Task(network=network, loss=self.loss, source=self._source, evaluate=self.evaluate)

    def _source(self, random: np.random.Generator, size: int) -> Batch:
        def sample() -> dict[str, NDArray[Any]]:
            frames = list(sample_frame_dropout(random))
            parts = _read(self.sic.train, self.sic.train.draw(random, self.sic.crop))
            if random.random() < self.sic.low_missing:
                parts["low"][:] = np.nan
            if random.random() < self.sr.p_drop_3km:
                parts["halves"][:] = np.nan
            if random.random() < self.sic.gappy:
                seen = parts["tb"]
                parts["tb"] = with_missing_swaths(random, seen)
                lost = np.isnan(parts["tb"][TARGET]) > np.isnan(seen[TARGET])
                parts["low"][:, lost.any(0)] = np.nan
            if random.random() < self.sic.drifting:
                drift = BrightnessJitter.drawn(random)
                parts |= {name: drift.on(parts[name]) for name in ("tb", "halves", "brightness")}
            return _framed(parts, frames)

        return stack_batch(sample, size)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Error of concentration, and a weight times that of brightness."""
        refined, brightness = self._refined(network, batch)
        sic_batch = _to_concentration(batch, refined)
        concentration = self.sic.loss(network.get_submodule("sic"), sic_batch)
        return concentration + self.brightness_weight * brightness

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Scores of both networks.

        Returns
        -------
        As `LabelledCells.scores` and `SRTask.evaluate`
        """
        scores = self.labelled_cells(network).scores()
        return scores | self.sr.evaluate(network.get_submodule("sr"))

    @torch.inference_mode()
    def labelled_cells(self, network: nn.Module) -> LabelledCells:
        """What both together tell of the first validation samples.

        Each becomes the kind of day that `seaice.train.samples` makes of it, so that scores
        can stand beside those of `SICTask`.
        """
        device = next(network.parameters()).device

        def predict(sample: int) -> Prediction:
            parts = _read(self.sic.valid, self.sic.valid.whole(sample))
            framed = _framed(parts, frames_of_sample(sample))
            batch = {name: torch.from_numpy(v)[None].to(device) for name, v in framed.items()}
            sic_batch = _to_concentration(batch, self._refined(network, batch)[0])
            return self.sic.predict(network.get_submodule("sic"), sic_batch)

        return LabelledCells.of(
            map(predict, range(min(self.sic.valid_samples, len(self.sic.valid))))
        )

    def _refined(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The refined map, K, NaN where the target day was not seen; and how wrong it is."""
        sr_batch = {"truth": batch["brightness"]}
        sr_batch |= {name: batch[name] for name in ("tb", "quarters")}
        output = self.sr.refined(network.get_submodule("sr"), sr_batch)
        seen = torch.isfinite(batch["tb"][:, TARGET]).all(1, keepdim=True)
        kelvin = to_kelvin(output, self.sr.card)
        refined = torch.where(nearest_upsample(seen, SCALE), kelvin, torch.nan)
        return refined, self.sr.error(output, sr_batch)


def _to_concentration(batch: Batch, refined: Tensor) -> Batch:
    """What `SICTask` wants of a batch."""
    kept = {"frames": "tb", "low": "low", "land_shares": "land_shares", "truth": "concentration"}
    return {"refined": refined} | {name: batch[ours] for name, ours in kept.items()}


def _read(samples: SampleSet, window: Window) -> dict[str, NDArray[Any]]:
    return {
        "tb": samples.tb89(window),
        "halves": samples.tb89_3km(window),
        "low": samples.low(window),
        "land_shares": window_land_fractions(samples, window),
        "brightness": samples.truth_tb(window),
        "concentration": samples.truth_sic(window),
    }


def _framed(parts: Mapping[str, NDArray[Any]], frames: list[int]) -> dict[str, NDArray[Any]]:
    """What was read, as it is on a day when these frames stand where they do."""
    kept = {name: parts[name] for name in ("low", "land_shares", "brightness", "concentration")}
    return kept | {
        "tb": parts["tb"][frames],
        "quarters": space_to_depth(parts["halves"][frames]),
    }
