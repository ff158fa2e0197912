"""The processing log of each day, and the status of each day from its product or its log.

The log of a day is OUT/log/PLACE/DATE.jsonl, one JSON object a line.
"""

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from seaice.config import RunSettings
from seaice.errors import NoInputError
from seaice.files import ensure_writable
from seaice.product.folder import list_product_files, provenance_or_none
from seaice.workflow.season.inventory import days_between

__all__ = [
    "PRODUCT",
    "RUNS",
    "Status",
    "last_run",
    "list_statuses",
    "log_event",
    "log_name",
    "no_products",
    "read_log",
    "status_of",
]

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


def list_statuses(out: Path) -> Iterator[Status]:
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
        from seaice.workflow.season.quarantine import list_quarantined

        for entry in list_quarantined(out):
            yield Status(place="quarantine", day="", state="failed", why=str(entry["found"]))


def _products(out: Path) -> Iterator[tuple[tuple[str, str], Status]]:
    for folder in sorted(out.glob("seaice_sic_*_v*")):
        name = PRODUCT.fullmatch(folder.name)
        if name and folder.is_dir():
            day = date.fromisoformat(name["day"]).isoformat()
            yield (name["place"], day), _of_product(folder, name["place"], day)


def _of_product(folder: Path, place: str, day: str) -> Status:
    result = list_product_files(folder)
    document = provenance_or_none(folder / result[-1].name) if result else None
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
        for told in read_log(path):
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
    lines = read_log(out / "log" / place / f"{day}.jsonl")
    return next((told for told in reversed([*lines]) if told.get("event") in ENDED), {})


def settings_of_last_run(out: Path, place: str) -> dict[str, Any]:
    """The settings with which a place was last worked on; empty where it never was."""
    told = last_run(out, place) or {}
    settings: dict[str, Any] = told.get("settings", {})
    return settings


RUNS = "runs"  #: the log of what was asked for, beside those of days


def log_name(run: RunSettings) -> str:
    """What a log calls hemisphere and region.

    >>> log_name(RunSettings(region="svalbard")), log_name(RunSettings(hemisphere="south"))
    ('north_svalbard', 'south')
    """
    from seaice.workflow.plan import region_label

    label = region_label(run.region)
    return run.hemisphere if label == "all" else f"{run.hemisphere}_{label}"


def log_event(out: Path, place: str, day: date | str, event: str, **facts: object) -> None:
    """Add a line; lines of several processes never mix, for each is one write."""
    path = out / "log" / place / f"{day}.jsonl"
    told = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "day": str(day),
        "event": event,
        **facts,
        "host": socket.gethostname(),
        "process": os.getpid(),
    }
    ensure_writable(path.parent)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(handle, (json.dumps(told, default=str) + "\n").encode())
    finally:
        os.close(handle)


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; what a full disk cut short is passed over."""
    if not path.exists():
        return
    for line in path.read_text(errors="replace").splitlines():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(told, dict):
            yield told


def last_run(out: Path, place: str) -> dict[str, Any] | None:
    """What was last asked for in a place: first, last, settings."""
    return next(reversed([*read_log(out / "log" / place / f"{RUNS}.jsonl")]), None)
