"""A convolution and the batch normalization after it, as one convolution."""

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

__all__ = ["absorbed"]


def absorbed(kernel: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias that do what a convolution and a normalization in eval do.

    Parameters
    ----------
    kernel : (out, in, y, x)
    bias : (out,) or None
    norm : of `out` channels

    Returns
    -------
    Both in float64, so that what is rounded afterwards is rounded once; differentiable.

    Raises
    ------
    ValueError
        If the normalization keeps no statistics.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch normalization that keeps no statistics cannot be absorbed")
    return fuse_conv_bn_weights(
        kernel.double(),
        None if bias is None else bias.double(),
        mean.double(),
        variance.double(),
        norm.eps,
        norm.weight,
        norm.bias,
    )
