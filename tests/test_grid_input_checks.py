"""Granules with wrong positions, or that disagree with the others of the day, are found."""

from datetime import date, datetime

import numpy as np
import pytest
import xarray as xr

from seaice.errors import GranuleError
from seaice.grid.gridding import grid_day
from seaice.grid.input_checks import InputChecks, Overlaps, differing_days, read_reports
from seaice.grid.regions import region_grid
from seaice.grid.registration import check_geolocation, score_geolocation
from tests.support.sea import changed, sea_swath


@pytest.fixture(scope="module")
def coastal():
    """A swath over northern Canada, with the land flags of its places."""
    return sea_swath(200)


def moved(swath, north=0.0, east=0.0):
    places = {"latitude": north, "longitude": east}
    return swath.assign_coords(
        {
            name: swath[name].copy(data=swath[name].values + np.float32(by))
            for name, by in places.items()
        }
    )


def test_a_swath_with_right_positions_agrees_with_the_land_mask(coastal):
    result = check_geolocation(coastal, "north")
    assert result.score > 0.9
    assert result.samples > 300
    assert "agreement" in result.summary


@pytest.mark.parametrize(
    ("north", "east"), [(1, 0), (-1, 0), (0, 5), (0, -5), (0.2, 0), (-0.2, 0), (1, 5)]
)
def test_a_displaced_swath_is_refused_with_its_displacement(coastal, north, east):
    with pytest.raises(GranuleError, match=r"land flag agrees .* positions are wrong") as caught:
        check_geolocation(moved(coastal, north, east), "north")
    if abs(north) == 1 and not east:
        assert f"111 km to the {'south' if north > 0 else 'north'}" in str(caught.value)


def test_noise_in_the_flag_does_not_refuse_a_swath(coastal):
    """A tenth of all flags wrong, as at ice shelves and lakes: still nothing better elsewhere."""
    rng = np.random.default_rng(0)
    land = coastal["land_fraction"].values
    spoilt = np.where(rng.random(land.shape) < 0.1, 1 - land, land).astype(np.float32)
    check_geolocation(
        coastal.assign(land_fraction=coastal["land_fraction"].copy(data=spoilt)), "north"
    )


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda swath: changed(swath, lambda land: land * np.nan, "land_fraction"), "no land flag"),
        (lambda swath: changed(swath, np.zeros_like, "land_fraction"), "constant"),
        (lambda swath: swath.isel(scan=slice(0, 1)), "coastal samples"),
    ],
)
def test_too_little_coast_is_reported_and_not_refused(coastal, spoil, why):
    result = check_geolocation(spoil(coastal), "north")
    assert result.score is None
    assert "not checked" in result.summary
    assert why in result.summary


def test_the_other_hemisphere_is_ignored(coastal):
    assert score_geolocation(coastal, "south").score is None


@pytest.fixture(scope="module")
def day():
    """Four swaths of one day that overlap."""
    return [
        sea_swath(
            160, datetime(2020, 3, 3, 2 * hour), phase=1350.0 + 20 * hour, seed=hour
        ).assign_attrs(granule=f"granule_{hour}")
        for hour in range(4)
    ]


def overlaps(swaths):
    result = Overlaps(hemisphere="north")
    for swath in swaths:
        result.add(swath)
    return result


def test_swaths_of_one_sea_agree(day):
    assert overlaps(day).disagreements() == []


@pytest.mark.parametrize("offset", [20, -20, 12])
@pytest.mark.parametrize("bad", [0, 3])
def test_one_of_four_granules_that_disagrees_is_found(day, bad, offset):
    spoilt = [
        changed(each, lambda tb: tb + offset) if n == bad else each for n, each in enumerate(day)
    ]
    (result,) = overlaps(spoilt).outliers()
    assert result.granule == f"granule_{bad}"
    assert result.offset == pytest.approx(offset, abs=3)
    assert f"{offset:+.0f}"[0] in result.rejection


def test_two_of_six_granules_that_disagree_are_found(day):
    more = [each.assign_attrs(granule=f"copy_{n}") for n, each in enumerate(day[:2])]
    spoilt = [changed(day[0], lambda tb: tb + 20), changed(day[1], lambda tb: tb - 15)]
    result = overlaps([*spoilt, *day[2:], *more]).outliers()
    assert {each.granule for each in result} == {"granule_0", "granule_1"}


def test_with_two_granules_the_wrong_one_is_unknown(day):
    result = overlaps([day[0], changed(day[1], lambda tb: tb + 40)])
    assert result.outliers() == []
    assert len(result.disagreements()) >= 1
    assert not any(each.certain for each in result.disagreements())


def test_a_map_contains_the_reports_of_all_granules(day, tmp_path):
    checks = InputChecks(hemisphere="north")
    grid = region_grid("-130,80,-124,81", "north")
    paths = [tmp_path / f"granule_{n}.h5" for n in range(4)]
    swaths = [checks.check(swath, path) for swath, path in zip(day, paths, strict=True)]
    result = grid_day(swaths, grid, date(2020, 3, 3))
    checks.reject("bad.h5", "it is bad")
    checks.note_used(result)
    reports = read_reports(result.assign_attrs(checks.attributes()))
    assert set(reports) == {"bad.h5", *(path.name for path in paths)}
    used = [report for report in reports.values() if report.used]
    assert len(used) == result.attrs["n_granules"]
    assert [r.samples for r in used] == result.attrs["samples"]
    assert checks.rejected == ["bad.h5: it is bad"]
    inside = sum(int(_inside(swath, grid)) for swath in day)
    assert sum(result.attrs["samples"]) == pytest.approx(inside, abs=8)


def _inside(swath, grid):
    from seaice.grid.projection import project

    x, y = project(swath["latitude"].values, swath["longitude"].values, grid.crs)
    left, bottom, right, top = grid.bounds
    return ((x >= left) & (x < right) & (y > bottom) & (y <= top)).sum()


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_a_day_that_differs_from_the_four_others_is_reported(bad):
    """Also where no open water tells its level: all of the sea is ice."""
    rng = np.random.default_rng(0)
    sea = np.ones((30, 40), bool)
    sea[:5] = False
    days = [date(2020, 3, 1 + n) for n in range(5)]

    def field(n, kelvin):
        values = kelvin + rng.normal(0, 4, sea.shape) + (20 if n == bad else 0)
        return ("y", "x"), np.where(sea, values, 280).astype(np.float32)

    maps = {
        day: xr.Dataset({"tb89h": field(n, 200), "tb89v": field(n, 215)})
        for n, day in enumerate(days)
    }
    ((day, channel, offset),) = differing_days(maps, sea)
    assert (day, channel) == (days[bad], "tb89v")
    assert offset == pytest.approx(20, abs=1)
    assert differing_days({day: maps[day] for day in days if day != days[bad]}, sea) == []
    assert differing_days({day: maps[day] for day in days[:2]}, sea) == []
