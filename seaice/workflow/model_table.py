"""The table of all networks and formulas: `seaice models`."""

import csv
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

__all__ = ["COLUMNS", "SIZES", "data_file", "list_model_rows", "shipped", "size_of", "write_sizes"]

COLUMNS = (
    "stage",
    "name",
    "parameters",
    "kFLOP a cell",
    "margin",
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
SIZES = "sizes.csv"  #: written by `make model-pages`, so that listings do not build networks
_UNITS = {"sr": "K", "sic": "%"}

Line = tuple[str, ...]


def list_model_rows() -> Iterator[Line]:
    """Every network and formula, by `COLUMNS`.

    Parameters and cost are those of the shipped weights, or of the compact size without any; the
    margin is the number of input cells at a tile's edge whose result depends on the edge, or the
    one window size; scores are those of
    `seaice compare`: RMSE of V - H, or of concentration.
    """
    from seaice.models.registry import list_models

    scores, sizes = _scores(), _sizes()
    for name, entry in list_models().items():
        score = f"{scores[name]} {_UNITS[entry.role]}" if name in scores else ""
        weights = "needs none" if not entry.has_weights else _weights(entry.role, name)
        size = sizes[name] if name in sizes else size_of(name)
        yield entry.role, name, *size, weights, score, entry.title, entry.paper
    for name, margin, title, paper in _FORMULAS:
        yield "sic", name, "-", "-", margin, "needs none", "", f"{title}, weather filters", paper
    blend = "xception_aspp where its uncertainty is small, else asi"
    yield "sic", "blend", "-", "-", "as both", "those of xception_aspp", "", blend, "-"


def shipped(role: str | None = None) -> list[Path]:
    """Weights files of the package."""
    root = Path(str(files("seaice")))
    return sorted(root.glob(f"models/{role or 's*'}/weights/*.safetensors"))


def _weights(role: str, name: str) -> str:
    mine = [path.name for path in shipped(role) if path.stem == name]
    return mine[0] if mine else "none shipped: make train"


def size_of(name: str) -> tuple[str, str, str]:
    """Parameters, cost, and margin or window; the network is built to count them."""
    from seaice.models.export import count_cost
    from seaice.models.inputs import SIC_CHANNELS
    from seaice.models.registry import find_model
    from seaice.models.weights import read_card

    entry = find_model(name)
    role = entry.role
    ours = [path for path in shipped(role) if path.stem == name]
    if ours:
        config = dict(read_card(ours[0]).config)
    else:
        config = entry.compact() | {"in_channels": len(SIC_CHANNELS)} if role == "sic" else {}
    cost = count_cost(name, config)
    window = config.get("window")
    margin = f"window {window}" if window else str(entry.margin)
    if not cost.parameters:
        return "-", "-", margin
    return f"{cost.parameters:,}", f"{cost.flops / 1e3:.1f}", margin


def write_sizes(path: Path) -> None:
    """Write `size_of` of every network as the table that `list_model_rows` reads."""
    from seaice.files import atomic_file
    from seaice.models.registry import list_models

    with atomic_file(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "parameters", "kflop", "margin"))
        writer.writerows((name, *size_of(name)) for name in list_models())


def data_file(name: str) -> Path:
    """A data table of `seaice.models`."""
    return Path(str(files("seaice"))) / "models" / "data" / name


def _sizes() -> dict[str, tuple[str, str, str]]:
    path = data_file(SIZES)
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            line["name"]: (line["parameters"], line["kflop"], line["margin"])
            for line in csv.DictReader(file)
        }


def _scores() -> dict[str, str]:
    path = data_file("compared.csv")
    if not path.exists():
        return {}
    with path.open() as file:
        return {line["name"]: f"{float(line['rmse']):.2f}" for line in csv.DictReader(file)}
