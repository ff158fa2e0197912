"""Formulas on real samples of known surfaces, beside published figures: docs/classical.md.

python -m pipelines.research.classical_page RRDP.nc
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.observations import real_points
from pipelines.research.reality.samples import Points
from seaice.errors import NoInputError, SeaIceError
from seaice.files import atomic_file
from seaice.grid.grid import Hemisphere
from seaice.instrument import CHANNELS
from seaice.retrieval.classical.algorithms import BOOTSTRAP_TIE_POINTS, asi, bootstrap, nasa_team
from seaice.retrieval.classical.corrections import (
    WeatherFilter,
    as_amsre,
    limits_of,
    weather_filter,
)
from seaice.retrieval.classical.tie_points import Source, TiePointSet, choose

__all__ = ["Row", "page", "rows"]

PAGE = Path("docs/classical.md")
EDGE = 0.15  #: concentration from which on a cell counts as ice
Array = NDArray[np.floating]
TB = Mapping[str, Array]

#: Closed ice, daily products on their own grids: Kern et al. 2019, The Cryosphere 13, 3261,
#: abstract. Bootstrap stands there in a group with the NOAA/NSIDC record.
KERN: Mapping[tuple[str, str], str] = {
    ("asi", "north"): "-3.7",
    ("asi", "south"): "-5.6",
    ("bootstrap", "north"): "+1.0 to +3.5",
    ("bootstrap", "south"): "-0.2 to +0.9",
    ("nasa_team", "north"): "+0.9",
    ("nasa_team", "south"): "-5.4",
}

INTRODUCTION = """# Formulas on real samples

<!-- not run: wants the demo's granules; howto/methods.md runs others on a small sea -->
    make daily SIC=asi            # or bootstrap, nasa_team, blend

ASI works on the refined 89 GHz temperatures; Bootstrap and NASA Team on the daily map's 18.7 and
36.5 GHz, so their cells of 6.25 km show. A blend takes the network's value where its uncertainty is
below 20 %, else ASI's where that is surer, and where low frequencies are missing; it is flagged
`classical_fallback`. All give the same product: `sic_raw` before any filter, `sic` after weather
filters and the correction of coasts (NASA Team 2: ice within two cells of land is 0 where the sea
three cells out is free of ice). Settings, in [sic]:

| setting | values | |
| --- | --- | --- |
| `tie_points` | published, dynamic | constants, or of the day; products tell both |
| `weather_filter` | spreen, noaa, nsidc, none | whose gradient ratios |
| `bootstrap_cut` | 0 to 1 | Bootstrap concentration up to which a cell is open water |
| `calibration` | amsr2, amsre | temperatures of ASI and the filters as observed, or as AMSR-E's |

A dynamic tie point is a percentile of cells that every published evidence calls open water, or
closed ice; ASI's open water must also be clear of weather by both gradient ratios, for clouds would
drag it down. Fewer than 1000 cells, or a value 10 K or more from the published one (5 K for closed
ice of ASI), and the published one is used; the product says why.

The rest is written by `python -m pipelines.research.classical_page FILE`; the file is the Round
Robin Data Package (AMSR2 L1R samples over known open water and known closed ice, doi
10.6084/m9.figshare.6626549), which is not part of this repository.

Each sample has all channels on one footprint. Figures are in percent of concentration. *Bias* is
the mean error, *spread* its standard deviation, after clipping to 0-100 %. *Published* tie points
are constants; *dynamic* ones come from the samples of the same hemisphere, as they would from a
day's map, without knowledge of the surface of each sample.

## Bias and spread
"""

READING = """
Published figures beside them:

- Closed ice of daily products: Kern et al. 2019, The Cryosphere 13, 3261-3307, abstract (the last
  column). They are of products on grids of 12.5 to 50 km in winter; these samples are single
  footprints of all months that the package has.
- Bootstrap on AMSR-E scatters by 2.5 % about its line of ice, 4 % with temperature and emissivity
  (Comiso 2009); seven algorithms on Arctic closed ice have a precision of 3 to 5 % (Andersen et al.
  2007); both as quoted by Ivanova et al. 2015, The Cryosphere 9, 1797-1817.
- OSI-450-a states a mean total uncertainty of 1.1 % at 0 % and 3.1 % at 100 %.

What stands out:

- Over open water, unfiltered, ASI is the noisiest by far: its 89 GHz answers to cloud and vapour.
  It needs its filters.
- Bootstrap's published line lies below nearly all closed ice: hardly any bias at 100 %, because
  nearly all of it is clipped, and 12 to 15 % of ice over open water. Its own practice fits the line
  anew each day (dynamic): less over open water, some negative bias on ice.
- NASA Team sees too little ice in the south, as published: layered snow there resembles old ice.

## Weather filters

Share of open-water samples that stay above 15 %, and closed-ice samples removed. The Bootstrap
filter of `bootstrap_cut = 0` is on in every line but the first.
"""

ADJUSTMENT = """
## Adjusted to AMSR-E

With `calibration = "amsre"` (Meier 2015), ASI's published tie points meet the temperatures they
were made for.

"""


class Row(NamedTuple):
    """One formula on the samples of one hemisphere; percent."""

    hemisphere: Hemisphere
    formula: str
    tie_points: Source
    water: tuple[float, float]  #: bias and spread at 0 %, before filters
    left: float  #: share of open water above 15 % after filters
    ice: tuple[float, float]  #: bias and spread at 100 %, after filters
    removed: int  #: samples of closed ice that the filters took


class Samples(NamedTuple):
    """Both surfaces of one hemisphere."""

    tb: TB
    ice: NDArray[np.bool_]


def rows(points: Mapping[str, Points]) -> Iterator[Row]:
    """Every formula with both kinds of tie points, by hemisphere.

    Parameters
    ----------
    points : as `pipelines.research.reality.observations.real_points`
    """
    for hemisphere in get_args(Hemisphere):
        samples = _samples(points, hemisphere)
        water = _filtered(samples.tb, hemisphere, "spreen")
        for source in get_args(Source):
            for formula, sic in _told(samples.tb, hemisphere, source).items():
                filtered = np.where(water, 0.0, sic)
                yield Row(
                    hemisphere=hemisphere,
                    formula=formula,
                    tie_points=source,
                    water=_moments(sic[~samples.ice]),
                    left=_percent(filtered[~samples.ice] > EDGE),
                    ice=_moments(filtered[samples.ice] - 1),
                    removed=int(water[samples.ice].sum()),
                )


def page(points: Mapping[str, Points]) -> str:
    """The page as Markdown."""
    by_formula = sorted(
        rows(points), key=lambda row: (row.hemisphere, row.formula, row.tie_points == "dynamic")
    )
    head = "hemisphere formula tie-points 0%:bias spread filtered,>15% 100%:bias spread published"
    page_lines = [INTRODUCTION, *_table(head.split(), map(_line, by_formula)), READING]
    page_lines += _table(
        ["hemisphere", "filter", "asi", "bootstrap", "nasa_team", "ice-removed"], _filters(points)
    )
    page_lines += [
        ADJUSTMENT,
        *_table(["hemisphere", "0%:bias", "100%:bias", "changed-by"], _moved(points)),
    ]
    page_lines += [
        "\n## Tie points of these samples\n",
        *_table(TIE_POINT_COLUMNS, _points(points)),
    ]
    return "\n".join(page_lines) + "\n"


TIE_POINT_COLUMNS = ["hemisphere", "tie point", "published, K", "measured, K", "samples", "used"]


def _samples(points: Mapping[str, Points], hemisphere: Hemisphere) -> Samples:
    both = [points[f"{surface} {hemisphere}"] for surface in ("water", "ice")]
    tb = {name: np.concatenate([one.channel(name) for one in both]) for name in CHANNELS}
    sizes = [one.pd.size for one in both]
    return Samples(tb, np.repeat([False, True], sizes))


def _chosen(tb: TB, hemisphere: Hemisphere, source: Source) -> TiePointSet:
    return choose(tb, np.ones(tb["tb89v"].shape, bool), hemisphere, source)


def _told(tb: TB, hemisphere: Hemisphere, source: Source) -> dict[str, Array]:
    points = _chosen(tb, hemisphere, source)
    low = tb["tb18v"], tb["tb36v"], tb["tb36h"]
    return {
        "asi": asi(tb["tb89v"] - tb["tb89h"], points.asi),
        "bootstrap": bootstrap(*low, points.bootstrap),
        "nasa_team": nasa_team(tb["tb18h"], tb["tb18v"], tb["tb36v"], points.nasa_team),
    }


def _filtered(tb: TB, hemisphere: Hemisphere, name: WeatherFilter) -> NDArray[np.bool_]:
    limits = limits_of(name, hemisphere)
    if limits is None:
        return np.zeros(tb["tb18v"].shape, bool)
    flat = bootstrap(tb["tb18v"], tb["tb36v"], tb["tb36h"], BOOTSTRAP_TIE_POINTS[hemisphere])
    ratios = weather_filter(tb["tb18v"], tb["tb23v"], tb["tb36v"], limits=limits)
    return np.asarray(ratios | (flat <= 0))


def _filters(points: Mapping[str, Points]) -> Iterator[list[str]]:
    for hemisphere in get_args(Hemisphere):
        tb, ice = _samples(points, hemisphere)
        sic = _told(tb, hemisphere, "published")
        for name in ("none", "spreen", "noaa", "nsidc"):
            water = _filtered(tb, hemisphere, name)
            left = [
                _percent((one > EDGE)[~ice & ~water].sum() / (~ice).sum()) for one in sic.values()
            ]
            yield [
                hemisphere,
                name,
                *(f"{fraction:.2f}" for fraction in left),
                str(water[ice].sum()),
            ]


def _moved(points: Mapping[str, Points]) -> Iterator[list[str]]:
    for hemisphere in get_args(Hemisphere):
        tb, ice = _samples(points, hemisphere)
        adjusted = as_amsre(tb, hemisphere)
        before, after = (asi(one["tb89v"] - one["tb89h"]) for one in (tb, adjusted))
        both = [_moments(after[~ice])[0], _moments(after[ice] - 1)[0]]
        change = 100 * float(np.abs(after - before).mean())
        yield [hemisphere, *(f"{bias:+.1f}" for bias in both), f"{change:.1f}"]


def _points(points: Mapping[str, Points]) -> Iterator[list[str]]:
    for hemisphere in get_args(Hemisphere):
        tb, _ = _samples(points, hemisphere)
        for name, one in _chosen(tb, hemisphere, "dynamic").points.items():
            measured = "-" if one.measured is None else f"{one.measured:.2f}"
            cells = [f"{one.published:.2f}", measured, str(one.cells), one.why]
            yield [hemisphere, name, *cells]


def _line(row: Row) -> list[str]:
    water, ice = (f"{bias:+.1f}|{spread:.1f}".split("|") for bias, spread in (row.water, row.ice))
    known = KERN[row.formula, row.hemisphere]
    return [row.hemisphere, row.formula, row.tie_points, *water, f"{row.left:.2f}", *ice, known]


def _table(head: list[str], body: Iterable[list[str]]) -> list[str]:
    bars = [head, ["---"] * len(head), *body]
    return [
        "| "
        + " | ".join(cell.replace("-", " ") if cells is head else cell for cell in cells)
        + " |"
        for cells in bars
    ]


def _moments(error: Array) -> tuple[float, float]:
    return 100 * float(error.mean()), 100 * float(error.std())


def _percent(fraction: NDArray[np.bool_] | np.floating) -> float:
    return 100 * float(np.mean(fraction))


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rrdp", type=Path, help="file of the Round Robin Data Package")
    try:
        content = page(_read(parser.parse_args().rrdp))
        with atomic_file(PAGE) as path:
            path.write_text(content)
    except SeaIceError as error:
        raise SystemExit(str(error)) from error


def _read(path: Path) -> Mapping[str, Points]:
    """The samples of a file.

    Raises
    ------
    NoInputError
        If it is absent.
    """
    if not path.is_file():
        raise NoInputError(
            f"no file at {str(path)!r}",
            "AMSR2 samples of the Round Robin Data Package, NetCDF",
            "give one: python -m pipelines.research.classical_page FILE",
        )
    return real_points(path)


if __name__ == "__main__":
    main()
