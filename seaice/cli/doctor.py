"""What is there and whether it will do: software, device, weights, granules."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from seaice.errors import GranuleError, SeaIceError
from seaice.write.provenance import commit, software

__all__ = ["Examination", "examined", "models_known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One thing looked at."""

    what: str
    found: str
    well: bool


def examined(granules: Path | None) -> list[Examination]:
    """Everything a run depends on, looked at one after another."""
    found = [*_software(), _device(), *_weights()]
    return [*found, *_granules(granules)] if granules else found


def models_known() -> list[tuple[str, str, str, str, str]]:
    """Stage, name, weights, meaning and paper of every network and formula."""
    from seaice.network.catalogue import architectures

    asi = ("sic", "asi", "needs none", "cubic in the polarization difference, weather filters")
    return [
        *(
            (entry.role, name, _weights_of(entry.role, name, entry.learns), entry.says, entry.paper)
            for name, entry in architectures().items()
        ),
        (*asi, "Spreen et al. 2008, JGR 113, C02S03"),
    ]


def _weights_of(role: str, name: str, learns: str) -> str:
    shipped = [path.name for path in _shipped() if path.parent.parent.name == role]
    mine = [path for path in shipped if path.startswith(name)]
    if learns == "nothing":
        return "needs none"
    return mine[-1] if mine else "none shipped: make train"


def _shipped() -> list[Path]:
    root = Path(str(files("seaice")))
    return sorted(root.glob("s*/weights/*.safetensors"))


def _software() -> Iterator[Examination]:
    for package, version in software().items():
        yield Examination(what=package, found=version, well=version != "not installed")
    yield Examination(what="git commit", found=commit() or "not from a checkout", well=True)


def _device() -> Examination:
    import torch

    from seaice.network.device import choose_device

    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no CUDA device"
    threads = torch.get_num_threads()
    return Examination(what="device", found=f"{device.type} ({name}), {threads} threads", well=True)


def _weights() -> Iterator[Examination]:
    from seaice.network.weights import load

    for path in _shipped():
        what = f"weights {path.name}"
        try:
            _, card = load(path)
        except SeaIceError as error:
            yield Examination(what=what, found=str(error), well=False)
        else:
            size = path.stat().st_size / 1e6
            yield Examination(
                what=what, found=f"whole, {card.architecture}, {size:.1f} MB", well=True
            )
    if not _shipped():
        yield Examination(what="weights", found="none shipped; `make train` makes some", well=False)


def _granules(folder: Path) -> Iterator[Examination]:
    """Granules by name, or gridded days where there are none; are the first and last readable."""
    swaths = sorted(folder.rglob("GW1AM2_*.h5"))
    found = swaths or sorted(folder.rglob("AMSR_U2_L3_SeaIce6km_*.he5"))
    days = sorted({path.name[7:15] if swaths else path.stem[-8:] for path in found})
    span = f", {days[0]} to {days[-1]}" if days else ""
    there = (
        f"{len(found)} files on {len(days)} dates{span}" if folder.is_dir() else "no such folder"
    )
    yield Examination(what=f"granules in {folder}", found=there, well=bool(found))
    for path in dict.fromkeys([*found[:1], *found[-1:]]):
        try:
            size = _readable(path)
        except GranuleError as error:
            yield Examination(what=path.name, found=str(error), well=False)
        else:
            yield Examination(what=path.name, found=f"readable, {size}", well=True)


def _readable(path: Path) -> str:
    """How much a file holds.

    Raises
    ------
    GranuleError
        If it cannot be read.
    """
    from seaice.ingest.au_si6 import read_au_si6
    from seaice.ingest.read import read_swath

    if path.suffix == ".he5":
        sizes = read_au_si6(path, "north").sizes
        return f"{sizes['y']} x {sizes['x']} cells in the north"
    return f"{read_swath(path).sizes['scan']} scans"
