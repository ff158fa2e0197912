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
        choose="The default: the published encoder, trained longest, with calibrated uncertainty.",
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
        choose=(
            "To see what V, H and V - H alone can tell, as the paper has it. Not for maps "
            "that people rely on."
        ),
        paper="Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533",
        multiple_of=16,
        margin=128,
        encoder="backbone",
    ),
    Architecture(
        name="xception_aligned",
        module="seaice.sic.archs.xception_aligned",
        role="sic",
        says="the aligned Xception as TensorFlow and timm have it: 41, 65 or 71 layers",
        choose=(
            "To start from TensorFlow's published weights of DeepLabv3+'s encoder "
            "(`seaice import-weights`)."
        ),
        paper="Chen et al. 2018, ECCV, arXiv:1802.02611",
        multiple_of=16,
        margin=96,
    ),
    Architecture(
        name="repvgg",
        module="seaice.sic.archs.repvgg",
        role="sic",
        says="RepVGG: three branches to train, folded into one 3x3 convolution to run",
        choose=(
            "For fast processors of convolutions and for int8: folded, it is plain 3x3 "
            "convolutions (`seaice export`)."
        ),
        paper="Ding et al. 2021, CVPR, arXiv:2101.03697",
        multiple_of=16,
        margin=96,
    ),
    Architecture(
        name="cloformer",
        module="seaice.sic.archs.cloformer",
        role="sic",
        says="CloFormer: local attention that knows its content, beside a pooled global one",
        choose=(
            "Where detail and a wide view are both wanted at a small size; maps are run in windows."
        ),
        paper="Fan et al. 2023, arXiv:2303.17803",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="scnet",
        module="seaice.sic.archs.scnet",
        role="sic",
        says="SCNet: a residual network whose convolutions are gated by a coarser look",
        choose=(
            "Where a convolutional network should look far: tiles of any size, exact with "
            "its margin."
        ),
        paper="Liu et al. 2020, CVPR, doi 10.1109/CVPR42600.2020.01011",
        multiple_of=64,
        margin=160,
    ),
    Architecture(
        name="scalablevit",
        module="seaice.sic.archs.scalablevit",
        role="sic",
        says="ScalableViT: attention in windows and to a shrunk map, in turn",
        choose="For studies of attention in windows; maps are run in windows.",
        paper="Yang et al. 2022, ECCV, arXiv:2203.10790",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="convmixer",
        module="seaice.sic.archs.convmixer",
        role="sic",
        says="ConvMixer: patches mixed by large depthwise convolutions",
        choose=(
            "The simplest network here: few parameters, patches of one size, tiles of any size."
        ),
        paper="Trockman, Kolter 2022, arXiv:2201.09792",
        multiple_of=28,  # of patches of 4 cells and of 7
        margin=96,
    ),
    Architecture(
        name="mlp_mixer",
        module="seaice.sic.archs.mlp_mixer",
        role="sic",
        says="MLP-Mixer: patches mixed across a whole window by perceptrons",
        choose=(
            "The cheapest encoder where every window has the same size; it cannot run on "
            "anything else."
        ),
        paper="Tolstikhin et al. 2021, NeurIPS, arXiv:2105.01601",
        multiple_of=16,
    ),
    Architecture(
        name="flowformer",
        module="seaice.sic.archs.flowformer",
        role="sic",
        says="Flowformer: all cells attend to each other at a linear cost, by conserved flows",
        choose=(
            "Where all cells of a window should attend to each other at a cost that grows linearly."
        ),
        paper="Wu et al. 2022, ICML, arXiv:2202.06258",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="mae_vit",
        module="seaice.sic.archs.mae_vit",
        role="sic",
        says="a plain vision transformer, to be pre-trained on maps without truth",
        choose=(
            "Where many maps without truth are at hand: pre-train it first with `seaice "
            "pretrain mae`."
        ),
        paper="He et al. 2022, CVPR, arXiv:2111.06377",
        multiple_of=48,  # of patches of 12 cells and of 16
    ),
)
