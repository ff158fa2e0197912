"""Both networks of the default run on crops: naively, as we run them, and in bfloat16.

Naively: eager, float32, channels first, deformable sampling in plain PyTorch. By one thread, so
that processor time is work and not waiting. What bfloat16 costs is measured on simulated worlds,
where training data lie; the whole map is the subject `north`.
"""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row, Taken, interleaved, peak
from benchmarks.shipped import NAMES, sampled_plainly, shipped
from seaice.models.card import Card
from seaice.models.inference import Machine

CPU = Machine(device=torch.device("cpu"))
SIDES = {"sr": 160, "sic": 640}  #: of the crop, cells of the network's input
WORLDS = Path("training/valid.zarr")
HOW_MANY = 4  #: worlds on which precision is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One network on a crop."""

    card: Card
    cells: int
    flops: float
    taken: dict[str, Taken]


def rows(runs: int) -> Iterator[Row]:
    """Crops of both networks, and what bfloat16 costs."""
    torch.set_num_threads(1)
    result = {role: timed(role, max(runs // 2, 1)) for role in ("sr", "sic")}
    limit = best_rate()
    for role, one in result.items():
        for how in ("float32", "bfloat16"):
            yield Row(
                subject="networks",
                what=f"{NAMES[role]}, {how}, channels last",
                sizes=f"crop of {SIDES[role]} x {SIDES[role]}",
                ours=one.taken[how],
                peer_is="eager, float32, NCHW",
                peer=one.taken["naive"],
                limit_is="operations at the rate of a 64-channel bfloat16 convolution",
                limit=one.flops / limit,
                peak=peak(),
                note=f"{one.flops / one.taken[how].cpu / 1e9:.0f} of {limit / 1e9:.0f} GFLOP/s",
            )
    yield from precision()


def timed(role: str, runs: int) -> Timed:
    """The network of a role, three ways."""
    plain, card = shipped(role)
    last = deepcopy(plain).to(memory_format=torch.channels_last)
    side = SIDES[role]
    frames = (card.frames,) if role == "sr" else ()
    inputs = torch.randn(1, *frames, len(card.channels), side, side)
    laid = inputs if role == "sr" else inputs.contiguous(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        plainly(lambda: plain(inputs))()
    ways = {
        "naive": plainly(runner(plain, inputs, rounded=torch.float32)),
        "float32": runner(last, laid, rounded=torch.float32),
        "bfloat16": runner(last, laid, rounded=torch.bfloat16),
    }
    flops = float(counter.get_total_flops())
    return Timed(card=card, cells=side**2, flops=flops, taken=interleaved(ways, runs))


def runner(network: nn.Module, given: Tensor, rounded: torch.dtype) -> Callable[[], Tensor]:
    """A run of the network."""

    @torch.inference_mode()
    def run() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded == torch.bfloat16):
            told: Tensor = network(given)
        return told

    return run


def plainly(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same with deformable sampling in plain PyTorch."""

    def slow() -> Tensor:
        with sampled_plainly():
            return run()

    return slow


def best_rate() -> float:
    """Operations a second of one core's time: 64 channels, 3x3, bfloat16, channels last."""
    layer = nn.Conv2d(64, 64, 3, padding=1).bfloat16().to(memory_format=torch.channels_last)
    inputs = torch.randn(1, 64, 256, 256).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        taken = interleaved({"conv": lambda: layer(inputs)}, 9)["conv"]
    return 2 * 9 * 64 * 64 * 256**2 / taken.cpu


def precision() -> Iterator[Row]:
    """What bfloat16 changes of concentration, beside how far float32 is from the truth."""
    if not WORLDS.exists():
        return
    from seaice.simulate.samples import SPLITS, draw
    from seaice.train.samples import SampleSet
    from seaice.workflow.evaluation.methods import Networks, retrieve_world, ways, world_of

    samples = SampleSet.open(WORLDS)
    compared = ways([f"{NAMES['sr']}:{NAMES['sic']}"], WORLDS.parent / "hashes.json")
    rough = replace(CPU, precision="bfloat16")
    sums: dict[str, list[np.ndarray]] = {}
    times: dict[str, float] = {}
    for index in range(min(HOW_MANY, len(samples))):
        world = world_of(samples, index, draw(SPLITS["valid"], index)[0])
        result = {}
        for how, machine in (("float32", CPU), ("bfloat16", rough)):
            start = time.process_time()
            told = retrieve_world(world, compared, Networks(machine))
            times[how] = times.get(how, 0) + time.process_time() - start
            result[how] = told.sic[compared[0].label][0]
        known = np.isfinite(result["float32"]) & np.isfinite(world.sic)
        for name, error in (
            ("float32", result["float32"] - world.sic),
            ("bfloat16", result["bfloat16"] - world.sic),
            ("between", result["bfloat16"] - result["float32"]),
        ):
            sums.setdefault(name, []).append(np.square(error[known]))
    rms = {name: 100 * float(np.sqrt(np.concatenate(each).mean())) for name, each in sums.items()}
    yield Row(
        subject="networks",
        what="what bfloat16 changes",
        sizes=f"{min(HOW_MANY, len(samples))} validation worlds",
        ours=Taken(wall=times["bfloat16"], cpu=times["bfloat16"], runs=1),
        peer_is="float32",
        peer=Taken(wall=times["float32"], cpu=times["float32"], runs=1),
        note=f"RMSE of concentration {rms['float32']:.3f} % in float32, {rms['bfloat16']:.3f} % in "
        f"bfloat16; between the two {rms['between']:.3f} % (target 0.3 %)",
    )
