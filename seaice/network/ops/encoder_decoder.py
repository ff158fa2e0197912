"""Any encoder under one decoder: an image in, concentration out.

The decoder is that of DeepLabv3+ (Chen et al. 2018, arXiv:1802.02611, section 3.1), which
`xception_aspp` has too, so that what differs between two networks is their encoders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.deeplab_decoder import Decoder, DecoderWidths
from seaice.network.ops.enlarge import Lie, enlarged
from seaice.network.ops.fine_skip import FineSkip, as_concentration

__all__ = ["DecoderHyper", "Encoder", "EncoderDecoder", "Offers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderHyper:
    """What the `Hyper` of every such network begins with."""

    in_channels: int = 3
    outputs: int = 1  #: 1: concentration; 2: its log-variance as well (ours)
    decoder: int = 256  #: channels of the decoder
    low_level: int = 48  #: that low-level features are reduced to
    fine: int = 16  #: channels of the full-resolution skip (ours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What an encoder offers a decoder."""

    low_level: int  #: channels of its finest features, at a stride of about 4
    deep: int  #: channels of its deepest features, at a stride of 4 to 16
    multiple_of: int  #: cells; images are padded to it, by replication
    lie: Lie  #: where its strided cells lie


class Encoder(Protocol):
    """A network whose features a decoder can read."""

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> low-level and deep features, each (batch, channel, y', x')."""
        ...


class EncoderDecoder(nn.Module):
    """An encoder, a 1x1 convolution, the decoder, and the skip at full resolution."""

    def __init__(
        self, hyper: DecoderHyper, encoder: Callable[[], nn.Module], offers: Offers
    ) -> None:
        super().__init__()
        self.hyper, self.offers = hyper, offers
        enlarge = partial(enlarged, lie=offers.lie)
        self.encoder = encoder()
        self.reduce = nn.Sequential(
            nn.Conv2d(offers.deep, hyper.decoder, 1, bias=False),
            nn.BatchNorm2d(hyper.decoder),
            nn.ReLU(),
        )
        widths = DecoderWidths(
            deep=hyper.decoder,
            low_level_in=offers.low_level,
            low_level=hyper.low_level,
            out=hyper.fine,
        )
        self.decoder = Decoder(widths, (0.0, 0.0), enlarge)
        self.fine = FineSkip(hyper.in_channels, hyper.fine, hyper.fine, hyper.outputs, enlarge)

    def forward(self, image: Tensor) -> Tensor:
        """Concentration, and its log-variance where offered.

        Parameters
        ----------
        image : (batch, channel, y, x), normalized; any y, x

        Returns
        -------
        (batch, outputs, y, x) float32: concentration 0-1; log-variance in [-10, 1]
        """
        rows, columns = image.shape[2:]
        unit = self.offers.multiple_of
        padded = F.pad(image, (0, -columns % unit, 0, -rows % unit), "replicate")
        low_level, deep = self.encoder.features(padded)  # type: ignore[operator]
        decoded = self.decoder(self.reduce(deep), low_level)
        return as_concentration(self.fine(decoded, padded)[..., :rows, :columns])
