"""The registry of models: their names, facts and modules, imported only when they are built.

Adding a model is adding one entry here and one file in `sr/` or `sic/`. Every super-resolution
model maps (batch, frame, channel, y, x) to (batch, 2, 4 y, 4 x), normalized H and V of the middle
frame; every concentration model maps (batch, channel, y, x) to (batch, 1 or 2, y, x), concentration
0-1 and its log-variance where the model has one.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seaice.errors import UnknownNameError, WeightsError

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "SIC_MODELS",
    "SR_MODELS",
    "Architecture",
    "Role",
    "create_model",
    "find_model",
    "list_models",
    "shipped_weights",
]

Role = Literal["sr", "sic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A model's entry in the registry: what is known before the model is built.

    `model` names a class whose constructor takes one argument, a frozen dataclass called like it
    with `Config` at its end: `PMDRNet(PMDRNetConfig())`. The defaults of that dataclass are the
    published size; its class method `compact`, where there is one, is the size for two CPU cores.
    """

    name: str
    model: str  #: "module:class"
    role: Role
    title: str  #: one line for listings
    paper: str
    has_weights: bool = True  #: whether it is trained
    multiple_of: int = 1  #: cells; tiles begin and end at multiples of this
    margin: int = 0  #: cells at a tile's edge whose result depends on where the edge is
    exportable: bool = True  #: whether `torch.export` and `torch.compile` capture it as one graph
    when_to_use: str = ""  #: a sentence or two
    encoder: str = "encoder"  #: the submodule that published weights and pre-training are for

    @property
    def module(self) -> str:
        """The module that defines the model."""
        return self.model.partition(":")[0]

    def model_class(self) -> Any:
        """The class of the model, imported now."""
        return getattr(import_module(self.module), self.model.partition(":")[2])

    def config_class(self) -> Any:
        """The class of the model's configuration, imported now."""
        return self.model_class().config_class

    def compact(self) -> dict[str, Any]:
        """Fields of the compact configuration; empty where the model has one size."""
        config = self.config_class()
        return asdict(config.compact()) if hasattr(config, "compact") else {}


def _by_name(*entries: Architecture) -> Mapping[str, Architecture]:
    return {entry.name: entry for entry in entries}


def list_models() -> Mapping[str, Architecture]:
    """Every model of the registry, by name.

    >>> list_models()["pmdrnet"].role
    'sr'
    """
    return {**SR_MODELS, **SIC_MODELS}


def find_model(name: str, role: Role | None = None, formulas: Collection[str] = ()) -> Architecture:
    """The entry of a model.

    Parameters
    ----------
    role : what it is for; None: anything
    formulas : names of the role that are not models, for the suggestion

    Raises
    ------
    UnknownNameError
        If the registry has no such model of this role; the message suggests the nearest name.

    >>> find_model("pmdrent")
    Traceback (most recent call last):
    seaice.errors.UnknownNameError: no network is called 'pmdrent'; ... write 'pmdrnet' ...
    """
    known = list_models()
    if name in known and role in (None, known[name].role):
        return known[name]
    candidates = [*(key for key, one in known.items() if role in (None, one.role)), *formulas]
    same_start = [each for each in candidates if each.startswith(name[:3].lower())]
    near = get_close_matches(name, candidates, n=1) or same_start
    other_role = f"{name!r} is a network for {known[name].role!r}" if name in known else ""
    raise UnknownNameError(
        other_role or f"no network is called {name!r}",
        f"one of {', '.join(sorted(candidates))}",
        f"write {near[0]!r} if that is meant" if near else "see `seaice models`",
    )


def create_model(name: str, config: Mapping[str, Any]) -> "nn.Module":
    """A model with fresh weights.

    Parameters
    ----------
    name : as in the registry
    config : fields of its configuration that differ from the published size

    Raises
    ------
    UnknownNameError
        If there is no such model.
    WeightsError
        If `config` has fields that the model does not have.

    >>> create_model("bicubic", {"frames": 5}).config.frames
    5
    """
    entry = find_model(name)
    config_class = entry.config_class()
    unknown = set(config) - set(config_class.__dataclass_fields__)
    if unknown:
        raise WeightsError(
            f"config-parameters {', '.join(sorted(unknown))} for {name}",
            f"only {', '.join(config_class.__dataclass_fields__)}",
            "use weights made by this version, or another version of this package",
        )
    model: nn.Module = entry.model_class()(config_class(**config))
    return model


def shipped_weights(role: Role, name: str) -> Path:
    """Where the package keeps the weights of a model; the file may be absent."""
    return Path(str(files("seaice"))) / "models" / role / "weights" / f"{name}.safetensors"


SR_MODELS: Mapping[str, Architecture] = _by_name(
    Architecture(
        name="pmdrnet",
        model="seaice.models.sr.pmdrnet:PMDRNet",
        role="sr",
        title="five frames aligned step by step by deformable convolution, weighted, fused",
        when_to_use=(
            "The default: trained longest and the most accurate with the shipped weights, where "
            "neighbouring days are available and time allows."
        ),
        paper="Liu et al. 2022, IEEE TGRS 60, 4304118",
        multiple_of=4,
        margin=32,
        encoder="extraction",
    ),
    Architecture(
        name="edvr",
        model="seaice.models.sr.edvr:EDVRUpsampler",
        role="sr",
        title="five frames, each aligned with the target in one step, attention in time and space",
        when_to_use=(
            "To compare the default with the best-known related network, or to start from EDVR's "
            "published weights (`seaice import-weights`)."
        ),
        paper="Wang et al. 2019, CVPRW, arXiv:1905.02716",
        multiple_of=4,
        margin=32,
        encoder="body",
    ),
    Architecture(
        name="hat",
        model="seaice.models.sr.hat:HATUpsampler",
        role="sr",
        title="attention in overlapping windows and over channels; one frame or five at once",
        when_to_use=(
            "For studies of attention on a GPU, with one frame or five. Published weights for "
            "photographs can be imported with `seaice import-weights`."
        ),
        paper="Chen et al. 2023, CVPR, arXiv:2205.04437",
        multiple_of=16,
        encoder="body",
    ),
    Architecture(
        name="espcn",
        model="seaice.models.sr.espcn:ESPCN",
        role="sr",
        title="the target frame only, three convolutions and a pixel shuffle",
        when_to_use=(
            "Where speed matters more than the last half kelvin: it is twenty times cheaper "
            "than the default and reads one day only."
        ),
        paper="Shi et al. 2016, arXiv:1609.05158",
        margin=4,
        encoder="body",
    ),
    Architecture(
        name="bicubic",
        model="seaice.models.sr.bicubic:Bicubic",
        role="sr",
        title="bicubic interpolation of the target frame; the baseline without weights",
        when_to_use=(
            "As the baseline, or where brightness temperature should not pass through a network."
        ),
        paper="Keys 1981, IEEE Trans. ASSP 29(6)",
        has_weights=False,
        margin=2,
    ),
    Architecture(
        name="bicubic_3km",
        model="seaice.models.sr.bicubic:Bicubic3km",
        role="sr",
        title="bicubic interpolation of the target frame from its 3.125 km cells, without weights",
        when_to_use=(
            "Where brightness temperature should be interpolated from the finest gridded cells."
        ),
        paper="Keys 1981, IEEE Trans. ASSP 29(6)",
        has_weights=False,
        margin=2,
    ),
)


SIC_MODELS: Mapping[str, Architecture] = _by_name(
    Architecture(
        name="xception_aspp",
        model="seaice.models.sic.xception_aspp:XceptionASPP",
        role="sic",
        title="DeepLabv3+ with the modified Xception, as a regression",
        when_to_use=(
            "The default: the published encoder, trained longest, with calibrated uncertainty."
        ),
        paper="Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533",
        multiple_of=16,
        margin=128,
        encoder="backbone",
    ),
    Architecture(
        name="published",
        model="seaice.models.sic.xception_aspp:XceptionASPP",
        role="sic",
        title="the same network with V, H and V - H as its only inputs, as published",
        when_to_use=(
            "To reproduce the paper, whose only inputs are V, H and V - H. Not for operational "
            "maps."
        ),
        paper="Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533",
        multiple_of=16,
        margin=128,
        encoder="backbone",
    ),
    Architecture(
        name="xception_aligned",
        model="seaice.models.sic.xception_aligned:XceptionAlignedSIC",
        role="sic",
        title="the aligned Xception of TensorFlow and timm: 41, 65 or 71 layers",
        when_to_use=(
            "To start from TensorFlow's published weights of DeepLabv3+'s encoder "
            "(`seaice import-weights`)."
        ),
        paper="Chen et al. 2018, ECCV, arXiv:1802.02611",
        multiple_of=16,
        margin=96,
    ),
    Architecture(
        name="repvgg",
        model="seaice.models.sic.repvgg:RepVGGSIC",
        role="sic",
        title="RepVGG: three branches in training, fused into one 3x3 convolution for inference",
        when_to_use=(
            "For int8 and hardware that is fast at convolutions: fused, it is plain 3x3 "
            "convolutions (`seaice export`)."
        ),
        paper="Ding et al. 2021, CVPR, arXiv:2101.03697",
        multiple_of=16,
        margin=96,
    ),
    Architecture(
        name="cloformer",
        model="seaice.models.sic.cloformer:CloFormerSIC",
        role="sic",
        title="CloFormer: context-aware local attention and pooled global attention in parallel",
        when_to_use=(
            "For detail and a large receptive field at a small size; maps are run in windows."
        ),
        paper="Fan et al. 2023, arXiv:2303.17803",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="scnet",
        model="seaice.models.sic.scnet:SCNetSIC",
        role="sic",
        title="SCNet: a residual network whose convolutions are gated by pooled features",
        when_to_use=(
            "For a large receptive field by convolutions only: tiles of any size, exact within "
            "its margin."
        ),
        paper="Liu et al. 2020, CVPR, doi 10.1109/CVPR42600.2020.01011",
        multiple_of=64,
        margin=160,
    ),
    Architecture(
        name="scalablevit",
        model="seaice.models.sic.scalablevit:ScalableViTSIC",
        role="sic",
        title="ScalableViT: attention in windows and to a downsampled map, in turn",
        when_to_use="For studies of attention in windows; maps are run in windows.",
        paper="Yang et al. 2022, ECCV, arXiv:2203.10790",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="convmixer",
        model="seaice.models.sic.convmixer:ConvMixerSIC",
        role="sic",
        title="ConvMixer: patches mixed by large depthwise convolutions",
        when_to_use=(
            "The simplest network of the list: few parameters, one patch size, tiles of any size."
        ),
        paper="Trockman, Kolter 2022, arXiv:2201.09792",
        multiple_of=28,  # of patches of 4 cells and of 7
        margin=96,
    ),
    Architecture(
        name="mlp_mixer",
        model="seaice.models.sic.mlp_mixer:MlpMixerSIC",
        role="sic",
        title="MLP-Mixer: patches mixed across a whole window by multilayer perceptrons",
        when_to_use=(
            "The cheapest encoder if every window has the same size; it runs on no other size."
        ),
        paper="Tolstikhin et al. 2021, NeurIPS, arXiv:2105.01601",
        multiple_of=16,
    ),
    Architecture(
        name="flowformer",
        model="seaice.models.sic.flowformer:FlowformerSIC",
        role="sic",
        title="Flowformer: linear attention of all cells to each other, by conserved flows",
        when_to_use=("For attention of all cells of a window to each other at linear cost."),
        paper="Wu et al. 2022, ICML, arXiv:2202.06258",
        multiple_of=16,
        margin=48,
    ),
    Architecture(
        name="mae_vit",
        model="seaice.models.sic.mae_vit:MAEViTSIC",
        role="sic",
        title="a plain vision transformer, to be pre-trained on unlabelled maps",
        when_to_use=(
            "If many unlabelled maps are available: pre-train it first with `seaice pretrain mae`."
        ),
        paper="He et al. 2022, CVPR, arXiv:2111.06377",
        multiple_of=48,  # of patches of 12 cells and of 16
    ),
)
