"""Alignment of frames by deformable convolution, temporal fusion, and their initialization.

Wang et al. 2019, "EDVR", CVPRW, arXiv:1905.02716, sections 3.2 (alignment) and 3.3 (fusion);
PMDRNet's progressive alignment uses the same unit. Parameter names are those of BasicSR, so that
its weights load unchanged.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.deformable import ConvGeometry, ModulatedDeformConvPack

__all__ = ["PCDAlignment", "TSAFusion", "TemporalFusion", "init_kaiming"]

SLOPE = 0.1  # of every leaky ReLU here


def _conv(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _leaky_relu(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE, inplace=True)


def _upsample2(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class PCDAlignment(nn.Module):
    """Offsets estimated at a quarter of the resolution, refined at a half and at full."""

    def __init__(self, num_feat: int, deformable_groups: int) -> None:
        super().__init__()
        levels = ("l3", "l2", "l1")
        geometry = ConvGeometry(deformable_groups=deformable_groups)

        def deformable() -> ModulatedDeformConvPack:
            return ModulatedDeformConvPack(num_feat, num_feat, (3, 3), geometry)

        self.offset_conv1 = nn.ModuleDict({k: _conv(2 * num_feat, num_feat) for k in levels})
        self.offset_conv2 = nn.ModuleDict(
            {k: _conv(num_feat if k == "l3" else 2 * num_feat, num_feat) for k in levels}
        )
        self.offset_conv3 = nn.ModuleDict({k: _conv(num_feat, num_feat) for k in levels[1:]})
        self.dcn_pack = nn.ModuleDict({k: deformable() for k in levels})
        self.feat_conv = nn.ModuleDict({k: _conv(2 * num_feat, num_feat) for k in levels[1:]})
        self.cas_offset_conv1 = _conv(2 * num_feat, num_feat)
        self.cas_offset_conv2 = _conv(num_feat, num_feat)
        self.cas_dcnpack = deformable()

    def forward(self, neighbour: Sequence[Tensor], reference: Sequence[Tensor]) -> Tensor:
        """Align the neighbour's features with the reference's.

        Parameters
        ----------
        neighbour, reference : features at full, half and quarter resolution,
            (batch, num_feat, y, x), (batch, num_feat, y/2, x/2), (batch, num_feat, y/4, x/4)

        Returns
        -------
        (batch, num_feat, y, x)
        """
        guide = self._guide("l3", neighbour[2], reference[2])
        guide = _leaky_relu(self.offset_conv2["l3"](guide))
        aligned = _leaky_relu(self.dcn_pack["l3"](neighbour[2], guide))
        guide, aligned = self._refine("l2", (neighbour[1], reference[1]), guide, aligned)
        _, aligned = self._refine("l1", (neighbour[0], reference[0]), guide, _leaky_relu(aligned))
        guide = torch.cat((aligned, reference[0]), dim=1)
        guide = _leaky_relu(self.cas_offset_conv2(_leaky_relu(self.cas_offset_conv1(guide))))
        return _leaky_relu(self.cas_dcnpack(aligned, guide))

    def _guide(self, level: str, neighbour: Tensor, reference: Tensor) -> Tensor:
        return _leaky_relu(self.offset_conv1[level](torch.cat((neighbour, reference), dim=1)))

    def _refine(
        self, level: str, pair: tuple[Tensor, Tensor], guide: Tensor, aligned: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One level finer: (guide, aligned), the aligned features not yet activated.

        An offset of one cell is an offset of two cells of half the size: the values of the guide
        are doubled when it is upsampled, those of the features are not.
        """
        fresh = self._guide(level, *pair)
        guide = torch.cat((fresh, _upsample2(guide) * 2), dim=1)
        guide = _leaky_relu(self.offset_conv2[level](guide))
        guide = _leaky_relu(self.offset_conv3[level](guide))
        moved = self.dcn_pack[level](pair[0], guide)
        return guide, self.feat_conv[level](torch.cat((moved, _upsample2(aligned)), dim=1))


class TemporalFusion(nn.Module):
    """Temporal attention and a 1x1 fusion."""

    def __init__(self, num_feat: int, num_frame: int, center_frame_idx: int) -> None:
        super().__init__()
        self.center_frame_idx = center_frame_idx
        self.temporal_attn1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)  # of the target
        self.temporal_attn2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)  # of every frame
        self.feat_fusion = nn.Conv2d(num_frame * num_feat, num_feat, 1)

    def weighted_frames(self, aligned: Tensor) -> Tensor:
        """Each frame times the sigmoid of its dot product with the target, per cell.

        There is no softmax over frames.

        Parameters
        ----------
        aligned : (batch, frame, channel, y, x)

        Returns
        -------
        (batch, frame * channel, y, x), frame-major
        """
        target = self.temporal_attn1(aligned[:, self.center_frame_idx])
        embedded: Tensor = self.temporal_attn2(aligned.flatten(0, 1))
        product = embedded.reshape(*aligned.shape[:2], *target.shape[1:]) * target[:, None]
        likeness = torch.sigmoid(product.sum(dim=2, keepdim=True))
        return (aligned * likeness).flatten(1, 2)

    def forward(self, aligned: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, channel, y, x)."""
        return _leaky_relu(self.feat_fusion(self.weighted_frames(aligned)))


class TSAFusion(TemporalFusion):
    """Temporal attention and fusion, then attention over a pyramid in space.

    y and x are multiples of 4.
    """

    def __init__(self, num_feat: int, num_frame: int, center_frame_idx: int) -> None:
        super().__init__(num_feat, num_frame, center_frame_idx)
        self.spatial_attn1 = nn.Conv2d(num_frame * num_feat, num_feat, 1)
        self.spatial_attn2 = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.spatial_attn3 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.spatial_attn4 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn5 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.spatial_attn_l1 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn_l2 = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.spatial_attn_l3 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.spatial_attn_add1 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn_add2 = nn.Conv2d(num_feat, num_feat, 1)

    def forward(self, aligned: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, channel, y, x)."""
        weighted_frames = self.weighted_frames(aligned)
        fused = _leaky_relu(self.feat_fusion(weighted_frames))
        attention = self._spatial_attention(_leaky_relu(self.spatial_attn1(weighted_frames)))
        added = self.spatial_attn_add2(_leaky_relu(self.spatial_attn_add1(attention)))
        out: Tensor = fused * torch.sigmoid(attention) * 2 + added
        return out

    def _spatial_attention(self, features: Tensor) -> Tensor:
        """Attention logits from features at half and quarter resolution."""
        half = _leaky_relu(self.spatial_attn2(self._pooled(features)))
        quarter = self._pooled(_leaky_relu(self.spatial_attn_l1(half)))
        quarter = _leaky_relu(self.spatial_attn_l3(_leaky_relu(self.spatial_attn_l2(quarter))))
        half = _leaky_relu(self.spatial_attn3(half)) + _upsample2(quarter)
        attention: Tensor = self.spatial_attn5(_upsample2(_leaky_relu(self.spatial_attn4(half))))
        return attention

    @staticmethod
    def _pooled(features: Tensor) -> Tensor:
        """Maximum and mean of 3x3 cells at half resolution; the mean includes the padding."""
        return torch.cat((F.max_pool2d(features, 3, 2, 1), F.avg_pool2d(features, 3, 2, 1)), dim=1)


def init_kaiming(network: nn.Module, slope: float) -> None:
    """Kaiming initialization of every convolution, which preserves variance; biases 0.

    He et al. 2015, ICCV, arXiv:1502.01852, eq. 15. PyTorch's default reduces the signal in every
    convolution and adds random biases. Offsets of deformable convolutions stay 0; their masks start
    at 1/2, for which their weights are doubled.

    Parameters
    ----------
    slope : of the leaky ReLUs between the convolutions
    """
    offsets = [m.conv_offset for m in network.modules() if isinstance(m, ModulatedDeformConvPack)]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | ModulatedDeformConvPack):
            nn.init.kaiming_normal_(module.weight, slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, ModulatedDeformConvPack):
            module.weight.data.mul_(2)
    for offset in offsets:
        nn.init.zeros_(offset.weight)
