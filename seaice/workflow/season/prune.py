"""Finished stages that no day to come can need are removed; products and seasons stay."""

import re
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from seaice.product.season_store import remove_old_generations
from seaice.workflow.stages import hashes_path

__all__ = ["Pruned", "prune"]

NEEDED = 4  #: days before the newest map that maps of tomorrow's five frames may be of
STAGE = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed."""

    stages: int
    bytes: int
    generations: int  #: of days in seasons that were replaced


def prune(out: Path, keep: int = NEEDED) -> Pruned:
    """Remove kept stages, but for those of the newest map and `keep` days before it.

    A later run that wants one of those removed makes it again from granules. Not for a folder in
    which a run is under way.

    Parameters
    ----------
    out : folder of products
    keep : days before the newest daily map; 4 is what `seaice daily` wants tomorrow
    """
    found = [
        (path, date.fromisoformat(told["day"]))
        for path in (out / "stages").glob("*/*")
        if (told := STAGE.fullmatch(path.name))
    ]
    newest = max((day for _, day in found), default=date.min)
    old = [path for path, day in found if newest - day > timedelta(days=keep)]
    size = sum(file.stat().st_size for path in old for file in path.rglob("*") if file.is_file())
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
        hashes_path(path).unlink(missing_ok=True)
    generations = sum(remove_old_generations(store) for store in out.glob("seaice_sic_*.zarr"))
    return Pruned(stages=len(old), bytes=size, generations=generations)
