"""Repairs damaged products from their granules, and removes stage results no longer needed."""

import json
import re
import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from seaice.config import Settings
from seaice.errors import SeaIceError, SettingsError
from seaice.files import file_lock
from seaice.product.season_store import remove_day, remove_old_generations
from seaice.workflow.catalogue import rebuild_series, update_catalogue, update_series_and_page
from seaice.workflow.day import write_day_product
from seaice.workflow.plan import Plan, region_label
from seaice.workflow.published import publish
from seaice.workflow.season.inventory import Inventory
from seaice.workflow.season.reprocess import jobs_of
from seaice.workflow.season.status import settings_of_last_run
from seaice.workflow.season.tasks import into_season, season_of
from seaice.workflow.season.verify import Damage, list_derived_damages, list_product_damages
from seaice.workflow.stages import hashes_path, silent

__all__ = ["PruneResult", "prune", "repair_product"]


def repair_product(out: Path, damage: Damage, granules: Path | None) -> Damage:
    """Make a damaged day again: its maps, its product, its place in the season.

    Parameters
    ----------
    granules : where they are; left out: where they were when the day was made

    Returns
    -------
    Damage
        The same, repaired; or still damaged, with the reason as a further problem.
    """
    if damage.day is None:
        return _derived_again(out, damage)
    try:
        planned = _plan(out, damage, damage.day, granules)
        for kept in _stages(planned):
            shutil.rmtree(kept, ignore_errors=True)
        with file_lock(planned.folder):
            result = write_day_product(planned, silent)
        update_series_and_page(planned.folder, result, silent)
        remove_day(season_of(planned), planned.day)
        into_season(planned)
        publish(planned)
    except SeaIceError as error:
        return replace(damage, problems=(*damage.problems, f"not repaired: {error}"))
    if any(left.what == damage.what for left in list_product_damages(out)):
        return replace(damage, problems=(*damage.problems, "damaged again: is the disk whole?"))
    return replace(damage, state="repaired")


def _derived_again(out: Path, damage: Damage) -> Damage:
    """Make the files anew that follow from all products."""
    try:
        rebuild_series(out, silent)
        update_catalogue(out)
    except SeaIceError as error:
        return replace(damage, problems=(*damage.problems, f"not repaired: {error}"))
    left = [other for other in list_derived_damages(out, set()) if other.what == damage.what]
    if left:
        return replace(damage, problems=(*damage.problems, "damaged again: is the disk whole?"))
    return replace(damage, state="repaired")


def _plan(out: Path, damage: Damage, day: date, granules: Path | None) -> Plan:
    """How the damaged day is made."""
    told = settings_of_last_run(out, damage.place) or _settings_in(out, damage.place, day)
    run = dict(told.get("run", {}))
    where = granules or run.get("granules")
    if where is None:
        raise SettingsError(
            f"no word of where the granules of {day} are",
            "their folder",
            "give --granules FOLDER",
        )
    run |= {"out": out, "granules": where, "date": day}
    run |= {"granules_from": None} if granules else {}
    settings = Settings.from_table(told | {"run": run})
    (job,) = jobs_of([settings], [day], Inventory.of(settings.run))
    return job.plan()


def _settings_in(out: Path, place: str, day: date) -> dict[str, Any]:
    """The settings a product was made with, as its provenance tells them."""
    for document in out.glob(f"seaice_sic_{place}_{day:%Y%m%d}_v*/seaice_sic_*.json"):
        try:
            told: dict[str, Any] = json.loads(document.read_text())["settings"]
        except (OSError, ValueError, KeyError):
            continue
        if region_label(told["run"]["region"]) in ("all", place.partition("_")[2]):
            return told
    return {}


def _stages(planned: Plan) -> list[Path]:
    """All kept results that the day is made of: damage may have come from there."""
    stages, day = planned.stages, planned.day.isoformat()
    maps = [stages.path("grid", str(each), planned.grid_key(each)) for each in planned.granules]
    return [
        *maps,
        stages.path("refine", day, planned.refine_key),
        stages.path("concentrate", day, planned.concentrate_key),
    ]


NEEDED = 4  #: days before the newest map that maps of tomorrow's five frames may be of
STAGE = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What was removed."""

    stages: int
    bytes: int
    generations: int  #: of days in seasons that were replaced


def prune(out: Path, keep: int = NEEDED) -> PruneResult:
    """Remove kept stages, but for those of the newest map and `keep` days before it.

    A later run that wants one of those removed makes it again from granules. Not for a folder in
    which a run is under way.

    Parameters
    ----------
    out : folder of products
    keep : days before the newest daily map; 4 is what `seaice daily` wants tomorrow
    """
    result = [
        (path, date.fromisoformat(told["day"]))
        for path in (out / "stages").glob("*/*")
        if (told := STAGE.fullmatch(path.name))
    ]
    newest = max((day for _, day in result), default=date.min)
    old = [path for path, day in result if newest - day > timedelta(days=keep)]
    size = sum(file.stat().st_size for path in old for file in path.rglob("*") if file.is_file())
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
        hashes_path(path).unlink(missing_ok=True)
    generations = sum(remove_old_generations(store) for store in out.glob("seaice_sic_*.zarr"))
    return PruneResult(stages=len(old), bytes=size, generations=generations)
