"""Networks prepared for inference: layers fused, convolutions in int8, and what a network costs.

Fusing: in eval mode a batch normalization is linear; where nothing else reads the convolution
before it, both are replaced by one convolution with a bias. Which layer reads which tensor is
recorded by running the network once on PyTorch's meta device.

Quantization: the input of a convolution is an integer from 0 to 255 times one step size, from a
zero point; a kernel is an integer from -127 to 127 times a step size for each output channel
(Krishnamoorthi 2018, arXiv:1806.08342). Outputs are float32. Convolutions of the image stay
float32: 1/255 of the range of brightness temperature is more than a kelvin. So do the last
convolution, whose error nothing averages, and depthwise ones, which int8 does not accelerate.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from seaice.errors import SettingsError
from seaice.grid.blocks import SCALE
from seaice.models.layers.convolution import fuse_conv_bn
from seaice.models.registry import create_model, find_model

__all__ = [
    "ActivationRange",
    "Backend",
    "FakeQuantConv2d",
    "Fusable",
    "Int8Conv2d",
    "ModelCost",
    "activation_ranges",
    "backend_of",
    "count_cost",
    "empty_quantized_copy",
    "fake_quantize",
    "float_backend_copy",
    "fuse_layers",
    "input_shape",
    "int8_is_exact",
    "quantize",
]

COST_SIDE = {"sr": 16, "sic": 256}  #: cells of the input that costs are counted on, on a side


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """Size and arithmetic of one network."""

    parameters: int
    flops: float  #: of one cell of the refined map; a multiplication and an addition are two


def count_cost(name: str, config: Mapping[str, Any]) -> ModelCost:
    """Parameters and floating-point operations, counted, not estimated.

    Operations are those of convolutions, matrix products and attention, as PyTorch counts them on
    an input of `COST_SIDE` cells or of the network's window. Sampling, norms and activations are
    not counted, nor what overlapping tiles compute twice.

    Parameters
    ----------
    name : as in the registry
    config : fields of its configuration that differ from the published size

    Raises
    ------
    UnknownNameError, WeightsError
        As `seaice.models.registry.create_model`.
    """
    role = find_model(name).role
    sampled = role == "sr" and "window" not in find_model(name).config_class().__dataclass_fields__
    with torch.device("cpu" if sampled else "meta"):  # sampling without numbers takes seconds
        network = create_model(name, config).eval()
        shape = input_shape(network)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(shape))
    cells = shape[-1] * shape[-2] * (SCALE**2 if role == "sr" else 1)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return ModelCost(parameters=parameters, flops=counter.get_total_flops() / cells)


def input_shape(network: Any) -> tuple[int, ...]:
    """Shape of an input with sides of `COST_SIDE` cells, or of the network's window."""
    config = network.config
    role = "sr" if hasattr(config, "frames") else "sic"
    side = getattr(config, "window", None) or COST_SIDE[role]
    if role == "sr":
        return 1, config.frames, config.channels, side, side
    return 1, config.in_channels, side, side


@runtime_checkable
class Fusable(Protocol):
    """A block with an equivalent simpler block for inference."""

    def fused(self) -> nn.Module:
        """The equivalent block; its output is that of this one in eval mode."""
        ...


def fuse_layers(network: nn.Module) -> nn.Module:
    """A copy of a network with fewer layers, in eval mode; it cannot be trained further.

    `Fusable` blocks are replaced by their simpler form (RepVGG's three branches by one 3x3
    convolution), and batch normalizations are fused into the convolutions before them where that
    is exact. Weights are fused in float64; outputs equal those of the network in eval mode within
    1e-5, which is rounding.

    Parameters
    ----------
    network : of the registry, with its `config`; it is not changed

    >>> from seaice.models.registry import create_model
    >>> small = create_model("repvgg", {"blocks": (1, 1, 1), "widths": (0.125, 0.125, 0.125)})
    >>> sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in fuse_layers(small).modules())
    0
    """
    simpler = deepcopy(network).eval()
    for name, block in list(simpler.named_modules()):
        if name and isinstance(block, Fusable):
            simpler.set_submodule(name, block.fused())
    for convolution, norm in _fusable_pairs(simpler):
        _fuse(simpler, convolution, norm)
    return simpler


class _ReadCounter(TorchFunctionMode):
    """Counts how often each tensor is read; keeps references, so that no id is reused."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Counter[int] = Counter()
        self.tensors: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if any(
            isinstance(leaf, Tensor) for leaf in tree_leaves(output)
        ):  # reading a size does not count
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.times.update(map(id, read))
            self.tensors += read
        return output


def _fusable_pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """(convolution, batch normalization) pairs where only the latter reads the former's output."""
    if not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
        return
    producer: dict[int, str] = {}
    calls: Counter[str] = Counter()
    inputs_of: defaultdict[str, list[int]] = defaultdict(list)
    probe, reads = deepcopy(network).to("meta"), _ReadCounter()

    def record_output(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            reads.tensors.append(output)
            producer[id(output)] = name
            calls[name] += 1

        return hook

    def record_input(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: inputs_of[name].append(id(inputs[0]))

    for name, layer in probe.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(record_output(name))
        elif isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            layer.register_forward_pre_hook(record_input(name))
    with torch.no_grad(), reads:
        probe(torch.zeros(input_shape(network), device="meta"))
    for name, inputs in inputs_of.items():
        before = {producer.get(tensor) for tensor in inputs}
        only = before.pop() if len(before) == 1 else None
        once = all(reads.times[tensor] == 1 for tensor in inputs)
        if only is not None and once and calls[only] == len(inputs):
            yield only, name


@torch.no_grad()
def _fuse(network: nn.Module, convolution: str, norm: str) -> None:
    before, after = network.get_submodule(convolution), network.get_submodule(norm)
    if not isinstance(before, nn.Conv2d) or not isinstance(after, nn.BatchNorm2d):
        raise TypeError(f"{convolution} and {norm} are not a convolution and a batch normalization")
    kernel, bias = fuse_conv_bn(before.weight, before.bias, after)
    before.weight = nn.Parameter(kernel.to(before.weight.dtype))
    before.bias = nn.Parameter(bias.to(before.weight.dtype))
    network.set_submodule(norm, nn.Identity())


Backend = Literal["int8", "float"]  #: integer products of oneDNN; float32 products of the integers

MAX_INPUT, MAX_KERNEL = 255, 127  #: of what is read, of kernels
STEP_SUFFIX = ".kernel_step"  #: of the tensors of a convolution in eight bits


class ActivationRange(NamedTuple):
    """The range of a convolution's input; it contains 0."""

    low: float
    high: float

    def steps(self) -> tuple[float, int]:
        """The step size, and the integer that stands for 0.

        >>> ActivationRange(-1.0, 254.0).steps()
        (1.0, 1)
        """
        step = max(self.high - self.low, 1e-6) / MAX_INPUT
        return step, round(-self.low / step)


@torch.inference_mode()
def activation_ranges(network: nn.Module, images: Iterable[Tensor]) -> dict[str, ActivationRange]:
    """Input ranges of the convolutions that can be quantized, by name.

    Parameters
    ----------
    network : in eval mode, its layers fused
    images : (batch, channel, y, x) each, representative inputs

    Raises
    ------
    SettingsError
        If no convolution can be quantized.
    """
    ranges: dict[str, ActivationRange] = {}
    called: list[str] = []
    names = {layer: name for name, layer in network.named_modules()}

    def record_range(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        name, features = names[layer], arguments[0]
        low, high = ranges.get(name, (0.0, 0.0))
        ranges[name] = ActivationRange(
            min(low, float(features.min())), max(high, float(features.max()))
        )
        called.append(name)

    layers = [layer for layer in names if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_pre_hook(record_range) for layer in layers]
    channels = 0
    for image in images:
        channels = image.shape[1]
        network(image)
    for hook in hooks:
        hook.remove()
    quantizable = {names[layer] for layer in layers if _is_quantizable(layer, channels)} - set(
        called[-1:]
    )
    if not quantizable & set(ranges):
        raise SettingsError(
            f"{type(network).__module__} without a convolution that int8 accelerates",
            "a network of convolutions, as repvgg, scnet or xception_aspp",
            "export it without --int8",
        )
    return {name: ranges[name] for name in ranges if name in quantizable}


def _is_quantizable(layer: nn.Conv2d, channels: int) -> bool:
    depthwise = layer.groups == layer.in_channels > 1
    return layer.padding_mode == "zeros" and layer.in_channels != channels and not depthwise


class FakeQuantConv2d(nn.Conv2d):
    """A convolution that rounds like int8 and remains trainable (quantization-aware training).

    Gradients pass the rounding unchanged (Jacob et al. 2018, CVPR, arXiv:1712.05877).
    """

    step: Tensor
    zero: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        rows, columns = layer.kernel_size
        sizes = layer.in_channels, layer.out_channels, (rows, columns)
        form = _conv_arguments(layer)
        super().__init__(*sizes, bias=layer.bias is not None, **form)
        self.form = form

    @classmethod
    def of(cls, layer: nn.Conv2d, reads: ActivationRange) -> Self:
        """The same convolution, with rounding."""
        layer_copy = cls(layer)
        layer_copy.load_state_dict(layer.state_dict())
        step, zero = reads.steps()
        layer_copy.register_buffer("step", torch.tensor(step))
        layer_copy.register_buffer("zero", torch.tensor(zero, dtype=torch.int32))
        return layer_copy.to(layer.weight.device).train(layer.training)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> as the convolution."""
        steps = _kernel_steps(self.weight.detach())
        nothing = torch.zeros_like(steps, dtype=torch.int32)
        kernel = torch.fake_quantize_per_channel_affine(
            self.weight, steps, nothing, 0, -MAX_KERNEL, MAX_KERNEL
        )
        read = torch.fake_quantize_per_tensor_affine(
            features.float(), self.step, self.zero, 0, MAX_INPUT
        )
        output: Tensor = F.conv2d(read, kernel, self.bias, **self.form)
        return output


class Int8Conv2d(nn.Module):
    """A convolution of 8-bit integers.

    It is computed by oneDNN where oneDNN's integer sums are exact (`int8_is_exact`), otherwise,
    and on other devices than CPUs, by a float32 convolution of the same integers.

    Buffers: `kernel` int8 (out, in, y, x), `kernel_step` (out,), `bias` (out,), `step` and `zero`
    of the input.
    """

    backend: Backend | None = None  #: None: "int8" where it is exact

    kernel: Tensor
    kernel_step: Tensor
    bias: Tensor
    step: Tensor
    zero: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.form = _conv_arguments(layer)
        outputs = layer.out_channels
        for name, value in {
            "kernel": torch.zeros(layer.weight.shape, dtype=torch.int8),
            "kernel_step": torch.ones(outputs),
            "bias": torch.zeros(outputs),
            "step": torch.ones(()),
            "zero": torch.zeros((), dtype=torch.int32),
        }.items():
            self.register_buffer(name, value)
        self._packed: tuple[Any, ...] | None = None
        self.register_load_state_dict_post_hook(_clear_packed)  # type: ignore[no-untyped-call]

    @classmethod
    @torch.no_grad()
    def of(cls, layer: FakeQuantConv2d) -> Self:
        """The integer form of a fake-quantized convolution."""
        int8_layer = cls(layer).to(layer.weight.device)
        int8_layer.kernel_step.copy_(_kernel_steps(layer.weight))
        counts = layer.weight / int8_layer.kernel_step[:, None, None, None]
        int8_layer.kernel.copy_(counts.round().clamp(-MAX_KERNEL, MAX_KERNEL))
        if layer.bias is not None:
            int8_layer.bias.copy_(layer.bias)
        int8_layer.step.copy_(layer.step)
        int8_layer.zero.copy_(layer.zero)
        return int8_layer.train(layer.training)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> as the convolution, of the same type."""
        if self.backend == "float" or features.device.type != "cpu" or not int8_is_exact():
            return self.by_floats(features)
        return self.by_integers(features)

    def by_integers(self, features: Tensor) -> Tensor:
        """The convolution by oneDNN's integer kernels, also where they are not exact."""
        step, zero, kernel, nothing = self._packed = self._packed or self._pack()
        form = self.form
        read = _quantize_input(features, step, zero)
        output: Tensor = torch.ops.onednn.qconv2d_pointwise(
            read, step, zero, kernel, self.kernel_step, nothing, self.bias,
            form["stride"], form["padding"], form["dilation"], form["groups"],
            1.0, 0, features.dtype, "none", [], "",
        )  # fmt: skip
        return output

    def by_floats(self, features: Tensor) -> Tensor:
        """The convolution by float32 sums of the same integers.

        Products of two 8-bit integers and their sums below 2**24 are exact in float32.
        """
        read = _quantize_input(features, float(self.step), int(self.zero)).float() - int(self.zero)
        with torch.autocast(features.device.type, enabled=False):
            sums = F.conv2d(read, self.kernel.float(), None, **self.form)
        scale = (self.kernel_step * self.step)[:, None, None]
        return torch.addcmul(self.bias[:, None, None], sums, scale).to(features.dtype)

    def _pack(self) -> tuple[float, int, Tensor, Tensor]:
        """Arguments of every call; the kernel is packed for this processor."""
        step, zero, form = float(self.step), int(self.zero), self.form
        kernel: Tensor = torch.ops.onednn.qconv_prepack(
            self.kernel, self.kernel_step, step, zero,
            form["stride"], form["padding"], form["dilation"], form["groups"], None,
        )  # fmt: skip
        return step, zero, kernel, torch.zeros(len(self.kernel_step), dtype=torch.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # packed for one processor, not copied


@cache
def int8_is_exact() -> bool:
    """Whether oneDNN sums products of 8-bit integers exactly on this processor.

    Without VNNI instructions it sums pairs of unsigned times signed products in 16 bits that
    saturate at 32767 (oneDNN developer guide, "Nuances of int8 computations"). Convolutions of the
    largest integers are compared with float32 sums, once a process.
    """
    if not hasattr(torch.ops.onednn, "qconv2d_pointwise"):
        return False
    return all(_is_exact(*sizes) for sizes in ((8, 8, 1), (64, 64, 1), (8, 12, 3), (64, 64, 3)))


@torch.inference_mode()
def _is_exact(inputs: int, outputs: int, side: int) -> bool:
    """Whether a convolution of the largest integers is equal by integers and by floats."""
    layer = Int8Conv2d(nn.Conv2d(inputs, outputs, side))
    layer.kernel[0::2], layer.kernel[1::2] = MAX_KERNEL, -MAX_KERNEL
    features = torch.full((1, inputs, 16, 16), float(MAX_INPUT))
    return torch.allclose(layer.by_integers(features), layer.by_floats(features), rtol=1e-5)


def backend_of(network: nn.Module, device: torch.device) -> Backend:
    """The backend of a network's convolutions on a device.

    >>> backend_of(nn.Conv2d(1, 1, 1), torch.device("cpu"))
    'float'
    """
    eight = [layer for layer in network.modules() if isinstance(layer, Int8Conv2d)]
    chosen = any(layer.backend != "float" for layer in eight)
    return "int8" if chosen and device.type == "cpu" and int8_is_exact() else "float"


def float_backend_copy(network: nn.Module) -> nn.Module:
    """A copy whose int8 convolutions are computed by float32 sums on every processor."""
    copy = deepcopy(network)
    for layer in copy.modules():
        if isinstance(layer, Int8Conv2d):
            layer.backend = "float"
    return copy


def _clear_packed(layer: nn.Module, _: Any) -> None:
    layer._packed = None  # type: ignore[assignment]


def _quantize_input(features: Tensor, step: float, zero: int) -> Tensor:
    """Integers of a convolution's input, rounded to nearest, uint8."""
    offset = torch.full((), zero + 0.5, device=features.device)
    counts = torch.add(offset, features.float(), alpha=1 / step)
    return counts.clamp_(0, MAX_INPUT).to(torch.uint8)


def _kernel_steps(kernel: Tensor) -> Tensor:
    """(out,) step sizes."""
    return (kernel.abs().amax((1, 2, 3)) / MAX_KERNEL).clamp(min=1e-12)


def _conv_arguments(layer: nn.Conv2d) -> dict[str, Any]:
    padding = layer.padding
    if isinstance(padding, str):
        padding = tuple(
            dilation * (size - 1) // 2 if padding == "same" else 0
            for size, dilation in zip(layer.kernel_size, layer.dilation, strict=True)
        )
    return {"stride": layer.stride, "padding": padding} | {
        "dilation": layer.dilation,
        "groups": layer.groups,
    }


def fake_quantize(network: nn.Module, reads: Mapping[str, ActivationRange]) -> nn.Module:
    """A copy whose convolutions named in `reads` round like int8 and remain trainable."""
    copy = deepcopy(network)
    for name, reach in reads.items():
        layer = copy.get_submodule(name)
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(f"{name} is not a convolution")
        copy.set_submodule(name, FakeQuantConv2d.of(layer, reach))
    return copy


def quantize(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose fake-quantized convolutions are int8."""
    copy = deepcopy(network).eval()
    for name, layer in list(copy.named_modules()):
        if isinstance(layer, FakeQuantConv2d):
            copy.set_submodule(name, Int8Conv2d.of(layer))
    return copy


def empty_quantized_copy(network: nn.Module, tensors: Collection[str]) -> nn.Module:
    """A copy with empty int8 convolutions, where the names of tensors require them."""
    copy = deepcopy(network)
    for name in [
        tensor.removesuffix(STEP_SUFFIX) for tensor in tensors if tensor.endswith(STEP_SUFFIX)
    ]:
        layer = dict(copy.named_modules()).get(name)
        if isinstance(layer, nn.Conv2d):
            copy.set_submodule(name, Int8Conv2d(layer))
    return copy
