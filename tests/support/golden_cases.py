"""Numbers of the official implementations: weights, inputs, outputs, from `tests/golden`.

Where the shared folder of fixtures is at hand, cases that lie only there are run as well.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

HERE = Path(__file__).parents[1] / "golden"
SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[3] / "shared"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    kind: str  # the official class
    config: dict
    weights: dict[str, Tensor]
    io: dict[str, Tensor]


def folders(architecture: str) -> dict[str, Path]:
    """Every case of an architecture, by name; our own copy comes first."""
    result: dict[str, Path] = {}
    for root in (SHARED / "golden", HERE):
        result |= {
            meta.parent.name: meta.parent for meta in root.glob(f"{architecture}/*/meta.json")
        }
    return dict(sorted(result.items()))


def read(architecture: str, name: str) -> Case:
    folder = folders(architecture)[name]
    meta = json.loads((folder / "meta.json").read_text())
    return Case(
        name=name,
        kind=meta["class"].split(" (")[0],
        config=meta["config"],
        weights=load_file(folder / "weights.safetensors"),
        io=load_file(folder / "io.safetensors"),
    )


def assert_golden(found: Tensor, expected: Tensor) -> None:
    """Within 1e-5 of the official numbers, relative to the largest of them where that is over 1."""
    tolerance = 1e-5 * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
