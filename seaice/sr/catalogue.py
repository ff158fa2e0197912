"""Which super-resolution networks there are.

Adding one is adding one entry here and one file in `archs`. Every one keeps the contract
(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x): normalized H and V of the middle frame.
"""

from collections.abc import Mapping

from seaice.network.catalogue import Architecture, table

__all__ = ["NETWORKS"]

NETWORKS: Mapping[str, Architecture] = table(
    Architecture(
        name="pmdrnet",
        module="seaice.sr.archs.pmdrnet",
        role="sr",
        says="five frames aligned step by step by deformable convolution, weighed, fused",
        paper="Liu et al. 2022, IEEE TGRS 60, 4304118",
        multiple_of=4,
        margin=32,
        encoder="extraction",
    ),
    Architecture(
        name="hat",
        module="seaice.sr.archs.hat",
        role="sr",
        says="attention in windows that overlap, and of channels; one frame or five at once",
        paper="Chen et al. 2023, CVPR, arXiv:2205.04437",
        multiple_of=16,
        encoder="body",
    ),
    Architecture(
        name="espcn",
        module="seaice.sr.archs.espcn",
        role="sr",
        says="the target frame alone, three convolutions and a pixel shuffle",
        paper="Shi et al. 2016, arXiv:1609.05158",
        margin=4,
        encoder="body",
    ),
    Architecture(
        name="bicubic",
        module="seaice.sr.archs.bicubic",
        role="sr",
        says="interpolation of the target frame; the baseline without weights",
        paper="Keys 1981, IEEE Trans. ASSP 29(6)",
        learns="nothing",
        margin=2,
    ),
)
