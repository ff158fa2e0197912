"""Good settings in, bad ones out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pipelines.research.faults.bad.granules import for_any_file

__all__ = ["MUTATIONS", "answered", "good"]

Random = np.random.Generator
VALUES = (
    '""', "-1", "1e400", "nan", "inf", "9" * 400, '"\\u0000"', '"\\u001b[31m"', "[]", "{}", "true",
    "1979-05-27T07:32:00Z", "0001-01-01", "9999-12-31", '"nan,nan,nan,nan"', '"inf,80,-inf,81"',
    '"1e300,80,2e300,81"', '"../../../etc/passwd"', '"s3://key:word@bucket/x"', '"file:///etc"',
    '"' + "x" * 100_000 + '"', "[" * 5000 + "]" * 5000, '"north\\nsouth"', "0x7fffffffffffffffff",
)  # fmt: skip


def good(folder: Path) -> Path:
    """All settings and their defaults."""
    from seaice.config import Settings

    path = folder / "settings.toml"
    path.write_text(Settings().toml())
    return path


def answered(path: Path) -> str:
    """What is wrong with settings that were read; empty where nothing is.

    Raises
    ------
    SeaIceError
        Where they are refused.
    """
    from seaice.config import Settings
    from seaice.workflow.plan import ground, region_label

    settings = Settings.read(path, {})
    if settings.run.hemisphere != "both":
        shape = ground(settings.run).shape
        if max(shape) > 2000:
            return f"a grid of {shape}"
    region_label(settings.run.region)
    return "" if Settings.read(path, {}).toml() == settings.toml() else "read otherwise again"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _any_key(lines: list[str], random: Random) -> int:
    return int(random.choice([at for at, line in enumerate(lines) if " = " in line]))


def _absurd(path: Path, random: Random) -> None:
    lines = _lines(path)
    at = _any_key(lines, random)
    name = lines[at].lstrip("# ").partition(" = ")[0]
    lines[at] = f"{name} = {VALUES[random.integers(len(VALUES))]}"
    path.write_text("\n".join(lines))


def _renamed(path: Path, random: Random) -> None:
    lines = _lines(path)
    at = _any_key(lines, random)
    lines[at] = f"{chr(random.integers(97, 123))}{lines[at].lstrip('# ')}"
    path.write_text("\n".join(lines))


def _twice(path: Path, random: Random) -> None:
    lines = _lines(path)
    lines.append(lines[random.integers(len(lines))])
    path.write_text("\n".join(lines))


def _nested(path: Path, random: Random) -> None:
    depth = int(random.integers(2, 3000))
    path.write_text(f"[run]\n{'.'.join(['date'] * depth)} = 1\n")


def _section(path: Path, random: Random) -> None:
    name = random.choice(["run", "grid", "sr", "sic", "write"])
    path.write_text(f"{name} = {VALUES[random.integers(len(VALUES))]}\n")


def _flipped(path: Path, random: Random) -> None:
    data = bytearray(path.read_bytes())
    for place in random.integers(0, len(data), random.integers(1, 16)):
        data[place] = random.integers(256)
    path.write_bytes(data)


def _noise(path: Path, random: Random) -> None:
    path.write_bytes(random.bytes(int(random.integers(0, 3000))))


#: what is done -> how
MUTATIONS: Mapping[str, Callable[[Path, Random], None]] = MappingProxyType(
    {
        "an absurd value": _absurd,
        "a key nobody knows": _renamed,
        "a line twice": _twice,
        "tables in tables": _nested,
        "a section that is none": _section,
        "bytes flipped": _flipped,
        "cut short": for_any_file["cut short"],
        "noise": _noise,
    }
)
