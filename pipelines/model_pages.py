"""A page for every network, docs/models/, from its docstring, registry entry and cost.

    python -m pipelines.model_pages

The pages are generated from docstrings, the registry and counted costs.
"""

import argparse
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from seaice.files import atomic_file
from seaice.models.export import count_cost
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.registry import Architecture, create_model, list_models
from seaice.workflow.model_table import (
    COLUMNS,
    SIZES,
    data_file,
    list_model_rows,
    size_of,
    write_sizes,
)

__all__ = ["Step", "flow", "index", "page", "write_pages"]

OUT = Path("docs") / "models"
SILENT = (
    nn.Identity,
    nn.GELU,
    nn.ReLU,
    nn.LayerNorm,
    nn.BatchNorm2d,
    nn.GroupNorm,
)  # are not drawn
LISTS = (nn.ModuleList, nn.Sequential)
SIDE = {"sr": 64, "sic": 384}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of a network, and the size of its output."""

    name: str
    kind: str
    channels: int
    side: int  #: cells
    times: int = 1


def small_size(entry: Architecture) -> dict[str, Any]:
    """Fields of the compact configuration of a network, for our channels."""
    return entry.compact() | ({"in_channels": len(SIC_CHANNELS)} if entry.role == "sic" else {})


def flow(entry: Architecture) -> list[Step]:
    """The parts of a network in the order of execution.

    Consecutive equal parts are listed once, with their number.
    """
    with torch.device("meta"):
        network: Any = create_model(entry.name, small_size(entry)).eval()
    passed: list[Step] = []
    for name, part in _parts(network, entry.encoder):
        part.register_forward_hook(_noting(passed, name))
    config = network.config
    side = getattr(config, "window", None) or SIDE[entry.role]
    leading = (config.frames, config.channels) if entry.role == "sr" else (config.in_channels,)
    with torch.device("meta"), torch.inference_mode():
        network(torch.zeros(1, *leading, side, side))
    steps = []
    for _, alike in groupby(passed, key=lambda step: (step.kind, step.channels, step.side)):
        first, *others = alike
        steps.append(_times(first, 1 + len(others)))
    return steps


def _times(step: Step, times: int) -> Step:
    return Step(name=step.name, kind=step.kind, channels=step.channels, side=step.side, times=times)


def _parts(network: nn.Module, encoder: str) -> Iterator[tuple[str, nn.Module]]:
    """The parts to draw: children, with the encoder and lists expanded."""
    for name, child in network.named_children():
        if isinstance(child, SILENT):
            continue
        opened = name == encoder and any(True for _ in child.children())
        if opened or isinstance(child, LISTS):
            yield from ((f"{name}.{inner}", part) for inner, part in _parts(child, encoder))
        else:
            yield name, child


def _noting(passed: list[Step], name: str) -> Any:
    def hook(part: nn.Module, _given: object, output: Any) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        if not isinstance(first, Tensor):
            return
        channels, side = _shape(first)
        passed.append(Step(name=name, kind=type(part).__name__, channels=channels, side=side))

    return hook


def _shape(output: Tensor) -> tuple[int, int]:
    """Channels and side of a square map, or of tokens, whose channels come last."""
    if output.ndim == 3:
        return output.shape[2], math.isqrt(output.shape[1])
    last = output.shape[1] == output.shape[2] != output.shape[3]
    return output.shape[-1 if last else -3], output.shape[-2]


def _picture(steps: list[Step], entry: Architecture) -> Figure:
    """Boxes from left to right; their height grows with resolution, their width with channels."""
    figure = Figure(figsize=(max(4.0, 0.95 * len(steps) + 1.2), 3.0))
    axes: Axes = figure.add_axes((0.01, 0.02, 0.98, 0.96))
    place = 0.0
    for step in steps:
        height, width = (
            0.5 + 0.5 * math.log2(max(step.side, 2)),
            0.25 + 0.07 * math.log2(step.channels),
        )
        colour = "#9ecae1" if entry.role == "sr" else "#a1d99b"
        axes.add_patch(Rectangle((place, -height / 2), width, height, fc=colour, ec="0.3", lw=0.8))
        many = f" ×{step.times}" if step.times > 1 else ""
        axes.text(place + width / 2, -2.75, f"{step.kind}{many}", rotation=40, fontsize=7,
                  ha="right", va="top", rotation_mode="anchor")  # fmt: skip
        axes.text(place + width / 2, height / 2 + 0.1, f"{step.channels}\n{step.side}²", fontsize=7,
                  ha="center", va="bottom")  # fmt: skip
        axes.annotate("", (place - 0.02, 0), (place - 0.35, 0),
                      arrowprops={"arrowstyle": "->", "color": "0.5", "lw": 0.8})  # fmt: skip
        place += width + 0.38
    axes.set_xlim(-1.4, place)
    axes.set_ylim(-5.6, 3.6)
    axes.set_axis_off()
    return figure


def page(entry: Architecture) -> str:
    """The page of a network, as Markdown."""
    idea = inspect.cleandoc(import_module(entry.module).__doc__ or "")
    title, _, rest = idea.partition("\n")
    lines = [
        f"# {entry.name}",
        "",
        f"*{title}*",
        "",
        rest.strip(),
        "",
        f"Paper: {entry.paper}.",
        "",
    ]
    if entry.has_weights:
        lines += [f"![how data flows]({entry.name}.png)", "", *_caption(entry), "", *_costs(entry)]
    if entry.when_to_use:
        lines += ["", "## When to use it", "", entry.when_to_use]
    return "\n".join([*lines, "", "## Commands", "", *_commands(entry), ""])


def _caption(entry: Architecture) -> Iterator[str]:
    input_name = "64 x 64 coarse cells" if entry.role == "sr" else "a window of the refined map"
    yield f"The compact size on {input_name}: above each part its channels and the side of its map;"
    yield "the higher a box, the finer the map. Skip connections are not drawn."


def _costs(entry: Architecture) -> Iterator[str]:
    compact = small_size(entry)
    published = {"in_channels": len(SIC_CHANNELS)} if entry.role == "sic" else {}
    yield "| size | parameters | kFLOP a cell of the map |"
    yield "| --- | ---: | ---: |"
    for name, config in (("compact", compact), ("published", published)):
        count = count_cost(entry.name, config)
        yield f"| {name} | {count.parameters:,} | {count.flops / 1e3:.1f} |"
        if name == "compact":
            size = f"{count.parameters:,}", f"{count.flops / 1e3:.1f}"
    shipped = size_of(entry.name)[:2]
    if shipped != size:
        yield f"| as shipped | {' | '.join(shipped)} |"
    window = compact.get("window")
    yield ""
    yield (
        f"Maps are run in windows of {window} cells, blended where they overlap."
        if window
        else f"Results within {entry.margin} cells of a tile's edge depend on the edge and are "
        f"discarded; "
        f"tiles begin at multiples of {entry.multiple_of}."
    )


def _commands(entry: Architecture) -> Iterator[str]:
    upper = entry.role.upper()
    yield f"    make daily {upper}={entry.name}"
    if entry.has_weights:
        yield f"    .venv/bin/seaice train {entry.role} --model {entry.name} --steps 2000"
        yield f"    .venv/bin/seaice compare --{entry.role} {entry.name} --steps 150"


def write_pages(out: Path) -> Iterator[Path]:
    """Write a page and a picture for each network, and the table of all; yields what is done."""
    out.mkdir(parents=True, exist_ok=True)
    for entry in list_models().values():
        yield _written(out / f"{entry.name}.md", page(entry))
        if entry.has_weights:
            with atomic_file(out / f"{entry.name}.png") as part:
                _picture(flow(entry), entry).savefig(part, format="png", dpi=120)
    yield _written(out / "README.md", index())


def index() -> str:
    """The table of all networks and formulas, as Markdown."""
    columns = [k for k, name in enumerate(COLUMNS) if name != "paper"]
    known = [[line[k] for k in columns] for line in list_model_rows()]
    header = [COLUMNS[k] for k in columns]
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(_linked(cell, k, line) for k, cell in enumerate(line)) for line in known]
    return INDEX + "\n".join(f"| {line} |" for line in lines) + "\n"


INDEX = """# The networks

One page each, written by `make model-pages`. Scores are those of `make compare`: RMSE of V - H in
K, of concentration in %, after the same short training (see [results](../results.md)).

"""


def _linked(cell: str, column: int, line: list[str]) -> str:
    return f"[{cell}]({cell}.md)" if column == 1 and cell in list_models() else cell


def _written(path: Path, text: str) -> Path:
    with atomic_file(path) as part:
        part.write_text(text)
    return path


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    write_sizes(data_file(SIZES))
    for path in write_pages(parser.parse_args().out):
        print(path, flush=True)


if __name__ == "__main__":
    main()
