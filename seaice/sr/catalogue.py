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
        choose=(
            "The default. Where neighbouring days are there and time allows: it was trained "
            "longest and is the most accurate as shipped."
        ),
        paper="Liu et al. 2022, IEEE TGRS 60, 4304118",
        multiple_of=4,
        margin=32,
        encoder="extraction",
    ),
    Architecture(
        name="edvr",
        module="seaice.sr.archs.edvr",
        role="sr",
        says="five frames, each aligned with the target in one step, weighed in time and space",
        choose=(
            "To compare the default with its best-known relative, or to start from that one's "
            "published weights (`seaice import-weights`)."
        ),
        paper="Wang et al. 2019, CVPRW, arXiv:1905.02716",
        multiple_of=4,
        margin=32,
        encoder="body",
    ),
    Architecture(
        name="hat",
        module="seaice.sr.archs.hat",
        role="sr",
        says="attention in windows that overlap, and of channels; one frame or five at once",
        choose=(
            "For studies of attention on a GPU: one frame or five, and published weights "
            "for photographs can be taken over with `seaice import-weights`."
        ),
        paper="Chen et al. 2023, CVPR, arXiv:2205.04437",
        multiple_of=16,
        encoder="body",
    ),
    Architecture(
        name="espcn",
        module="seaice.sr.archs.espcn",
        role="sr",
        says="the target frame alone, three convolutions and a pixel shuffle",
        choose=(
            "Where speed counts more than the last half kelvin: it is twenty times cheaper "
            "than the default and looks at one day alone."
        ),
        paper="Shi et al. 2016, arXiv:1609.05158",
        margin=4,
        encoder="body",
    ),
    Architecture(
        name="bicubic",
        module="seaice.sr.archs.bicubic",
        role="sr",
        says="interpolation of the target frame; the baseline without weights",
        choose="As the baseline, or where no network should touch brightness temperature.",
        paper="Keys 1981, IEEE Trans. ASSP 29(6)",
        learns="nothing",
        margin=2,
    ),
    Architecture(
        name="bicubic_3km",
        module="seaice.sr.archs.bicubic_3km",
        role="sr",
        says="interpolation of the target frame from its 3.125 km quarters, without weights",
        choose="Where brightness temperature should be interpolated, and from the finest there is.",
        paper="Keys 1981, IEEE Trans. ASSP 29(6)",
        learns="nothing",
        margin=2,
    ),
)
