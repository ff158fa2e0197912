"""What there is of each day: products, and where there is none, what the logs say of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from seaice.errors import NoInputError
from seaice.product.folder import list_product_files, provenance_or_none
from seaice.workflow.season.inventory import days_between
from seaice.workflow.season.log import RUNS, last_run, notes

__all__ = ["PRODUCT", "Status", "no_products", "status_of", "statuses"]

#: A product's folder; `region` is empty for a whole hemisphere.
PRODUCT = re.compile(
    r"seaice_sic_(?P<place>(north|south)(_(?P<region>.+))?)_(?P<day>\d{8})_v[\d.]+"
)
State = Literal["final", "provisional", "failed", "missing", "damaged", "waiting"]
NEEDED = {"status", "warnings", "granules"}  #: of a provenance
ENDED = ("looked", "made", "lost")  #: events that end a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One day."""

    place: str  #: hemisphere and region
    day: str
    state: State
    why: str
    absent: tuple[str, ...] = ()  #: dates without granules, of the five
    left_out: tuple[str, ...] = ()  #: granules that could not be used, with the reason

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def no_products(out: Path | str) -> NoInputError:
    """What to say of a place without products."""
    there = not isinstance(out, Path) or out.is_dir()
    return NoInputError(
        f"no product in {out}" if there else f"no folder {out}",
        "a folder with products such as seaice_sic_north_20200303_v0.1",
        "give the folder that --out named",
    )


def statuses(out: Path) -> Iterator[Status]:
    """Every day that was made or asked for, by place and date; then granules in quarantine."""
    products = {status[0]: status[1] for status in _products(out)}
    told = {key: _of_log(out, *key) for key in _asked(out) - products.keys()}
    for key, status in sorted((products | told).items()):
        failed = _last(out, *key)
        if status.state in ("final", "provisional") and failed.get("state") in ("failed", "again"):
            why = f"a later run failed: {failed.get('reason', '')}"
            yield Status(**status.as_dict() | {"why": why})  # type: ignore[arg-type]
        else:
            yield status
    if (out / "quarantine").is_dir():
        from seaice.workflow.season.quarantine import quarantined

        for entry in quarantined(out):
            yield Status(place="quarantine", day="", state="failed", why=str(entry["found"]))


def _products(out: Path) -> Iterator[tuple[tuple[str, str], Status]]:
    for folder in sorted(out.glob("seaice_sic_*_v*")):
        name = PRODUCT.fullmatch(folder.name)
        if name and folder.is_dir():
            day = date.fromisoformat(name["day"]).isoformat()
            yield (name["place"], day), _of_product(folder, name["place"], day)


def _of_product(folder: Path, place: str, day: str) -> Status:
    made = list_product_files(folder)
    document = provenance_or_none(folder / made[-1].name) if made else None
    return status_of(document or {}, place, day)


def status_of(document: Mapping[str, Any], place: str, day: str) -> Status:
    """What a product's provenance tells of its day; damaged where there is none."""
    if not document.keys() >= NEEDED:
        why = "files are missing or unreadable; `seaice verify --repair` makes it again"
        return Status(place=place, day=day, state="damaged", why=why)
    return Status(
        place=place,
        day=day,
        state="final" if document["status"] == "final" else "provisional",
        why="; ".join(document["warnings"]),
        absent=tuple(each for each, granules in document["granules"].items() if not granules),
        left_out=tuple(said for said in document["warnings"] if ": left out " in said),
    )


def _asked(out: Path) -> set[tuple[str, str]]:
    """The days of all runs, and those of which a log tells an end: a watched folder's."""
    days = {
        (path.parent.name, path.stem)
        for path in (out / "log").glob("*/????-??-??.jsonl")
        if _last(out, path.parent.name, path.stem)
    }
    for path in (out / "log").glob(f"*/{RUNS}.jsonl"):
        for told in notes(path):
            span = date.fromisoformat(told["first"]), date.fromisoformat(told["last"])
            days |= {(path.parent.name, str(day)) for day in days_between(*span)}
    return days


def _of_log(out: Path, place: str, day: str) -> Status:
    """A day without a product."""
    told = _last(out, place, day)
    state: State = "waiting"
    if told.get("state") == "missing":
        state = "missing"
    elif told:
        state = "failed"
    return Status(place=place, day=day, state=state, why=str(told.get("reason", "not reached yet")))


def _last(out: Path, place: str, day: str) -> dict[str, Any]:
    """How the day ended last; nothing where it never did."""
    lines = notes(out / "log" / place / f"{day}.jsonl")
    return next((told for told in reversed([*lines]) if told.get("event") in ENDED), {})


def settings_of_last_run(out: Path, place: str) -> dict[str, Any]:
    """The settings with which a place was last worked on; empty where it never was."""
    told = last_run(out, place) or {}
    settings: dict[str, Any] = told.get("settings", {})
    return settings
