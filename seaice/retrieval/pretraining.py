"""Pre-training of an encoder on maps without truth: most of a map is hidden and has to be output.

He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", CVPR, arXiv:2111.06377, for
`mae_vit`. Encoders that need a whole map see one learnt value in hidden patches and are read by a
single layer, as in Xie et al. 2022, "SimMIM", CVPR, arXiv:2111.09886.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.errors import NoInputError, SettingsError
from seaice.grid.blocks import SCALE
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.models.card import Card
from seaice.models.inputs import PUBLISHED_CHANNELS
from seaice.models.layers.decoder import EncoderDecoder
from seaice.models.layers.tokens import (
    PatchMask,
    masked_mse,
    normalized_patches,
    patchify,
    unpatchify,
)
from seaice.train.samples import Window, stack_batch
from seaice.train.trainer import Batch, BatchSource, Task

__all__ = [
    "MaskedPrediction",
    "PretrainingTask",
    "Target",
    "UnlabelledDay",
    "autoencoder_of",
    "centre_batch",
    "random_batch",
]

#: what is to be output of a hidden patch: its values, or its pattern, of mean 0 and variance 1
Target = Literal["values", "pattern"]
STRIDE = 16  #: of most encoders' deepest features
LEAST, MOST = 0.4, 0.8  #: share of patches that may be hidden


class MaskedPrediction(nn.Module):
    """An encoder that sees a map with hidden patches, and one layer that tells every cell."""

    def __init__(self, network: EncoderDecoder, patch: int) -> None:
        super().__init__()
        self.encoder, self.patch = network.encoder, patch
        self.unit = network.spec.multiple_of
        channels = network.config.in_channels
        self.stand_in = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.read = nn.Conv2d(network.spec.deep, channels * STRIDE**2, 1)

    def forward(self, image: Tensor, masking: PatchMask) -> Tensor:
        """What every patch is output to be, those that were shown as well.

        Parameters
        ----------
        image : (batch, channel, y, x), of whole patches
        masking : which of its patches are shown

        Returns
        -------
        (batch, patch, cells * channels), as `seaice.models.layers.tokens.patchify` orders them
        """
        grid = image.shape[2] // self.patch, image.shape[3] // self.patch
        cells = masking.hidden()[..., None].expand(-1, -1, self.patch**2)
        hidden = unpatchify(cells, self.patch, grid)
        seen = torch.where(hidden > 0, self.stand_in, image)
        rows, columns = image.shape[2:]
        padding = (0, -columns % self.unit, 0, -rows % self.unit)
        padded = F.pad(seen, padding, "replicate")
        _, deep = self.encoder.features(padded)  # type: ignore[operator]
        output = F.pixel_shuffle(self.read(deep), STRIDE)
        if output.shape != padded.shape:  # where features lie at another stride
            output = F.interpolate(output, size=padded.shape[2:], mode="bilinear")
        return patchify(output[..., :rows, :columns], self.patch)


def autoencoder_of(network: nn.Module, patch: int) -> nn.Module:
    """What pre-trains a network's encoder: its own autoencoder where it has one.

    Raises
    ------
    SettingsError
        If it has no encoder under the common decoder.
    """
    own: Callable[[], nn.Module] | None = getattr(network, "autoencoder", None)
    if own is not None:
        return own()
    if not isinstance(network, EncoderDecoder):
        raise SettingsError(
            f"{type(network).__module__.rpartition('.')[2]}, whose encoder stands for itself",
            "a network with an encoder under the common decoder",
            "choose mae_vit, cloformer, scalablevit, flowformer or another of `seaice models`",
        )
    return MaskedPrediction(network, patch)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingTask:
    """What is hidden, and what counts."""

    source: BatchSource  #: of batches without truth
    network_input: Callable[[Batch], Tensor]  #: batch -> (batch, channel, y, x), normalized
    card: Card
    validation_batch: Callable[[], Batch]  #: one batch that is never learnt from
    ratio: float = 0.75  #: share of patches that is hidden
    target: Target = "values"

    def __post_init__(self) -> None:
        if not LEAST <= self.ratio <= MOST:
            raise SettingsError(
                f"{self.ratio:.0%} of a map hidden",
                f"{LEAST:.0%} to {MOST:.0%}",
                "give a share between, as 0.75",
            )

    def task(self, autoencoder: nn.Module) -> Task:
        """This lesson for what `autoencoder_of` gives."""
        return Task(network=autoencoder, loss=self.loss, source=self.source, evaluate=self.evaluate)

    def loss(self, autoencoder: nn.Module, batch: Batch) -> Tensor:
        """Mean square error of V, H and V - H, normalized, in hidden cells that were observed."""
        image = self.network_input(batch)
        side = int(autoencoder.patch)  # type: ignore[arg-type]
        rows, columns = (length // side * side for length in image.shape[2:])
        image = image[..., :rows, :columns]
        patches = rows * columns // side**2
        masking = PatchMask.of(torch.rand(len(image), patches, device=image.device), self.ratio)
        output, target = autoencoder(image, masking), patchify(image, side)
        if self.target == "pattern":
            target = normalized_patches(target)
        return masked_mse(output, target, masking.hidden()[..., None] * self._counts(image, side))

    def _counts(self, image: Tensor, side: int) -> Tensor:
        """(batch, patch, cells * channels), 1 for what was observed of V, H and V - H."""
        channels = self.card.channels
        output = torch.tensor([float(name in PUBLISHED_CHANNELS) for name in channels])
        counts = output.to(image.device)[:, None, None].expand_as(image)
        if "valid" in channels:
            counts = counts * image[:, channels.index("valid")][:, None]
        return patchify(counts, side)

    @torch.inference_mode()
    def evaluate(self, autoencoder: nn.Module) -> Mapping[str, float]:
        """The error on the batch that is validation, the same patches hidden every time."""
        device = next(autoencoder.parameters()).device
        batch = {name: value.to(device) for name, value in self.validation_batch().items()}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return {"masked_error": float(self.loss(autoencoder, batch))}


TRIES = 50  #: windows drawn until one is observed
LEAST_OBSERVED = 0.3  #: share of a window that must have been observed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnlabelledDay:
    """A day that was mapped and refined."""

    refined: NDArray[np.float32]  #: (2, 4 y, 4 x) K, H then V, NaN where absent
    low: NDArray[np.float32]  #: (12, y, x) K
    frames: NDArray[np.float32]  #: (5, 2, y, x) K
    land: NDArray[np.bool_]  #: (4 y, 4 x)

    @classmethod
    def of(
        cls,
        refined: xr.Dataset,
        daily_map: xr.Dataset,
        stack: xr.Dataset,
        land: NDArray[np.bool_],
    ) -> "UnlabelledDay":
        """From the datasets of the stages, all of one day and one grid."""
        absent = np.full_like(daily_map["tb89h"].values, np.nan)
        low = [daily_map[name].values if name in daily_map else absent for name in LOW_CHANNELS]
        high = [stack[name].values for name in HIGH_CHANNELS]
        return cls(
            refined=np.stack([refined[name].values for name in HIGH_CHANNELS]),
            low=np.stack(low),
            frames=np.stack(high, axis=1),
            land=land,
        )

    def parts(self, window: Window) -> dict[str, NDArray[Any]]:
        """What `seaice.retrieval.task.network_input` needs; concentration is 0 where unknown."""
        land = np.where(self.land, np.float32("nan"), np.float32(0))
        return {
            "refined": window.of(self.refined, SCALE),
            "low": window.of(self.low, 1),
            "frames": window.of(self.frames, 1),
            "truth": window.of(land, SCALE),
        }


def random_batch(
    days: Sequence[UnlabelledDay], random: np.random.Generator, size: int, side: int
) -> Batch:
    """Samples at random places of random days, of which enough was observed.

    Parameters
    ----------
    size : samples
    side : coarse cells

    Raises
    ------
    NoInputError
        If hardly anything was observed anywhere.
    """

    side = min(side, *(length for day in days for length in day.low.shape[1:]))

    def sample() -> Mapping[str, NDArray[Any]]:
        for _ in range(TRIES):
            day = days[int(random.integers(len(days)))]
            shape = day.low.shape[1], day.low.shape[2]
            parts = day.parts(Window.drawn(random, 1, shape, side))
            if np.isfinite(parts["refined"]).mean() > LEAST_OBSERVED:
                return parts
        raise NoInputError(
            f"no window of {side} coarse cells with {LEAST_OBSERVED:.0%} observed in {TRIES} draws",
            "daily maps of open sea and ice",
            "give maps of more days, or of a larger region",
        )

    return stack_batch(sample, size)


def centre_batch(day: UnlabelledDay, side: int) -> Batch:
    """The middle of a day, as a batch of one."""
    window = Window.middle(0, (day.low.shape[1], day.low.shape[2]), side)
    return stack_batch(lambda: day.parts(window), 1)
