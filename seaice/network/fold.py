"""Networks made ready to run: branches folded into one convolution, batch normalization absorbed.

In eval a batch normalization is linear; where nothing else reads the convolution before it, both
are one convolution with a bias. What reads what is found by running the network once without
numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from seaice.network.cost import input_shape
from seaice.network.ops.absorbed import absorbed

__all__ = ["Foldable", "folded"]


@runtime_checkable
class Foldable(Protocol):
    """A block that knows a simpler one that tells the same in eval."""

    def folded(self) -> nn.Module:
        """The simpler block."""
        ...


def folded(network: nn.Module) -> nn.Module:
    """The same network with fewer layers; it is in eval, and cannot be trained on.

    Blocks that know a simpler form are replaced by it (RepVGG's three branches by one 3x3
    convolution), and batch normalizations are absorbed by the convolutions before them wherever
    that is exact. Weights are folded in float64; answers are those of the network in eval but for
    rounding (within 1e-5).

    Parameters
    ----------
    network : of the catalogue, with its `hyper`; it stays as it is

    >>> from seaice.network.catalogue import build
    >>> small = build("repvgg", {"blocks": (1, 1, 1), "widths": (0.125, 0.125, 0.125)})
    >>> sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded(small).modules())
    0
    """
    simpler = deepcopy(network).eval()
    for name, block in list(simpler.named_modules()):
        if name and isinstance(block, Foldable):
            simpler.set_submodule(name, block.folded())
    for convolution, norm in _pairs(simpler):
        _absorb(simpler, convolution, norm)
    return simpler


class _Reads(TorchFunctionMode):
    """Counts how often each tensor is read; tensors are kept, so that none takes another's id."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Counter[int] = Counter()
        self.kept: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        told = func(*args, **(kwargs or {}))
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(told)):  # sizes are no reading
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.times.update(map(id, read))
            self.kept += read
        return told


def _pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of convolutions that one batch normalization reads and nothing else, and of that."""
    if not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
        return
    made: dict[int, str] = {}
    calls: Counter[str] = Counter()
    given: defaultdict[str, list[int]] = defaultdict(list)
    probe, reads = deepcopy(network).to("meta"), _Reads()

    def remember(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, told: Tensor) -> None:
            reads.kept.append(told)
            made[id(told)] = name
            calls[name] += 1

        return hook

    def look(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: given[name].append(id(inputs[0]))

    for name, layer in probe.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(remember(name))
        elif isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats:
            layer.register_forward_pre_hook(look(name))
    with torch.no_grad(), reads:
        probe(torch.zeros(input_shape(network), device="meta"))
    for name, inputs in given.items():
        before = {made.get(tensor) for tensor in inputs}
        only = before.pop() if len(before) == 1 else None
        once = all(reads.times[tensor] == 1 for tensor in inputs)
        if only is not None and once and calls[only] == len(inputs):
            yield only, name


@torch.no_grad()
def _absorb(network: nn.Module, convolution: str, norm: str) -> None:
    before, after = network.get_submodule(convolution), network.get_submodule(norm)
    if not isinstance(before, nn.Conv2d) or not isinstance(after, nn.BatchNorm2d):
        raise TypeError(f"{convolution} and {norm} are no convolution and batch normalization")
    kernel, bias = absorbed(before.weight, before.bias, after)
    before.weight = nn.Parameter(kernel.to(before.weight.dtype))
    before.bias = nn.Parameter(bias.to(before.weight.dtype))
    network.set_submodule(norm, nn.Identity())
