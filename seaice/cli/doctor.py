"""What is there and whether it will do: software, device, weights, granules."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seaice.errors import GranuleError, SeaIceError, to_install
from seaice.io.granules import count_phrase, day_in_granule_name
from seaice.product.provenance import commit, software
from seaice.workflow.model_table import shipped
from seaice.workflow.season.inventory import Inventory

__all__ = ["Check", "check_granules", "run_checks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at."""

    what: str
    found: str
    well: bool
    mend: str = ""  #: what to type where it is not well


def run_checks(granules: Path | None) -> list[Check]:
    """Everything a run depends on, looked at one after another."""
    result = [*_software(), _device(), *_weights()]
    return [*result, *check_granules(granules)] if granules else result


def _software() -> Iterator[Check]:
    for package, version in software().items():
        there = version != "not installed"
        mend = "" if there else to_install(package)
        yield Check(what=package, found=version, well=there, mend=mend)
    yield Check(what="git commit", found=commit() or "not from a checkout", well=True)


def _device() -> Check:
    import torch

    from seaice.models.inference import choose_device

    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no CUDA device"
    threads = torch.get_num_threads()
    return Check(what="device", found=f"{device.type} ({name}), {threads} threads", well=True)


def _weights() -> Iterator[Check]:
    from seaice.models.weights import load_model

    for path in shipped():
        what = f"weights {path.name}"
        try:
            _, card = load_model(path)
        except SeaIceError as error:
            mend = f"git checkout -- {path}, or install the package again"
            yield Check(what=what, found=str(error), well=False, mend=mend)
        else:
            size = path.stat().st_size / 1e6
            yield Check(what=what, found=f"whole, {card.architecture}, {size:.1f} MB", well=True)
    if not shipped():
        yield Check(what="weights", found="none shipped", well=False, mend="make train")


def check_granules(folder: Path) -> Iterator[Check]:
    """Granules by name, or gridded days where there are none; are the first and last readable.

    Files that look like granules and are not used are named with the reason.
    """
    inventory = Inventory.below(folder)
    used = (path for day in inventory.named_days() for path in inventory.granules(day))
    result = sorted(set(used), key=lambda path: path.name)
    days = sorted({day_in_granule_name(path.name) or "" for path in result})
    span = f", {days[0]} to {days[-1]}" if days else ""
    there = "no such folder"
    if folder.is_dir():
        there = f"{count_phrase(len(result))} on {count_phrase(len(days), 'date')}{span}"
    mend = "" if result else f"seaice fetch --start 2020-03-01 --end 2020-03-05 --out {folder}"
    yield Check(what=f"granules in {folder}", found=there, well=bool(result), mend=mend)
    unused = {each for day in inventory.named_days() for each in inventory.left_out(day)}
    for each in sorted(unused):
        name, reason = each.split(": ", 1)
        yield Check(what=name, found=f"left out: {reason}", well=True)
    for path in dict.fromkeys([*result[:1], *result[-1:]]):
        try:
            size = _readable(path)
        except GranuleError as error:
            mend = f"rm {path}, and fetch it again"
            yield Check(what=path.name, found=str(error), well=False, mend=mend)
        else:
            yield Check(what=path.name, found=f"readable, {size}", well=True)


def _readable(path: Path) -> str:
    """How much a file holds.

    Raises
    ------
    GranuleError
        If it cannot be read.
    """
    from seaice.io.nsidc import read_au_si6
    from seaice.io.readers import read_swath

    if path.suffix == ".he5":
        sizes = read_au_si6(path, "north").sizes
        return f"{sizes['y']} x {sizes['x']} cells in the north"
    return f"{read_swath(path).sizes['scan']} scans"
