"""Pyramid, cascading and deformable alignment: one frame's features moved onto another's.

Wang et al. 2019, "EDVR", CVPRW, arXiv:1905.02716, section 3.2; the unit of PMDRnet's progressive
alignment as well. Parameter names are those of BasicSR, so that its weights load as they are.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.deformable import Geometry, ModulatedDeformConvPack

__all__ = ["PCDAlignment"]

SLOPE = 0.1  # of every leaky ReLU here


def _conv(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _activated(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE, inplace=True)


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class PCDAlignment(nn.Module):
    """Offsets found at a quarter of the resolution, refined at a half and at the whole."""

    def __init__(self, num_feat: int, deformable_groups: int) -> None:
        super().__init__()
        levels = ("l3", "l2", "l1")
        geometry = Geometry(deformable_groups=deformable_groups)

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
        neighbour, reference : features at the whole, a half and a quarter of the resolution,
            (batch, num_feat, y, x), (batch, num_feat, y/2, x/2), (batch, num_feat, y/4, x/4)

        Returns
        -------
        (batch, num_feat, y, x)
        """
        guide = self._guide("l3", neighbour[2], reference[2])
        guide = _activated(self.offset_conv2["l3"](guide))
        aligned = _activated(self.dcn_pack["l3"](neighbour[2], guide))
        guide, aligned = self._refine("l2", (neighbour[1], reference[1]), guide, aligned)
        _, aligned = self._refine("l1", (neighbour[0], reference[0]), guide, _activated(aligned))
        guide = torch.cat((aligned, reference[0]), dim=1)
        guide = _activated(self.cas_offset_conv2(_activated(self.cas_offset_conv1(guide))))
        return _activated(self.cas_dcnpack(aligned, guide))

    def _guide(self, level: str, neighbour: Tensor, reference: Tensor) -> Tensor:
        return _activated(self.offset_conv1[level](torch.cat((neighbour, reference), dim=1)))

    def _refine(
        self, level: str, pair: tuple[Tensor, Tensor], guide: Tensor, aligned: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One level finer: (guide, aligned), the aligned features not yet activated.

        A move of one cell is a move of two cells of half the size: the guide is doubled in value
        when it is enlarged, the features are not.
        """
        fresh = self._guide(level, *pair)
        guide = torch.cat((fresh, _doubled(guide) * 2), dim=1)
        guide = _activated(self.offset_conv2[level](guide))
        guide = _activated(self.offset_conv3[level](guide))
        moved = self.dcn_pack[level](pair[0], guide)
        return guide, self.feat_conv[level](torch.cat((moved, _doubled(aligned)), dim=1))
