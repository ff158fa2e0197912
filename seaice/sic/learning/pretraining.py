"""Pre-training of an encoder on maps without truth: most of a map is hidden and has to be told.

He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", CVPR, arXiv:2111.06377, for
`mae_vit`. Encoders that need a whole map see one learnt value in hidden patches and are read by a
single layer, as in Xie et al. 2022, "SimMIM", CVPR, arXiv:2111.09886.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import SettingsError
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
from seaice.train.trainer import Batch, BatchSource, Task

__all__ = ["MaskedPrediction", "PretrainingLesson", "Target", "autoencoder_of"]

#: what is to be told of a hidden patch: its values, or its pattern, of mean 0 and variance 1
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
        """What every patch is told to be, those that were shown as well.

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
        told = F.pixel_shuffle(self.read(deep), STRIDE)
        if told.shape != padded.shape:  # where features lie at another stride
            told = F.interpolate(told, size=padded.shape[2:], mode="bilinear")
        return patchify(told[..., :rows, :columns], self.patch)


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
class PretrainingLesson:
    """What is hidden, and what counts."""

    source: BatchSource  #: of batches without truth
    given: Callable[[Batch], Tensor]  #: batch -> (batch, channel, y, x), normalized
    card: Card
    held_out: Callable[[], Batch]  #: one batch that is never learnt from
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
        image = self.given(batch)
        side = int(autoencoder.patch)  # type: ignore[arg-type]
        rows, columns = (length // side * side for length in image.shape[2:])
        image = image[..., :rows, :columns]
        patches = rows * columns // side**2
        masking = PatchMask.of(torch.rand(len(image), patches, device=image.device), self.ratio)
        told, wanted = autoencoder(image, masking), patchify(image, side)
        if self.target == "pattern":
            wanted = normalized_patches(wanted)
        return masked_mse(told, wanted, masking.hidden()[..., None] * self._counts(image, side))

    def _counts(self, image: Tensor, side: int) -> Tensor:
        """(batch, patch, cells * channels), 1 for what was observed of V, H and V - H."""
        channels = self.card.channels
        told = torch.tensor([float(name in PUBLISHED_CHANNELS) for name in channels])
        counts = told.to(image.device)[:, None, None].expand_as(image)
        if "valid" in channels:
            counts = counts * image[:, channels.index("valid")][:, None]
        return patchify(counts, side)

    @torch.inference_mode()
    def evaluate(self, autoencoder: nn.Module) -> Mapping[str, float]:
        """The error on the batch that is held out, the same patches hidden every time."""
        device = next(autoencoder.parameters()).device
        batch = {name: value.to(device) for name, value in self.held_out().items()}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return {"masked_error": float(self.loss(autoencoder, batch))}
