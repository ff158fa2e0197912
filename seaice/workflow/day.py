"""A day: granules in, product out; each finished stage is kept and recognised.

Networks are imported inside the functions that run them: a day that is finished, or resumes after
them, is told in a second instead of waiting for torch.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from seaice.errors import FinalStandsError, GranuleError, NoInputError, PredictionError
from seaice.files import file_lock
from seaice.grid.blocks import SCALE
from seaice.grid.grid import hemisphere_of
from seaice.grid.gridding import daily_map_from_au_si6, grid_day
from seaice.grid.input_checks import InputChecks, differing_days, read_reports
from seaice.grid.masks import land_mask
from seaice.io.checks import by_preference
from seaice.io.granules import count_phrase
from seaice.models.memory import release_memory
from seaice.product.folder import (
    ProductFile,
    list_product_files,
    provenance_or_none,
    write_product,
)
from seaice.product.provenance import frame_sources, provenance
from seaice.retrieval.flags import explained
from seaice.stack import five_frames, neighbour_pd, observed_frames
from seaice.workflow.plan import Plan, region_warnings
from seaice.workflow.stages import Progress

__all__ = [
    "check_explained",
    "daily_maps",
    "finished_files",
    "retrieve_concentration",
    "run_day",
    "super_resolve",
    "write_day_product",
]

Maps = Mapping[date, xr.Dataset]  #: daily maps by date


def run_day(plan: Plan, progress: Progress) -> list[ProductFile]:
    """The product of a day: what its folder holds, made now or found finished.

    Raises
    ------
    SeaIceError
        If it cannot be made, or would take a final one's place; the folder is then as it was.
    """
    result = finished_files(plan)
    if result:
        return result
    with file_lock(plan.folder):
        return finished_files(plan) or write_day_product(plan, progress)


def finished_files(plan: Plan) -> list[ProductFile]:
    """The files of the day's product where it is whole and of these inputs; else nothing.

    One whose provenance is damaged counts as not made.
    """
    result = list_product_files(plan.folder)
    if not result:
        return []
    document = provenance_or_none(plan.folder / result[-1].name) or {}
    return result if document.get("key") == plan.product_key else []


def write_day_product(plan: Plan, progress: Progress) -> list[ProductFile]:
    """Make the product's folder.

    Raises
    ------
    FinalStandsError
        If it holds a final product of the day, the new one would be provisional, and the settings
        do not let it take that place.
    """
    _let_final_stand(plan, sum(map(bool, plan.granules.values())))  # before any work
    maps = daily_maps(plan, progress)
    _let_final_stand(plan, len(maps))
    product = retrieve_concentration(plan, progress, maps)
    product.attrs["region"] = plan.region
    product.attrs["issuer"] = plan.settings.write.issuer
    product.attrs["provenance"] = json.dumps(_document(plan, maps, product))
    progress("write", 0, 1)
    result = write_product(product, plan.folder, plan.settings.write.formats)
    progress("write", 1, 1)
    return result


def _let_final_stand(plan: Plan, frames: int) -> None:
    """Refuse to put a map of fewer than all frames in the place of a final product."""
    if frames == len(plan.granules) or plan.settings.run.replace == "final":
        return
    result = list_product_files(plan.folder)
    document = (provenance_or_none(plan.folder / result[-1].name) if result else None) or {}
    if document.get("status") == "final":
        raise FinalStandsError(
            f"a final product of {plan.day} in {plan.folder}, and {frames} of "
            f"{len(plan.granules)} days for a new one",
            "all five, or no final product in the place of a provisional one",
            "leave it, or make it again with MODE=final (--mode final) when all days are there; "
            "REPLACE=final (--replace final) puts a provisional one in its place",
        )


def retrieve_concentration(plan: Plan, progress: Progress, maps: Maps | None = None) -> xr.Dataset:
    """Concentration, uncertainty and flags on the refined grid; `maps` if they are at hand."""

    def make() -> xr.Dataset:
        from seaice.retrieval.gap_filling import postprocess
        from seaice.workflow.methods import concentrate_with

        days = maps or daily_maps(plan, progress)
        fine = super_resolve(plan, progress, days).load()
        coarse = days[plan.day].load().assign(neighbour_pd(days, plan.day))
        coarse["real_frames"] = observed_frames(days, plan.day)
        told = partial(progress, "concentrate")
        # not named, so that it is not held while what takes its place is made
        result = postprocess(
            concentrate_with(plan, fine, coarse, told), days, plan.settings.run.fill
        )
        rows, columns = plan.region_grid.refine(SCALE).within(plan.grid.refine(SCALE))
        result = result.isel(y=rows, x=columns)
        release_memory()
        check_explained(result, plan.sic.name)
        return result

    return plan.stages.kept("concentrate", plan.day.isoformat(), plan.concentrate_key, make)


def check_explained(product: xr.Dataset, method: str) -> None:
    """Refuse a product with a NaN that no flag explains.

    Raises
    ------
    PredictionError
        If there is one.
    """
    wrong = int((np.isnan(product["sic"].values) & ~explained(product["status_flag"].values)).sum())
    if wrong:
        raise PredictionError(
            f"{method} gave no concentration in {wrong} observed cells",
            "a value in each",
            "use other weights or another method: --sic-weights, --sic",
        )


def super_resolve(plan: Plan, progress: Progress, maps: Maps | None = None) -> xr.Dataset:
    """Brightness temperature on the refined grid; `maps` if they are at hand."""

    def make() -> xr.Dataset:
        from seaice.workflow.methods import refine_with

        stack = five_frames(maps or daily_maps(plan, progress), plan.day)
        return refine_with(plan, stack, partial(progress, "refine"))

    return plan.stages.kept("refine", plan.day.isoformat(), plan.refine_key, make)


def daily_maps(plan: Plan, progress: Progress) -> dict[date, xr.Dataset]:
    """The maps of the five dates; a date without usable granules is left out.

    Raises
    ------
    NoInputError
        If the day itself has none, or, for a final map, any of them.
    """
    needed = tuple(plan.granules) if plan.settings.run.mode == "final" else (plan.day,)
    maps = {}
    for day in plan.granules:
        try:
            maps[day] = plan.stages.kept(
                "grid", day.isoformat(), plan.grid_key(day), partial(_gridded, plan, day, progress)
            )
        except NoInputError:
            if day in needed:
                raise
    return maps


def _gridded(plan: Plan, day: date, progress: Progress) -> xr.Dataset:
    """The map of one date; what came of each granule stands in its attributes.

    A granule that disagrees with the others of the day is known only when all are read: the day is
    then gridded again without it.

    Raises
    ------
    NoInputError
        If nothing usable reaches the region.
    """
    paths = plan.granules[day]
    checks = InputChecks(hemisphere=hemisphere_of(plan.grid))
    try:
        if [path.suffix for path in paths] == [".he5"]:
            return daily_map_from_au_si6(paths[0], plan.grid)
        steps = partial(progress, f"grid {day}")
        result = grid_day(_readable(plan, paths, checks, steps), plan.grid, day)
        outliers = checks.outliers()
        if outliers:
            checks = InputChecks(hemisphere=hemisphere_of(plan.grid))
            for name, outlier in outliers.items():
                checks.reject(f"{name}.h5", outlier.rejection)
            result = grid_day(_readable(plan, paths, checks, steps), plan.grid, day)
        if not result["n_obs"].values[plan.within(0)].any():
            raise NoInputError(
                "no sample in the region",
                "samples in it",
                "give another region, or other granules",
            )
        checks.note_disagreements()
        checks.note_used(result)
        return result.assign_attrs(checks.attributes())
    except (NoInputError, GranuleError) as error:
        rejected = checks.rejected
        plan.refused[day] = tuple(rejected or (f"{path.name}: {error}" for path in paths[:1]))
        why = f" (left out: {rejected[0]})" if rejected else f" ({error.found})"
        raise NoInputError(
            f"{count_phrase(len(paths), 'file')} of {day}, none with a usable sample in the "
            f"region{why}",
            error.expected,
            error.hint,
        ) from error


def _readable(
    plan: Plan, paths: Sequence[Path], checks: InputChecks, progress: partial[None]
) -> Iterator[xr.Dataset]:
    """The swaths that can be read and pass the checks, one at a time.

    Why others are left out is noted in `checks`; those already noted there are not read.
    """
    for done, path in enumerate(by_preference(tuple(paths))):
        progress(done, len(paths))
        if checks.report(path.name).reason:
            continue
        try:
            swath = checks.check(plan.read(path), path)
        except GranuleError as error:
            checks.reject(path.name, str(error))
        else:
            yield swath
    progress(len(paths), len(paths))


def _document(
    plan: Plan, maps: Mapping[date, xr.Dataset], product: xr.Dataset
) -> dict[str, object]:
    """The provenance of the day's product."""
    key, day = plan.product_key, plan.day.isoformat()
    kept = (
        ("grid", plan.stages.path("grid", day, plan.grid_key(plan.day))),
        ("refine", plan.stages.path("refine", day, plan.refine_key)),
        ("concentrate", plan.stages.path("concentrate", day, plan.concentrate_key)),
    )
    inputs = {
        "key": key,
        "region": plan.region,
        "granules": {each.isoformat(): _granules(plan, each, maps) for each in plan.granules},
        "frames": frame_sources(maps, plan.day),
        "stages": {stage: str(path.relative_to(plan.settings.run.out)) for stage, path in kept},
        "networks": {
            stage: {
                "name": used.name,
                "weights": used.weights.name if used.weights else None,
                "sha256": used.sha256,
                **{
                    name: product.attrs.get(f"{stage}_{name}")
                    for name in ("precision", "form", "backend")
                },
                "execution": json.loads(product.attrs.get(f"{stage}_execution", "null")),
            }
            for stage, used in (("sr", plan.sr), ("sic", plan.sic))
        },
    }
    settings = plan.settings.model_dump(mode="json")
    return provenance(product, inputs=inputs, settings=settings, warnings=_warnings(plan, maps))


def _granules(plan: Plan, day: date, maps: Maps) -> list[dict[str, object]]:
    """Each granule of a date: its hash, whether it was used, with how many samples, or why not."""
    reports = read_reports(maps[day]) if day in maps else {}
    refused = dict(entry.split(": ", 1) for entry in plan.refused.get(day, ()))
    entries: list[dict[str, object]] = []
    for path in plan.granules[day]:
        entry: dict[str, object] = {"name": path.name, "sha256": plan.hashes[path]}
        report = reports.get(path.name)
        if report:
            entry |= {"used": report.used, "samples": report.samples}
            entry |= {"geolocation": report.geolocation, "flagged": report.flagged}
            entry |= {"reason": report.reason} if report.reason else {}
        else:
            entry |= {"used": day in maps}
            entry |= {"reason": refused[path.name]} if path.name in refused else {}
        entries.append(entry)
    return entries


def _warnings(plan: Plan, maps: Maps) -> Iterator[str]:
    """What a user of the map should know of its inputs."""
    if any(each.attrs.get("origin") == "simulated" for each in maps.values()):
        yield "simulated input, not an observation"
    yield from region_warnings(plan.settings.run)
    absent = [day for day, paths in plan.granules.items() if not paths]
    if plan.settings.run.mode == "provisional":
        yield "provisional: later days were not looked at; the nearest day stands in"
        absent = [day for day in absent if day < plan.day]
    if absent:
        yield f"{', '.join(map(str, absent))}: no granules; the nearest day stands in"
    for day, paths in plan.granules.items():
        rejected = maps[day].attrs["rejected"] if day in maps else plan.refused.get(day, ())
        yield from (f"{day}: left out {reason}" for reason in rejected)
        yield from (f"{day}: left out {reason}" for reason in plan.left_out.get(day, ()))
        if day in maps:
            yield from (f"{day}: {each}" for each in maps[day].attrs.get("input_warnings", ()))
        elif paths:
            yield (
                f"{day}: none of {count_phrase(len(paths))} was usable; "
                "the nearest day is used instead"
            )
    for day, channel, offset in differing_days(maps, ~land_mask(plan.grid)):
        yield f"{day}: {channel} differs from the other days by {offset:+.0f} K (median over sea)"
