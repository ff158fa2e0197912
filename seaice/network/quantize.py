"""Convolutions in eight bits: what they read and their kernels are integers, sums are exact.

What a convolution reads is counted in steps of one size from a zero point, 0 to 255; a kernel in
steps of its own for each output, -127 to 127 (Krishnamoorthi 2018, arXiv:1806.08342). Answers are
float32 again. Convolutions that read the image stay as they are: a 255th of the range of
brightness is more than a kelvin. So do the last one, whose error nothing smooths, and depthwise
ones, which eight bits do not make faster.
"""

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import SettingsError

__all__ = [
    "Backend",
    "EightBit",
    "Range",
    "RoundedConv",
    "awaiting",
    "backend_of",
    "float_form",
    "int8_is_exact",
    "quantized",
    "ranges",
    "rounded",
]

Backend = Literal["int8", "float"]  #: integer products of oneDNN; float32 products of the integers

HIGHEST, FURTHEST = 255, 127  #: of what is read, of kernels
STEPS = ".kernel_step"  #: of the tensors of a convolution in eight bits


class Range(NamedTuple):
    """What a convolution reads lies in it, and 0 does."""

    low: float
    high: float

    def steps(self) -> tuple[float, int]:
        """The size of a step, and what 0 is counted as.

        >>> Range(-1.0, 254.0).steps()
        (1.0, 1)
        """
        step = max(self.high - self.low, 1e-6) / HIGHEST
        return step, round(-self.low / step)


@torch.inference_mode()
def ranges(network: nn.Module, images: Iterable[Tensor]) -> dict[str, Range]:
    """What the convolutions that can be made eight bits read, by name.

    Parameters
    ----------
    network : in eval, folded
    images : (batch, channel, y, x) each, of the kind that it will be given

    Raises
    ------
    SettingsError
        If it has no such convolution.
    """
    found: dict[str, Range] = {}
    called: list[str] = []
    names = {layer: name for name, layer in network.named_modules()}

    def look(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        name, features = names[layer], given[0]
        low, high = found.get(name, (0.0, 0.0))
        found[name] = Range(min(low, float(features.min())), max(high, float(features.max())))
        called.append(name)

    layers = [layer for layer in names if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    channels = 0
    for image in images:
        channels = image.shape[1]
        network(image)
    for hook in hooks:
        hook.remove()
    kept = {names[layer] for layer in layers if _fits(layer, channels)} - set(called[-1:])
    if not kept & set(found):
        raise SettingsError(
            f"{type(network).__module__} without a convolution that eight bits make faster",
            "a network of convolutions, as repvgg, scnet or xception_aspp",
            "export it without --int8",
        )
    return {name: found[name] for name in found if name in kept}


def _fits(layer: nn.Conv2d, channels: int) -> bool:
    depthwise = layer.groups == layer.in_channels > 1
    return layer.padding_mode == "zeros" and layer.in_channels != channels and not depthwise


class RoundedConv(nn.Conv2d):
    """A convolution that rounds as eight bits do, and still learns.

    Gradients pass the rounding unchanged (Jacob et al. 2018, CVPR, arXiv:1712.05877).
    """

    step: Tensor
    zero: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        rows, columns = layer.kernel_size
        sizes = layer.in_channels, layer.out_channels, (rows, columns)
        form = _form(layer)
        super().__init__(*sizes, bias=layer.bias is not None, **form)
        self.form = form

    @classmethod
    def of(cls, layer: nn.Conv2d, reads: Range) -> Self:
        """The same convolution, rounding."""
        made = cls(layer)
        made.load_state_dict(layer.state_dict())
        step, zero = reads.steps()
        made.register_buffer("step", torch.tensor(step))
        made.register_buffer("zero", torch.tensor(zero, dtype=torch.int32))
        return made.to(layer.weight.device).train(layer.training)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> as the convolution."""
        steps = _kernel_steps(self.weight.detach())
        nothing = torch.zeros_like(steps, dtype=torch.int32)
        kernel = torch.fake_quantize_per_channel_affine(
            self.weight, steps, nothing, 0, -FURTHEST, FURTHEST
        )
        read = torch.fake_quantize_per_tensor_affine(
            features.float(), self.step, self.zero, 0, HIGHEST
        )
        told: Tensor = F.conv2d(read, kernel, self.bias, **self.form)
        return told


class EightBit(nn.Module):
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
        self.form = _form(layer)
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
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    @classmethod
    @torch.no_grad()
    def of(cls, layer: RoundedConv) -> Self:
        """What a rounding convolution has come to, in integers."""
        made = cls(layer).to(layer.weight.device)
        made.kernel_step.copy_(_kernel_steps(layer.weight))
        counts = layer.weight / made.kernel_step[:, None, None, None]
        made.kernel.copy_(counts.round().clamp(-FURTHEST, FURTHEST))
        if layer.bias is not None:
            made.bias.copy_(layer.bias)
        made.step.copy_(layer.step)
        made.zero.copy_(layer.zero)
        return made.train(layer.training)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> as the convolution, of the same kind."""
        if self.backend == "float" or features.device.type != "cpu" or not int8_is_exact():
            return self.by_floats(features)
        return self.by_integers(features)

    def by_integers(self, features: Tensor) -> Tensor:
        """The convolution by oneDNN's integer kernels, whether they are exact here or not."""
        step, zero, kernel, nothing = self._packed = self._packed or self._pack()
        form = self.form
        read = _counts(features, step, zero)
        told: Tensor = torch.ops.onednn.qconv2d_pointwise(
            read, step, zero, kernel, self.kernel_step, nothing, self.bias,
            form["stride"], form["padding"], form["dilation"], form["groups"],
            1.0, 0, features.dtype, "none", [], "",
        )  # fmt: skip
        return told

    def by_floats(self, features: Tensor) -> Tensor:
        """The convolution by float32 sums of the same integers.

        Products of two 8-bit integers and their sums below 2**24 are exact in float32.
        """
        read = _counts(features, float(self.step), int(self.zero)).float() - int(self.zero)
        with torch.autocast(features.device.type, enabled=False):
            sums = F.conv2d(read, self.kernel.float(), None, **self.form)
        scale = (self.kernel_step * self.step)[:, None, None]
        return torch.addcmul(self.bias[:, None, None], sums, scale).to(features.dtype)

    def _pack(self) -> tuple[float, int, Tensor, Tensor]:
        """What every call needs, the kernel laid out for this machine."""
        step, zero, form = float(self.step), int(self.zero), self.form
        kernel: Tensor = torch.ops.onednn.qconv_prepack(
            self.kernel, self.kernel_step, step, zero,
            form["stride"], form["padding"], form["dilation"], form["groups"], None,
        )  # fmt: skip
        return step, zero, kernel, torch.zeros(len(self.kernel_step), dtype=torch.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}  # made for one machine, not copied


@cache
def int8_is_exact() -> bool:
    """Whether oneDNN sums products of 8-bit integers exactly on this processor.

    Without VNNI instructions it sums pairs of unsigned times signed products in 16 bits that
    saturate at 32767 (oneDNN developer guide, "Nuances of int8 computations"). Convolutions of the
    largest integers are compared with float32 sums, once a process.
    """
    if not hasattr(torch.ops.onednn, "qconv2d_pointwise"):
        return False
    return all(_exact(*sizes) for sizes in ((8, 8, 1), (64, 64, 1), (8, 12, 3), (64, 64, 3)))


@torch.inference_mode()
def _exact(inputs: int, outputs: int, side: int) -> bool:
    """Whether a convolution of the largest integers is the same by integers and by floats."""
    layer = EightBit(nn.Conv2d(inputs, outputs, side))
    layer.kernel[0::2], layer.kernel[1::2] = FURTHEST, -FURTHEST
    features = torch.full((1, inputs, 16, 16), float(HIGHEST))
    return torch.allclose(layer.by_integers(features), layer.by_floats(features), rtol=1e-5)


def backend_of(network: nn.Module, device: torch.device) -> Backend:
    """How a network's convolutions are computed on a device.

    >>> backend_of(nn.Conv2d(1, 1, 1), torch.device("cpu"))
    'float'
    """
    eight = [layer for layer in network.modules() if isinstance(layer, EightBit)]
    chosen = any(layer.backend != "float" for layer in eight)
    return "int8" if chosen and device.type == "cpu" and int8_is_exact() else "float"


def float_form(network: nn.Module) -> nn.Module:
    """A copy whose 8-bit convolutions are computed by float32 sums on every processor."""
    made = deepcopy(network)
    for layer in made.modules():
        if isinstance(layer, EightBit):
            layer.backend = "float"
    return made


def _forget(layer: nn.Module, _: Any) -> None:
    layer._packed = None  # type: ignore[assignment]


def _counts(features: Tensor, step: float, zero: int) -> Tensor:
    """Steps from the lowest value, to the nearest, uint8."""
    offset = torch.full((), zero + 0.5, device=features.device)
    counts = torch.add(offset, features.float(), alpha=1 / step)
    return counts.clamp_(0, HIGHEST).to(torch.uint8)


def _kernel_steps(kernel: Tensor) -> Tensor:
    """(out,) sizes of a step."""
    return (kernel.abs().amax((1, 2, 3)) / FURTHEST).clamp(min=1e-12)


def _form(layer: nn.Conv2d) -> dict[str, Any]:
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


def rounded(network: nn.Module, reads: Mapping[str, Range]) -> nn.Module:
    """A copy whose convolutions of `reads` round as eight bits do, and still learn."""
    made = deepcopy(network)
    for name, reach in reads.items():
        layer = made.get_submodule(name)
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(f"{name} is no convolution")
        made.set_submodule(name, RoundedConv.of(layer, reach))
    return made


def quantized(network: nn.Module) -> nn.Module:
    """A copy, in eval, whose rounding convolutions are in eight bits."""
    made = deepcopy(network).eval()
    for name, layer in list(made.named_modules()):
        if isinstance(layer, RoundedConv):
            made.set_submodule(name, EightBit.of(layer))
    return made


def awaiting(network: nn.Module, tensors: Collection[str]) -> nn.Module:
    """A copy with empty convolutions in eight bits, where names of tensors tell of them."""
    made = deepcopy(network)
    for name in [tensor.removesuffix(STEPS) for tensor in tensors if tensor.endswith(STEPS)]:
        layer = dict(made.named_modules()).get(name)
        if isinstance(layer, nn.Conv2d):
            made.set_submodule(name, EightBit(layer))
    return made
