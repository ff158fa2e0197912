"""Both networks on a graphics card, each beside what the card could do at best.

`make bench ONLY=gpu` where PyTorch sees CUDA. Without a card every part runs on the CPU at a small
size, which shows that it runs and no more. Times are of the wall: a card's work is nobody's
processor time. Ceilings are measured in the same run: a product of large bfloat16 matrices, and a
copy. What operations move is all that each reads and writes, as if nothing stayed in a cache.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row, Taken
from benchmarks.north import made_day, ours
from benchmarks.shipped import NAMES, sampled_plainly, shipped
from seaice.grid.grid import NORTH
from seaice.models.inference import Machine, choose_device
from seaice.models.layers.deformable import ConvGeometry, modulated_deform_conv
from seaice.models.registry import create_model

TARGET = 1.5  #: s, the whole north by both networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a card is given, and what a processor is given to see that all runs."""

    crop: tuple[slice, slice]  #: of the northern grid
    tile: dict[str, int]  #: cells along a side of a network's input
    product: int  #: rows of the matrices of the ceiling
    batch: int  #: samples of a step of training, `side` cells each
    side: int


WHOLE = slice(0, None)
CARD = Sizes(crop=(WHOLE, WHOLE), tile={"sr": 384, "sic": 1536}, product=8192, batch=32, side=64)
HERE = slice(600, 664)
PROCESSOR = Sizes(crop=(HERE, HERE), tile={"sr": 32, "sic": 64}, product=256, batch=1, side=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What the device does at best, a second."""

    flops: float
    moved: float  #: bytes


class Moved(TorchDispatchMode):
    """Bytes that operations read and write; views move nothing."""

    total = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        told = function(*given, **(named or {}))
        seen_anew = any(each.alias_info for each in function._schema.returns)
        if not seen_anew and function is not torch.ops.aten._unsafe_view.default:
            leaves = tree_leaves((given, told))
            self.total += sum(each.nbytes for each in leaves if isinstance(each, Tensor))
        return told


def rows(runs: int) -> Iterator[Row]:
    """The ceilings' own line is not in the table: they stand behind the shares."""
    device = choose_device("auto")
    sizes = CARD if device.type == "cuda" else PROCESSOR
    with torch.no_grad():  # not inference mode, which hides that a reshape may copy
        ceiling = ceilings(device, sizes, runs)
        yield whole_map(device, sizes, runs)
        for role in NAMES:
            yield one_tile(role, device, sizes, ceiling, runs)
        yield sampling(device, sizes, runs)
    yield from training(device, sizes, ceiling, runs)


def seconds(way: Callable[[], object], device: torch.device, runs: int) -> Taken:
    """The median of the wall, the device waited for, after one run to warm up."""
    result = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        way()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        result.append(time.perf_counter() - start)
    wall = statistics.median(result[1:])
    return Taken(wall=wall, cpu=wall, runs=runs)


def ceilings(device: torch.device, sizes: Sizes, runs: int) -> Ceiling:
    """A product of square matrices in bfloat16, and a copy of as much as thirty of them."""
    square = torch.randn(sizes.product, sizes.product, device=device).bfloat16()
    product = seconds(lambda: square @ square, device, runs)
    inputs = torch.empty(30 * square.numel(), dtype=torch.bfloat16, device=device)
    onto = torch.empty_like(inputs)
    copied = seconds(lambda: onto.copy_(inputs), device, runs)
    return Ceiling(flops=2 * sizes.product**3 / product.wall, moved=2 * inputs.nbytes / copied.wall)


def whole_map(device: torch.device, sizes: Sizes, runs: int) -> Row:
    """Both networks over the north, from and to arrays in the computer's memory."""
    day = made_day(NORTH.crop(*sizes.crop))
    machine = Machine(device=device, precision="bfloat16")
    taken = seconds(lambda: ours(day, machine), device, runs)
    return Row(
        subject="gpu",
        what=f"both networks over the northern map, {_name(device)}",
        sizes=" x ".join(map(str, day.land.shape)),
        ours=taken,
        limit_is="the target",
        limit=TARGET,
        peak=_most(device),
        note="weights read, maps assembled and brought back; memory is the card's",
    )


def one_tile(role: str, device: torch.device, sizes: Sizes, ceiling: Ceiling, runs: int) -> Row:
    """A network alone, on what lies on the device already, beside its roofline."""
    network, card = shipped(role)
    network = network.to(device, memory_format=torch.channels_last)
    frames = (card.frames,) if role == "sr" else ()
    side = sizes.tile[role]
    inputs = torch.randn(1, *frames, len(card.channels), side, side, device=device)

    def run() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            told: Tensor = network(inputs)
        return told

    with FlopCounterMode(display=False) as counter, Moved() as moved:
        run()
    flops = float(counter.get_total_flops())
    taken = seconds(run, device, runs)
    return Row(
        subject="gpu",
        what=f"{NAMES[role]}, a tile, {_name(device)}",
        sizes=f"{side} x {side}",
        ours=taken,
        limit_is="the roofline: operations or bytes, whichever takes longer",
        limit=max(flops / ceiling.flops, moved.total / ceiling.moved),
        peak=_most(device),
        note=f"{flops / 1e9:.0f} GFLOP, {moved.total / 1e9:.1f} GB; at best "
        f"{ceiling.flops / 1e12:.3g} TFLOP/s, {ceiling.moved / 1e9:.3g} GB/s; what deformable "
        "kernels move is not counted",
    )


def sampling(device: torch.device, sizes: Sizes, runs: int) -> Row:
    """A deformable convolution by the device's kernel, and in plain PyTorch."""
    side, width, groups = sizes.tile["sr"], 64, 8
    draw = lambda *shape: torch.randn(1, *shape, side, side, device=device).bfloat16()  # noqa: E731
    features = draw(width).contiguous(memory_format=torch.channels_last)
    inputs = features, draw(18 * groups), torch.sigmoid(draw(9 * groups))
    weight = torch.randn(width, width, 3, 3, device=device).bfloat16() / 24
    geometry = ConvGeometry(deformable_groups=groups)

    def kernel() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return modulated_deform_conv(*inputs, weight, None, geometry)

    def plainly() -> Tensor:
        with sampled_plainly():
            return kernel()

    difference = (kernel().float() - plainly().float()).abs().max()
    return Row(
        subject="gpu",
        what=f"deformable convolution, {width} channels, by a kernel, {_name(device)}",
        sizes=f"{side} x {side}",
        ours=seconds(kernel, device, runs),
        peer_is="plain PyTorch",
        peer=seconds(plainly, device, runs),
        note=f"largest difference {float(difference):.2g} of values of {float(kernel().std()):.2g}",
    )


def training(device: torch.device, sizes: Sizes, ceiling: Ceiling, runs: int) -> Iterator[Row]:
    """Steps of super-resolution, and on a card the same network compiled."""
    _, card = shipped("sr")
    network = create_model(card.architecture, card.config).to(device)
    shape = sizes.batch, card.frames, len(card.channels), sizes.side, sizes.side
    inputs = torch.randn(shape, device=device)
    truth = torch.randn(sizes.batch, 2, 4 * sizes.side, 4 * sizes.side, device=device)
    ways: dict[str, Any] = {"eager": network}
    if device.type == "cuda":
        ways["compiled"] = torch.compile(network)
    for how, way in ways.items():
        step = stepper(way, network, inputs, truth)
        with FlopCounterMode(display=False) as counter:
            create_model(card.architecture, card.config).to(device)(inputs).sum().backward()
        taken = seconds(step, device, runs)
        yield Row(
            subject="gpu",
            what=f"a step of training {NAMES['sr']}, {how}, {_name(device)}",
            sizes=f"{sizes.batch} samples of {sizes.side} x {sizes.side}",
            ours=taken,
            limit_is="its operations at the rate of a matrix product",
            limit=counter.get_total_flops() / ceiling.flops,
            peak=_most(device),
            note=f"{sizes.batch / taken.wall:.3g} samples/s",
        )


def stepper(way: Any, network: nn.Module, given: Tensor, truth: Tensor) -> Callable[[], None]:
    """One step: forward in bfloat16, backward, Adam."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(given.device.type, torch.bfloat16):
            loss = F.l1_loss(way(given), truth)
        loss.backward()
        optimizer.step()

    return step


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor, tiny"


def _most(device: torch.device) -> float | None:
    """MB of the card's memory, the most so far."""
    return torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
