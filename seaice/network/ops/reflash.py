"""Reflash dropout: channels dropped right before the last convolution of super-resolution.

Kong et al. 2022, CVPR, arXiv:2112.12089. Dropout anywhere else harms super-resolution; here, of
whole channels at rates of 0.5 to 0.7, it lets a network do well on degradations that it was not
trained on, because no few channels carry all detail.
"""

from torch import nn

from seaice.errors import WeightsError

__all__ = ["Reflash"]


class Reflash(nn.Dropout2d):
    """Whole channels dropped in training, the others strengthened; no parameters.

    Raises
    ------
    WeightsError
        If the rate is not in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise WeightsError(
                f"reflash dropout at a rate of {rate!r}",
                "a rate from 0 to under 1; its authors recommend 0.5 to 0.7",
                "correct the network's sizes",
            )
        super().__init__(rate)
