"""What the other days bring to a trained super-resolution network: frames withheld from it.

    python -m pipelines.research.withheld --weights W.safetensors --split test

The target stands in for the frames that are withheld, as on a day without neighbours. Beside it,
the linear part of the network alone. Nothing is trained: `make ablations` does that.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from torch import Tensor, nn

from pipelines.research.ablations import markdown
from seaice.config import NetworkSettings
from seaice.models.inference import choose_device
from seaice.train.samples import SampleSet, Split
from seaice.train.super_resolution import SRTask
from seaice.workflow.methods import network_of
from seaice.workflow.plan import method
from seaice.workflow.training.compare import ScoreRow, score_row

__all__ = ["LOOKS", "compared"]

#: Which frame stands where.
LOOKS = {
    "all five frames": (0, 1, 2, 3, 4),
    "the target and one day on either side": (1, 1, 2, 3, 3),
    "the target alone": (2, 2, 2, 2, 2),
}


class _Seeing(nn.Module):
    """A network that sees some frames in the place of others."""

    def __init__(self, network: nn.Module, frames: Sequence[int]) -> None:
        super().__init__()
        self.network, self.frames = network, list(frames)

    def forward(self, stack: Tensor) -> Tensor:
        told: Tensor = self.network(stack[:, self.frames])
        return told


class _Linear(nn.Module):
    """The fitted interpolation of a network alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, stack: Tensor) -> Tensor:
        told: Tensor = self.network.interpolation(stack[:, stack.shape[1] // 2])  # type: ignore[operator]
        return told


def compared(network: nn.Module, lesson: SRTask) -> Iterator[ScoreRow]:
    """Bicubic, the linear part, and the network with fewer and with all frames.

    Parameters
    ----------
    network : PMDRnet of five frames
    lesson : its `valid` samples are scored on
    """
    seen = {"the linear part alone": _Linear(network)} | {
        name: _Seeing(network, frames) for name, frames in reversed(LOOKS.items())
    }
    for number, (name, seeing) in enumerate(seen.items()):
        scores = lesson.evaluate(seeing)
        if not number:
            yield score_row("bicubic", scores, "bicubic_")
        yield score_row(name, scores, "")


def main() -> None:
    """Score, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training"), help="folder of sample sets")
    parser.add_argument("--weights", type=Path, help="of a PMDRnet; the shipped ones if not given")
    parser.add_argument("--split", choices=get_args(Split), default="test")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    told = parser.parse_args()
    settings = NetworkSettings(name="pmdrnet", weights=told.weights)
    network, card = network_of(method("sr", settings, told.data / "hashes.json"), "sr")
    samples = SampleSet.of(told.data, told.split)
    task = SRTask(train=samples, valid=samples, card=card, valid_samples=len(samples))
    rows = list(compared(network.to(choose_device(told.device)), task))
    print(f"{len(samples)} worlds of the {told.split} split\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
