"""Frames weighted by their likeness to the target frame, then fused.

Wang et al. 2019, "EDVR", CVPRW, arXiv:1905.02716, section 3.3. Parameter names are those of
BasicSR, so that its weights load as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TSAFusion", "TemporalFusion"]

SLOPE = 0.1  # of every leaky ReLU here


def _activated(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE, inplace=True)


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class TemporalFusion(nn.Module):
    """Temporal attention and a 1x1 fusion."""

    def __init__(self, num_feat: int, num_frame: int, center_frame_idx: int) -> None:
        super().__init__()
        self.center_frame_idx = center_frame_idx
        self.temporal_attn1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)  # of the target
        self.temporal_attn2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)  # of every frame
        self.feat_fusion = nn.Conv2d(num_frame * num_feat, num_feat, 1)

    def weighed(self, aligned: Tensor) -> Tensor:
        """Each frame times the sigmoid of its dot product with the target, cell by cell.

        Frames do not compete: there is no softmax over them.

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
        return _activated(self.feat_fusion(self.weighed(aligned)))


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
        weighed = self.weighed(aligned)
        fused = _activated(self.feat_fusion(weighed))
        attention = self._in_space(_activated(self.spatial_attn1(weighed)))
        added = self.spatial_attn_add2(_activated(self.spatial_attn_add1(attention)))
        out: Tensor = fused * torch.sigmoid(attention) * 2 + added
        return out

    def _in_space(self, features: Tensor) -> Tensor:
        """Attention before the sigmoid, seen at a half and a quarter of the resolution."""
        half = _activated(self.spatial_attn2(self._pooled(features)))
        quarter = self._pooled(_activated(self.spatial_attn_l1(half)))
        quarter = _activated(self.spatial_attn_l3(_activated(self.spatial_attn_l2(quarter))))
        half = _activated(self.spatial_attn3(half)) + _doubled(quarter)
        attention: Tensor = self.spatial_attn5(_doubled(_activated(self.spatial_attn4(half))))
        return attention

    @staticmethod
    def _pooled(features: Tensor) -> Tensor:
        """Largest and mean of 3x3 cells at half the resolution; the mean counts the padding."""
        return torch.cat((F.max_pool2d(features, 3, 2, 1), F.avg_pool2d(features, 3, 2, 1)), dim=1)
