"""All that decides a day's map, gathered and checked before any work begins."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import xarray as xr
from safetensors import SafetensorError, safe_open

from seaice.config import NetworkSettings, RunSettings, Settings
from seaice.errors import NoInputError, SettingsError, WeightsError
from seaice.files import ensure_writable, file_lock, sha256_of_all, sha256_remembered
from seaice.grid.grid import NORTH, Grid
from seaice.grid.regions import MAX_REGION_WIDTH, longitude_span, pad_region, region_grid
from seaice.instrument import CHANNELS, HIGH_CHANNELS
from seaice.io.granules import find_granules, find_unused_files
from seaice.io.nsidc import find_au_si6
from seaice.io.readers import read_swath
from seaice.models.card import Card
from seaice.models.registry import Role, find_model, shipped_weights
from seaice.product.folder import product_name
from seaice.stack import frame_dates
from seaice.workflow.granule_cache import Fetched, near_first
from seaice.workflow.season.inventory import Inventory
from seaice.workflow.stages import VERSIONS, Stages, key_of

__all__ = [
    "HALO",
    "Find",
    "Method",
    "Plan",
    "granules_found",
    "ground",
    "ground_computed",
    "hashes_of",
    "method",
    "plan",
    "region_label",
    "region_warnings",
]

INTERPOLATIONS = ("bicubic", "bicubic_3km")  #: super-resolution without weights
WEIGHTLESS = (*INTERPOLATIONS, "asi", "bootstrap", "nasa_team")  #: methods that are formulas
FORMULAS = ("asi", "bootstrap", "nasa_team", "blend")  #: of concentration
BLEND = "blend"  #: of a network and a formula; its weights are the network's

#: 6.25 km cells around a region that filters, footprints, corrections at coasts and smearing read
HALO = 12
BICUBIC_MARGIN = 2  #: 6.25 km cells that bicubic interpolation reads on each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A network with its weights, or a formula without."""

    name: str
    weights: Path | None
    sha256: str | None
    margin: int = 0  #: 6.25 km cells around a cell that its value depends on


def method(stage: str, told: NetworkSettings, notes: Path) -> Method:
    """Which weights a stage ("sr" or "sic") runs with, and their hash.

    Raises
    ------
    WeightsError
        If the file told of is absent, damaged or for another network, or the package ships none.
    UnknownNameError
        If there is no network of this name.
    SettingsError
        If `dropkey_draws` is set for a method without weights.
    """
    if told.name in WEIGHTLESS:
        if (told.name in INTERPOLATIONS) != (stage == "sr"):
            _refuse_unknown(stage, told.name)
        if told.dropkey_draws:
            raise SettingsError(
                f"dropkey_draws = {told.dropkey_draws} in [{stage}] for {told.name}",
                "a network that was trained with DropKey",
                "leave dropkey_draws out, or choose another network",
            )
        return Method(name=told.name, weights=None, sha256=None, margin=_margin(stage, told))
    path = _weights(stage, told)
    hashed = sha256_of_all([path], notes)[path]
    return Method(name=told.name, weights=path, sha256=hashed, margin=_margin(stage, told))


def _weights(stage: str, told: NetworkSettings) -> Path:
    """The file of weights of a network, its card checked."""
    name = Settings().sic.name if (stage, told.name) == ("sic", BLEND) else told.name
    path = told.weights or _shipped(stage, name)
    _check_card(path, name)
    return path


def _margin(stage: str, told: NetworkSettings) -> int:
    """6.25 km cells around a cell that a method's value depends on.

    A network that runs in windows of one size depends on what shares a window.
    """
    if told.name in WEIGHTLESS:
        return BICUBIC_MARGIN if stage == "sr" else 0
    with safe_open(_weights(stage, told), framework="np") as file:
        card = Card.from_json(file.metadata()["card"])
    return math.ceil(max(card.margin, (card.window or 0) // 2) * card.cell / NORTH.cell)


def _shipped(stage: str, name: str) -> Path:
    role: Role = "sr" if stage == "sr" else "sic"
    result = shipped_weights(role, name)
    if not result.exists():
        _refuse_unknown(stage, name)
        raise WeightsError(
            f"no weights for {name!r} ship with this package",
            "the name of a network in the table of `seaice models` that has weights",
            f"give `weights` in [{stage}] of a settings file, or train them with `make train`",
        )
    return result


def _refuse_unknown(stage: str, name: str) -> None:
    """Refuse a name that is of no network or formula of a stage.

    Raises
    ------
    UnknownNameError
        Always, unless there is a network of this name for the stage.
    """
    role: Role = "sr" if stage == "sr" else "sic"
    find_model(name, role, FORMULAS if role == "sic" else ())


def _check_card(path: Path, name: str) -> None:
    """Refuse weights of another network before any work; `seaice.models.weights` checks all."""
    hint = "leave `weights` out to use those shipped, or give a file made for this network"
    try:
        with safe_open(path, framework="np") as file:
            card = json.loads((file.metadata() or {}).get("card", "{}"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        expected = f"a whole safetensors file with weights of {name!r}"
        raise WeightsError(f"{path} cannot be read ({error})", expected, hint) from error
    if card.get("architecture") != name:
        result = f"{path} holds weights of {card.get('architecture', 'no known network')!r}"
        raise WeightsError(result, f"weights of {name!r}", hint)


def region_label(region: str) -> str:
    """What file names call a region: its name, or its bounds.

    >>> region_label("Svalbard"), region_label("10, 76, 30, 81.5")
    ('svalbard', 'box_10_76_30_81.5')
    """
    edges = [edge.strip().lower() for edge in region.split(",")]
    return edges[0] if len(edges) == 1 else "_".join(["box", *edges])


def region_warnings(run: RunSettings) -> Iterator[str]:
    """What is odd about a run's region."""
    across = longitude_span(run.region) or 0.0
    if across > MAX_REGION_WIDTH:
        west, south, east, north = (edge.strip() for edge in run.region.split(","))
        yield (
            f"region {run.region} spans {across:g} degrees of longitude, from {west} eastwards to "
            f"{east}; if the other {360 - across:g} degrees are meant, give "
            f"{east},{south},{west},{north}"
        )


def ground(run: RunSettings) -> Grid:
    """The 6.25 km grid of a run's region; of the whole hemisphere where it names none."""
    whole = run.region == "all"
    hemisphere = run.one_hemisphere
    return region_grid(hemisphere if whole else run.region, hemisphere)


def ground_computed(settings: Settings) -> Grid:
    """The grid of a run's daily maps: its region, and around it what the methods read.

    So a region's product is that of the same cells in a larger region.
    """
    run = settings.run
    margins = _margin("sr", settings.sr) + _margin("sic", settings.sic)
    return pad_region(ground(run), HALO + margins, run.one_hemisphere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one day's map will be made of."""

    settings: Settings
    day: date
    region: str
    grid: Grid  #: of the daily maps
    region_grid: Grid  #: the part of `grid` that the product covers
    granules: Mapping[date, tuple[Path, ...]]  #: of each of the five dates
    hashes: Mapping[Path, str]
    sr: Method
    sic: Method
    read: Callable[[Path], xr.Dataset] = read_swath
    #: files that look like granules of a date and are not used, "name: reason"
    left_out: Mapping[date, tuple[str, ...]] = field(default_factory=dict)
    #: why no granule of a date was usable, filled in when its daily map is made
    refused: dict[date, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def stages(self) -> Stages:
        """Where finished stages are kept."""
        return Stages(folder=self.settings.run.out / "stages")

    @property
    def folder(self) -> Path:
        """The product's folder."""
        name = product_name(self.settings.run.hemisphere, self.region, self.day.isoformat())
        return self.settings.run.out / name

    def within(self, more: int) -> tuple[slice, slice]:
        """(rows, columns) of the daily maps: the region, and so many cells more on each side."""
        spans = zip(self.region_grid.within(self.grid), self.grid.shape, strict=True)
        rows, columns = (
            slice(max(span.start - more, 0), min(span.stop + more, size)) for span, size in spans
        )
        return rows, columns

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that are gridded."""
        return CHANNELS if self.settings.grid.low_frequency == "keep" else HIGH_CHANNELS

    def grid_key(self, day: date) -> str:
        """Name of a daily map: the granules, the grid, and how one becomes the other."""
        return key_of(
            versions=(VERSIONS["read"], VERSIONS["grid"]),
            grid=self.grid.to_dict(),
            channels=self.channels,
            granules=[(path.name, self.hashes[path]) for path in self.granules[day]],
        )

    @property
    def refine_key(self) -> str:
        """Name of the refined map: five daily maps and the network."""
        return key_of(
            version=VERSIONS["refine"],
            maps=[self.grid_key(day) for day in self.granules],
            where=[(span.start, span.stop) for span in self.within(HALO + self.sic.margin)],
            network=(self.sr.name, self.sr.sha256, self.settings.run.precision),
            dropkey_draws=self.settings.sr.dropkey_draws,
        )

    @property
    def concentrate_key(self) -> str:
        """Name of the concentration: the refined map and the second network."""
        return key_of(
            version=VERSIONS["concentrate"],
            refined=self.refine_key,
            network=(self.sic.name, self.sic.sha256, self.settings.run.precision),
            chosen=self.settings.sic.model_dump(exclude={"name", "weights"}),
            fill=self.settings.run.fill,
            region=self.region_grid.to_dict(),
        )

    @property
    def product_key(self) -> str:
        """Name of the product: the concentration and how it is written."""
        return key_of(
            version=VERSIONS["write"],
            concentration=self.concentrate_key,
            write=self.settings.write.model_dump(),
            region=self.region,
        )


Find = Callable[[Path, date], tuple[Path, ...]]  #: a folder's files of a day
LeftOut = Callable[[Path, date], tuple[str, ...]]  #: a folder's unused files of a day, with reasons


def plan(settings: Settings, find: Find | None = None, left_out: LeftOut | None = None) -> Plan:
    """Find and check everything a day needs; nothing is computed yet.

    Parameters
    ----------
    find : tells the granules of a date; left out: the folder is looked through
    left_out : tells the files of a date that look like granules and are not used, "name: reason"

    Raises
    ------
    SettingsError, NoInputError, OutputError, WeightsError
        If the run could not end well: better said now than after an hour.
    """
    run = settings.run
    if run.date is None or run.granules is None:
        raise SettingsError(
            "no date" if run.date is None else "no folder of granules",
            "the day to map and where its granules are",
            "give --date 2020-03-03 and --granules FOLDER (DATE= and GRANULES=), or --demo alone",
        )
    ensure_writable(run.out)
    notes = run.out / "stages" / "hashes.json"
    later = run.mode != "provisional"
    if left_out is None and run.granules_from is None:
        left_out = _left_out if find is None else None
    find = find or _finder(run)
    granules = {
        day: find(run.granules, day) if later or day <= run.date else ()
        for day in frame_dates(run.date)
    }
    unused = {day: left_out(run.granules, day) for day in granules} if left_out else {}
    if not granules[run.date]:
        others = unused.get(run.date, ())
        raise NoInputError(
            f"no granule of {run.date} in {run.granules}"
            + (f" (left out: {'; '.join(others[:3])})" if others else ""),
            "files such as GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5, in any subfolder",
            "give another folder or date; `seaice doctor --granules FOLDER` shows what is there",
        )
    if run.mode == "final":
        _all_there(granules, run.granules)
    return Plan(
        settings=settings,
        day=run.date,
        region=region_label(run.region),
        grid=ground_computed(settings),
        region_grid=ground(run),
        granules=granules,
        hashes=hashes_of(granules, run),
        sr=method("sr", settings.sr, notes),
        sic=method("sic", settings.sic, notes),
        read=near_first(run, read_swath),
        left_out=unused,
    )


def _all_there(granules: Mapping[date, tuple[Path, ...]], folder: Path) -> None:
    absent = [day.isoformat() for day, paths in granules.items() if not paths]
    if absent:
        raise NoInputError(
            f"no granule of {', '.join(absent)} in {folder}, for a final map",
            "granules of all five days from two before to two after",
            "wait for them, or make a provisional map: MODE=provisional, --mode provisional",
        )


def hashes_of(granules: Mapping[date, tuple[Path, ...]], run: RunSettings) -> dict[Path, str]:
    """The hash of every granule; remembered date by date, so that notes stay small."""
    if run.granules_from is not None:
        return Fetched.of(run).hashes(path for paths in granules.values() for path in paths)
    hashes: dict[Path, str] = {}
    for day, paths in granules.items():
        notes = run.out / "stages" / "hashes" / f"{day}.json"
        known = sha256_remembered(paths, notes)
        if known is None:
            with file_lock(notes):  # who wants the same waits instead of reading all again
                known = sha256_of_all(paths, notes)
        hashes |= known
    return hashes


def _finder(run: RunSettings) -> Find:
    """Looks through the folder of granules, or through what their store lists now."""
    if run.granules_from is None:
        return granules_found
    result = Inventory.of(run)
    return lambda _, day: result.granules(day)


def _left_out(folder: Path, day: date) -> tuple[str, ...]:
    """A date's files that look like granules and are not used, "name: reason"."""
    return tuple(map(str, find_unused_files(folder, day)))


def granules_found(folder: Path, day: date) -> tuple[Path, ...]:
    """A date's granules, or where there are none its gridded file."""
    return tuple(find_granules(folder, day) or find_au_si6(folder, day)[-1:])
