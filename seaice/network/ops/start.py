"""Fresh weights that keep the size of what passes through a deep network without norms."""

from torch import nn

from seaice.network.ops.deformable import ModulatedDeformConvPack

__all__ = ["keep_size"]


def keep_size(network: nn.Module, slope: float) -> None:
    """Set every convolution's weights so that its output is as large as its input; no biases.

    PyTorch's own start shrinks a signal in every convolution, and drowns what is left in random
    biases. He et al. 2015, ICCV, arXiv:1502.01852, eq. 15. Deformable convolutions still begin with
    every tap in its place; their masks begin at one half, which their weights make up for.

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
