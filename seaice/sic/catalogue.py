"""Which concentration networks there are.

Adding one is adding one entry here and one file in `archs`. Every one keeps the contract
(batch, channel, y, x) -> (batch, 1 or 2, y, x): concentration 0-1, and its log-variance where
offered.
"""

from collections.abc import Mapping

from seaice.network.catalogue import Architecture, table

__all__ = ["NETWORKS"]

NETWORKS: Mapping[str, Architecture] = table(
    Architecture(
        name="xception_aspp",
        module="seaice.sic.archs.xception_aspp",
        role="sic",
        says="DeepLabv3+ with the modified Xception, as a regression",
        paper="Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533",
        multiple_of=16,
        margin=128,
        encoder="backbone",
    ),
    Architecture(
        name="published",
        module="seaice.sic.archs.xception_aspp",
        role="sic",
        says="the same network told nothing but V, H and their difference, as published",
        paper="Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533",
        multiple_of=16,
        margin=128,
        encoder="backbone",
    ),
    Architecture(
        name="repvgg",
        module="seaice.sic.archs.repvgg",
        role="sic",
        says="RepVGG: three branches to train, folded into one 3x3 convolution to run",
        paper="Ding et al. 2021, CVPR, arXiv:2101.03697",
        multiple_of=16,
        margin=96,
    ),
    Architecture(
        name="cloformer",
        module="seaice.sic.archs.cloformer",
        role="sic",
        says="CloFormer: local attention that knows its content, beside a pooled global one",
        paper="Fan et al. 2023, arXiv:2303.17803",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="scnet",
        module="seaice.sic.archs.scnet",
        role="sic",
        says="SCNet: a residual network whose convolutions are gated by a coarser look",
        paper="Liu et al. 2020, CVPR, doi 10.1109/CVPR42600.2020.01011",
        multiple_of=64,
        margin=160,
    ),
    Architecture(
        name="scalablevit",
        module="seaice.sic.archs.scalablevit",
        role="sic",
        says="ScalableViT: attention in windows and to a shrunk map, in turn",
        paper="Yang et al. 2022, ECCV, arXiv:2203.10790",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="convmixer",
        module="seaice.sic.archs.convmixer",
        role="sic",
        says="ConvMixer: patches mixed by large depthwise convolutions",
        paper="Trockman, Kolter 2022, arXiv:2201.09792",
        multiple_of=28,  # of patches of 4 cells and of 7
        margin=96,
    ),
    Architecture(
        name="mlp_mixer",
        module="seaice.sic.archs.mlp_mixer",
        role="sic",
        says="MLP-Mixer: patches mixed across a whole window by perceptrons",
        paper="Tolstikhin et al. 2021, NeurIPS, arXiv:2105.01601",
        multiple_of=16,
    ),
    Architecture(
        name="flowformer",
        module="seaice.sic.archs.flowformer",
        role="sic",
        says="Flowformer: all cells attend to each other at a linear cost, by conserved flows",
        paper="Wu et al. 2022, ICML, arXiv:2202.06258",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="mae_vit",
        module="seaice.sic.archs.mae_vit",
        role="sic",
        says="a plain vision transformer, to be pre-trained on maps without truth",
        paper="He et al. 2022, CVPR, arXiv:2111.06377",
        multiple_of=48,  # of patches of 12 cells and of 16
    ),
)
