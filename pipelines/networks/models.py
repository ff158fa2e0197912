"""What networks and formulas there are: the table of `seaice models`."""

import csv
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

__all__ = ["COLUMNS", "models_known", "shipped"]

COLUMNS = (
    "stage",
    "name",
    "parameters",
    "kFLOP a cell",
    "feels",
    "weights",
    "score",
    "what it is",
    "paper",
)
_FORMULAS = (
    ("asi", "1", "cubic in V - H at 89 GHz", "Spreen et al. 2008, JGR 113, C02S03"),
    ("bootstrap", "4", "distance to a line of ice, 18.7 and 36.5 GHz", "Comiso 1986, JGR 91(C1)"),
    ("nasa_team", "4", "three surfaces, 18.7 and 36.5 GHz", "Cavalieri et al. 1984, JGR 89(D4)"),
)
_UNITS = {"sr": "K", "sic": "%"}

Line = tuple[str, ...]


def models_known() -> Iterator[Line]:
    """Every network and formula, by `COLUMNS`.

    Parameters and cost are of the weights that ship, or of the compact size where none do; what a
    tile feels of its edge is in cells of the input, or a window of one size; scores are those of
    `seaice compare`: RMSE of V - H, or of concentration.
    """
    from seaice.network.catalogue import architectures

    scores = _scores()
    for name, entry in architectures().items():
        score = f"{scores[name]} {_UNITS[entry.role]}" if name in scores else ""
        weights = "needs none" if entry.learns == "nothing" else _weights(entry.role, name)
        size = _size(entry.role, name)
        yield entry.role, name, *size, weights, score, entry.says, entry.paper
    for name, feels, says, paper in _FORMULAS:
        yield "sic", name, "-", "-", feels, "needs none", "", f"{says}, weather filters", paper
    blend = "xception_aspp where it is sure, else asi"
    yield "sic", "blend", "-", "-", "as both", "those of xception_aspp", "", blend, "-"


def shipped(role: str | None = None) -> list[Path]:
    """Files of weights that come with the package."""
    root = Path(str(files("seaice")))
    return sorted(root.glob(f"{role or 's*'}/weights/*.safetensors"))


def _weights(role: str, name: str) -> str:
    mine = [path.name for path in shipped(role) if path.stem == name]
    return mine[0] if mine else "none shipped: make train"


def _size(role: str, name: str) -> tuple[str, str, str]:
    """Parameters, cost, and how far a tile feels its edge."""
    from seaice.network.catalogue import find
    from seaice.network.cost import cost
    from seaice.network.weights import read_card
    from seaice.sic.inputs import CHANNELS

    entry = find(name)
    ours = [path for path in shipped(role) if path.stem == name]
    if ours:
        hyper = read_card(ours[0]).hyper
    else:
        small = getattr(entry.load(), "COMPACT", None)
        hyper = asdict(small) if small is not None else {}
        hyper |= {"in_channels": len(CHANNELS)} if role == "sic" else {}
    told = cost(name, hyper)
    window = hyper.get("window")
    feels = f"window {window}" if window else str(entry.margin)
    if not told.parameters:
        return "-", "-", feels
    return f"{told.parameters:,}", f"{told.flops / 1e3:.1f}", feels


def _scores() -> dict[str, str]:
    path = Path(str(files("seaice"))) / "network" / "data" / "compared.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {line["name"]: f"{float(line['rmse']):.2f}" for line in csv.DictReader(file)}
