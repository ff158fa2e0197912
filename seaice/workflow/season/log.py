"""What happened to each day, as lines of JSON: OUT/log/PLACE/DATE.jsonl."""

import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from seaice.config import RunSettings
from seaice.files import ensure_writable

__all__ = ["RUNS", "last_run", "note", "notes", "place_of"]

RUNS = "runs"  #: the log of what was asked for, beside those of days


def place_of(run: RunSettings) -> str:
    """What a log calls hemisphere and region.

    >>> place_of(RunSettings(region="svalbard")), place_of(RunSettings(hemisphere="south"))
    ('north_svalbard', 'south')
    """
    from seaice.workflow.plan import region_label

    label = region_label(run.region)
    return run.hemisphere if label == "all" else f"{run.hemisphere}_{label}"


def note(out: Path, place: str, day: date | str, event: str, **facts: object) -> None:
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


def notes(path: Path) -> Iterator[dict[str, Any]]:
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
    return next(reversed([*notes(out / "log" / place / f"{RUNS}.jsonl")]), None)
