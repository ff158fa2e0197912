"""Good weights in, bad ones out: headers that lie, tensors that do not fit, cards that boast."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipelines.research.faults.bad.granules import for_any_file

__all__ = ["MUTATIONS", "answered", "good"]

Random = np.random.Generator
Header = dict[str, Any]
ABSURD: tuple[object, ...] = (
    None,
    -1,
    0,
    10**9,
    2**63,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    True,
    "../../etc/passwd",
    [1] * 99,
)
TYPES = ("F64", "F16", "BF16", "I64", "I8", "U8", "BOOL", "F8_E4M3", "X", 3, None)


def good(folder: Path) -> Path:
    """The smallest network with weights of its own."""
    import torch

    from seaice.models.inputs import new_sr_card
    from seaice.models.registry import create_model
    from seaice.models.weights import save_model

    card = new_sr_card("espcn", {"width": 4})
    torch.manual_seed(0)
    path = folder / "weights.safetensors"
    save_model(path, create_model("espcn", card.config), card)
    return path


def answered(path: Path) -> str:
    """What is wrong with weights that were loaded; empty where nothing is.

    Raises
    ------
    SeaIceError
        Where they are refused.
    """
    import torch

    from seaice.models.weights import load_model, read_card

    read_card(path)
    network, _ = load_model(path)
    tensors = network.state_dict().values()
    return "" if all(bool(torch.isfinite(each).all()) for each in tensors) else "not finite"


def _parts(path: Path) -> tuple[Header, bytes]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _joined(path: Path, header: Header | bytes, body: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def _any(header: Header, random: Random) -> str:
    return str(random.choice(sorted(name for name in header if name != "__metadata__")))


def _length(path: Path, random: Random) -> None:
    data = path.read_bytes()
    sizes = (0, 1, 7, len(data), 10**8, 2**40, 2**63 - 1, 2**64 - 1)
    size = sizes[random.integers(len(sizes))]
    path.write_bytes(size.to_bytes(8, "little") + data[8:])


def _offsets(path: Path, random: Random) -> None:
    header, body = _parts(path)
    ends = [int(random.choice([-1, 0, 1, 7, len(body), 2**31, 2**62])) for _ in range(2)]
    header[_any(header, random)]["data_offsets"] = ends
    _joined(path, header, body)


def _shape(path: Path, random: Random) -> None:
    header, body = _parts(path)
    one = header[_any(header, random)]
    shapes: tuple[object, ...] = (
        [],
        [0],
        [-1],
        [2**62, 4],
        one["shape"][::-1],
        [*one["shape"], 1],
        [10**6] * 6,
        "x",
    )
    one["shape"] = shapes[random.integers(len(shapes))]
    _joined(path, header, body)


def _kind(path: Path, random: Random) -> None:
    header, body = _parts(path)
    header[_any(header, random)]["dtype"] = TYPES[random.integers(len(TYPES))]
    _joined(path, header, body)


def _renamed(path: Path, random: Random) -> None:
    header, body = _parts(path)
    name = _any(header, random)
    names = ("", "x", name.upper(), "../x", "body.99.weight", "\x00")
    header[names[random.integers(len(names))]] = header.pop(name)
    _joined(path, header, body)


def _more(path: Path, random: Random) -> None:
    header, body = _parts(path)
    size = int(random.integers(1, 1000))
    header["extra"] = {
        "dtype": "F32",
        "shape": [size],
        "data_offsets": [len(body), len(body) + 4 * size],
    }
    _joined(path, header, body + random.bytes(4 * size))


def _not_finite(path: Path, random: Random) -> None:
    header, body = _parts(path)
    start, end = header[_any(header, random)]["data_offsets"]
    place = start + 4 * int(random.integers((end - start) // 4))
    value = np.float32(random.choice([np.nan, np.inf, -np.inf])).tobytes()
    _joined(path, header, body[:place] + value + body[place + 4 :])


def _card(path: Path, random: Random) -> None:
    """One entry of the card, or of its sizes, is absurd or gone."""
    header, body = _parts(path)
    card = json.loads(header["__metadata__"]["card"])
    table = card["config"] if random.random() < 0.6 else card
    name = str(random.choice(sorted(table)))
    if random.random() < 0.1:
        del table[name]
    else:
        table[name] = ABSURD[random.integers(len(ABSURD))]
    header["__metadata__"]["card"] = json.dumps(card)
    _joined(path, header, body)


def _no_card(path: Path, random: Random) -> None:
    header, body = _parts(path)
    cards = ("", "{", "[]", "null", "[" * 100_000, "{}", '"card"', "9" * 5000)
    header["__metadata__"] = {"card": cards[random.integers(len(cards))]}
    _joined(path, header, body)


def _header(path: Path, random: Random) -> None:
    header, body = _parts(path)
    text = bytearray(json.dumps(header).encode())
    for place in random.integers(0, len(text), random.integers(1, 8)):
        text[place] = random.integers(256)
    _joined(path, bytes(text), body)


#: what is done -> how
MUTATIONS: Mapping[str, Callable[[Path, Random], None]] = MappingProxyType(
    {
        "a header of another length": _length,
        "offsets that lie": _offsets,
        "a shape that lies": _shape,
        "a type that lies": _kind,
        "a tensor of another name": _renamed,
        "a tensor more": _more,
        "values that are not finite": _not_finite,
        "a card that boasts": _card,
        "no card": _no_card,
        "bytes of the header flipped": _header,
        "cut short": for_any_file["cut short"],
    }
)
