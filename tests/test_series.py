"""Extent and area agree with independent arithmetic on the ellipsoid; gaps are never water."""

import json
import os
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from scipy.ndimage import gaussian_filter

from pipelines.research.amounts import Case, calibrated, coverage
from seaice.errors import NoInputError
from seaice.grid.grid import HEMISPHERES, NORTH, Grid
from seaice.grid.masks import land_mask
from seaice.grid.projection import cell_areas
from seaice.product.folder import product_name, read_provenance, write_product
from seaice.product.reader import read_maps
from seaice.product.series import (
    AREA,
    ErrorFactors,
    ErrorParts,
    SeriesRow,
    extent_by_sea,
    format_with_uncertainty,
    read_series,
    sea_numbers,
    seas,
    series_path,
    update_series,
    write_series,
)
from seaice.workflow.catalogue import rebuild_series, record_in_series
from seaice.workflow.stages import silent
from tests.support.products import made_product

OSISAF = Path(__file__).parents[1] / "seaice" / "simulate" / "data" / "osisaf_north_2018.nc"
SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
YEAR = SHARED / "real" / "osisaf_sic_north_2018.nc"
XC = 25e3 * (np.arange(432) - 215.5)  #: m, middles of the record's cells; y goes down
YC = -XC


# Extent and area


def plain(sic, deviation=None, numbers=None, cell=1000.0):
    """All sea, on cells of 1 km2."""
    shape = sic.shape
    numbers = np.zeros(shape, np.uint8) if numbers is None else numbers
    return extent_by_sea(sic, deviation, np.ones(shape, bool), np.ones(shape), numbers, cell)


def test_sums_are_those_of_the_cells_and_seas_add_up_to_the_whole():
    random = np.random.default_rng(0)
    sic = random.random((60, 90))
    sic[random.random(sic.shape) < 0.1] = np.nan
    numbers = random.integers(0, 3, sic.shape)
    land = random.random(sic.shape) < 0.2
    areas = random.uniform(2, 3, sic.shape)
    computed = extent_by_sea(sic, None, ~land, areas, numbers, 1000.0)
    for n, each in enumerate(computed):
        here = ~land if n == 0 else ~land & (numbers == n)
        assert each.extent == pytest.approx(areas[here & (sic >= 0.15)].sum())
        assert each.area == pytest.approx(np.nansum((sic * areas)[here]))
        assert each.observed == pytest.approx(areas[here & np.isfinite(sic)].sum())
        assert each.missing == pytest.approx(areas[here & np.isnan(sic)].sum())
        assert np.isnan(each.area_uncertainty)


def test_a_sea_that_nobody_saw_has_no_extent_and_a_gap_is_no_water():
    sic = np.full((10, 10), 0.5)
    sic[:, 5:] = np.nan
    numbers = np.where(np.arange(10) < 5, 1, 2) * np.ones((10, 1), int)
    whole, seen, unseen = plain(sic, numbers=numbers)
    assert (whole.extent, whole.area, whole.missing) == (50, 25, 50)
    assert seen[:4:2] == (50, 25)
    assert np.isnan(unseen.extent)
    assert np.isnan(unseen.area)
    assert (unseen.observed, unseen.missing) == (0, 50)


def correlated(random, shape, side):
    """Errors of cells in standard deviations: those of `EXTENT` and `AREA` together.

    Squares of `side` cells err alike, and all cells share a further part.
    """
    rows, columns = (-(-size // side) for size in shape)
    squares = random.standard_normal((rows, columns)).repeat(side, 0).repeat(side, 1)
    regional = squares[: shape[0], : shape[1]]
    return AREA.regional * regional + AREA.common * random.standard_normal()


def smooth(random, shape, length):
    """The same, where errors fade with distance instead of ending with a square."""
    field = gaussian_filter(random.standard_normal(shape), length, mode="wrap")
    return field / field.std() + AREA.common * random.standard_normal()


@pytest.mark.parametrize("errors", [partial(correlated, side=10), partial(smooth, length=2.5)])
def test_uncertainty_covers_errors_that_go_together(errors):
    """Draws of errors within squares of 100 km, or near each other, and of all cells together.

    One standard deviation holds about two thirds of them, two nearly all.
    """
    random = np.random.default_rng(1)
    cell, shape = 10_000.0, (200, 200)
    sic = np.clip(random.normal(0.4, 0.2, shape), 0.05, 0.95)
    deviation = random.uniform(0.01, 0.03, shape)
    extent, _, area, *_ = plain(sic, None, cell=cell)[0]
    result = plain(sic, deviation, cell=cell)[0]
    computed = {"area": [], "extent": []}
    for _ in range(300):
        off = sic + deviation * errors(random, shape)
        computed["area"].append((off.sum() - area) / result.area_uncertainty)
        computed["extent"].append(((off >= 0.15).sum() - extent) / result.extent_uncertainty)
    for ratios in computed.values():
        assert (np.abs(ratios) <= 1).mean() >= 0.6
        assert (np.abs(ratios) <= 2).mean() >= 0.92
    assert (np.abs(computed["area"]) <= 1).mean() <= 0.85  # nor is it told too large


def test_errors_that_all_cells_share_do_not_average_away():
    """Of a map four times as large, the uncertainty is nearly four times as large, not twice."""
    random = np.random.default_rng(2)
    sic = np.clip(random.normal(0.4, 0.2, (500, 500)), 0, 1)
    deviation = np.full(sic.shape, 0.05)
    large = plain(sic, deviation, cell=2_000.0)[0]
    small = plain(sic[:250, :250], deviation[:250, :250], cell=2_000.0)[0]
    for name in ("extent_uncertainty", "area_uncertainty"):
        assert 2.2 < getattr(large, name) / getattr(small, name) < 4.2


def test_a_sea_full_of_ice_is_not_known_to_the_last_cell():
    """Each cell is sure to be ice; that there is no lead or polynya is not."""
    full, deviation = np.full((300, 300), 0.99), np.full((300, 300), 0.01)
    result = plain(full, deviation)[0]
    assert result.extent_uncertainty >= 1e-3 * result.extent


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e8))
def test_what_is_shown_has_two_digits_of_the_uncertainty(value, uncertainty):
    left, right = (
        part.replace(",", "") for part in format_with_uncertainty(value, uncertainty).split(" ± ")
    )
    result = Decimal(right)
    assert float(result) == pytest.approx(uncertainty, rel=0.051)
    assert len(str(int(result.scaleb(-result.adjusted() + 1)))) == 2
    assert result == result.quantize(
        Decimal(1).scaleb(result.adjusted() - 1)
    )  # two digits, then zeros
    step = 10.0 ** (result.adjusted() - 1)
    assert abs(float(left) - value) <= 0.501 * step


def test_what_is_not_known_is_not_shown():
    assert (format_with_uncertainty(np.nan, 1.0), format_with_uncertainty(5.0, np.nan)) == ("", "5")


def test_calibration_finds_the_factors_that_errors_were_drawn_with():
    random = np.random.default_rng(3)
    result = [
        ErrorParts(*each)
        for each in zip(*(10 ** random.uniform(2, 5, (3, 2000)) * [[9], [0.1], [1]]), strict=True)
    ]
    true = ErrorFactors(regional=1.0, common=0.5, fraction=0.02)
    cases = [Case(one, random.normal(0, one.uncertainty(true))) for one in result]
    computed = calibrated(cases)
    assert computed.common == pytest.approx(true.common, rel=0.15)
    assert computed.fraction == pytest.approx(true.fraction, rel=0.15)
    assert coverage(cases, computed) == pytest.approx((0.68, 0.95), abs=0.03)


# A year of the OSI SAF record, and areas from geodesic polygons


def geodesic_areas(crs, x, y, cell, ellipsoid):
    """km2 of cells around points of a plane: polygons on the ellipsoid, corner by corner."""
    geod = Geod(**ellipsoid)
    to_ground = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    half = cell / 2
    corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
    rings = [to_ground.transform(x + right, y + up) for right, up in corners]
    longitude, latitude = (np.stack(each, axis=1) for each in zip(*rings, strict=True))
    computed = [
        geod.polygon_area_perimeter(*ring)[0] for ring in zip(longitude, latitude, strict=True)
    ]
    return np.abs(computed) / 1e6


def shipped():
    """Every fifth day, in percent."""
    with xr.open_dataset(OSISAF, mask_and_scale=False) as store:
        return store["ice_conc"].values, 100


def whole():
    """All 365 days, in half percent."""
    if not YEAR.exists():
        pytest.skip("the record of all days is not at hand")
    with xr.open_dataset(YEAR, mask_and_scale=False) as store:
        return store["ice_conc"].values, 200


@pytest.fixture(scope="module", params=[shipped, pytest.param(whole, marks=pytest.mark.slow)])
def year(request):
    """A year of the record: numbers (day, y, x) uint8, 255 where unknown, and that of all ice."""
    return request.param()


def days_of(stored, full):
    """Each day, 0-1, NaN where unknown."""
    return (np.where(day < 255, day / np.float32(full), np.float32("nan")) for day in stored)


def ours(year, areas):
    """Extent of each day by our sums, km2."""
    stored, full = year
    sea, none = (stored < 255).any(axis=0), np.zeros(stored.shape[1:], np.uint8)
    return np.array(
        [
            extent_by_sea(day, None, sea, areas, none, 25e3)[0].extent
            for day in days_of(stored, full)
        ]
    )


def theirs(year, areas):
    """The same by plain sums of areas, which are known where there was ever ice."""
    stored, full = year
    least = 15 * full // 100
    return np.array([areas[(day >= least) & (day < 255)].sum() for day in stored])


def ever(year):
    """(row, column) of the cells that had ice on any day."""
    stored, _ = year
    return np.nonzero(np.where(stored < 255, stored, 0).any(axis=0))


def around(cells, shape, areas):
    """Areas of some cells on their map; nothing elsewhere."""
    computed = np.zeros(shape)
    computed[cells] = areas
    return computed


def test_a_year_of_extent_is_that_of_geodesic_areas_on_equal_area_cells(year):
    shape = year[0].shape[1:]
    transform = Affine(25e3, 0, XC[0] - 12.5e3, 0, -25e3, YC[0] + 12.5e3)
    lattice = Grid.from_affine(crs="EPSG:6931", transform=transform, shape=shape)
    row, column = np.indices(shape) + 0.5
    cells = ever(year)
    wgs84 = {"a": 6378137.0, "rf": 298.257223563}
    polygons = geodesic_areas("EPSG:6931", XC[cells[1]], YC[cells[0]], 25e3, wgs84)
    right = theirs(year, around(cells, shape, polygons))
    assert right.max() / right.min() > 2  # winter and summer
    assert len(right) in (73, 365)
    np.testing.assert_allclose(ours(year, lattice.cell_area(row, column)), right, rtol=1e-3)


def test_a_year_of_extent_is_that_of_geodesic_areas_on_polar_stereographic_cells(year):
    """The same year on NSIDC's 25 km grid, the nearest EASE2 cell for each."""
    grid = replace(NORTH, cell=25e3, shape=(448, 304))
    across = Transformer.from_crs(grid.crs, "EPSG:6931", always_xy=True)
    x, y = across.transform(*np.meshgrid(grid.x, grid.y))
    row, column = np.rint((YC[0] - y) / 25e3).astype(int), np.rint((x - XC[0]) / 25e3).astype(int)
    inside = (row >= 0) & (row < 432) & (column >= 0) & (column < 432)
    stored = np.where(inside, year[0][:, row.clip(0, 431), column.clip(0, 431)], np.uint8(255))
    again = stored, year[1]
    cells = ever(again)
    hughes = {"a": 6378273.0, "rf": 298.279411123064}
    polygons = geodesic_areas(grid.crs, grid.x[cells[1]], grid.y[cells[0]], 25e3, hughes)
    right = theirs(again, around(cells, grid.shape, polygons))
    np.testing.assert_allclose(ours(again, cell_areas(grid) / 1e6), right, rtol=1e-3)
    plane = theirs(again, np.full(grid.shape, 625.0))
    assert abs(plane / right - 1).max() > 5e-3  # cells are not all of one size: it matters


# Seas


@pytest.mark.parametrize(
    ("hemisphere", "place", "name"),
    [
        ("north", (-85.0, 60.0), "hudson"),
        ("north", (40.0, 75.0), "barents"),
        ("north", (75.0, 75.0), "kara"),
        ("north", (-170.0, 60.0), "bering"),
        ("north", (175.0, 59.0), "bering"),
        ("north", (-172.0, 70.0), "chukchi"),
        ("north", (-140.0, 72.0), "beaufort"),
        ("north", (0.0, 88.0), "central_arctic"),
        ("north", (20.0, 63.0), "baltic"),
        ("north", (-60.0, 72.0), "baffin"),
        ("north", (-35.0, 50.0), "all"),
        ("south", (-45.0, -70.0), "weddell"),
        ("south", (-170.0, -75.0), "ross"),
        ("south", (170.0, -75.0), "ross"),
        ("south", (-100.0, -70.0), "bellingshausen_amundsen"),
    ],
)
def test_well_known_places_lie_in_their_seas(hemisphere, place, name):
    grid = HEMISPHERES[hemisphere]
    x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(*place)
    row, column = grid.locate(x, y)
    cell = grid.crop(slice(row, row + 1), slice(column, column + 1))
    assert seas(hemisphere)[sea_numbers(cell)[0, 0]].name == name


def test_the_table_has_the_area_of_each_sea_without_land():
    """At 6.25 km, where coasts are coarser than those the table was made with."""
    grid = HEMISPHERES["south"]
    numbers, sea = sea_numbers(grid), ~land_mask(grid)
    areas = cell_areas(grid) / 1e6
    for number, each in enumerate(seas("south")):
        here = sea if number == 0 else sea & (numbers == number)
        assert areas[here].sum() == pytest.approx(each.km2, rel=2e-3), each.name


# The file


def row(date, ground="all", sea="all", extent=1.0, status="final"):
    return SeriesRow(date, ground, sea, status, extent, 1, 1, 1, 1, 0, 0.5, "bicubic+asi", "0.1.0")


def test_a_day_written_again_replaces_its_rows_and_days_are_sorted(tmp_path):
    path = tmp_path / "seaice_series_north.csv"
    update_series(
        path, [row("2020-03-02", extent=5, status="provisional"), row("2020-03-02", sea="kara")]
    )
    update_series(path, [row("2020-03-01"), row("2020-03-01", ground="svalbard")])
    update_series(path, [row("2020-03-02", extent=7)])
    computed = [(r.date, r.ground, r.sea, r.extent_km2, r.status) for r in read_series(path)]
    assert computed == [
        ("2020-03-01", "all", "all", 1.0, "final"),
        ("2020-03-01", "svalbard", "all", 1.0, "final"),
        ("2020-03-02", "all", "all", 7.0, "final"),
    ]


def test_an_unknown_value_is_an_empty_cell(tmp_path):
    path = tmp_path / "series.csv"
    write_series(path, [row("2020-03-02", extent=np.nan)])
    assert "2020-03-02,all,all,final,,1" in path.read_text()
    assert np.isnan(read_series(path)[0].extent_km2)


# Products on disk


def on_disk(out, date="2020-03-03", formats=("zarr",), **more):
    product = made_product(date=date)
    grid = {"crs": "EPSG:3411", "cell_m": 1562.5, "shape": list(product["sic"].shape)}
    left, top = float(product["x"][0]) - 781.25, float(product["y"][0]) + 781.25
    grid["bounds_m"] = [left, top - 160 * 1562.5, left + 240 * 1562.5, top]
    result = {"date": date, "hemisphere": "north", "region": "all", "status": "final", "grid": grid}
    product.attrs["provenance"] = json.dumps(result | more)
    folder = out / product_name("north", "all", date)
    write_product(product, folder, formats)
    return folder, product


@pytest.mark.parametrize("formats", [("zarr",), ("netcdf",), ("geotiff",)])
def test_every_format_gives_the_same_row(tmp_path, formats):
    folder, product = on_disk(tmp_path, formats=formats)
    np.testing.assert_allclose(read_maps(folder)["sic"], product["sic"], atol=1e-4)  # rounded
    path = record_in_series(folder)
    (whole, *named) = read_series(path)
    areas = cell_areas(HEMISPHERES["north"].crop(slice(600, 640), slice(500, 560)).refine(4)) / 1e6
    sic, sea = product["sic"].values, (product["status_flag"].values & 1) == 0
    assert whole.extent_km2 == pytest.approx(areas[sea & (sic >= 0.15)].sum(), rel=1e-3)
    assert whole.area_km2 == pytest.approx(np.nansum((sic * areas)[sea]), rel=2e-4)
    assert whole.missing_km2 == pytest.approx(areas[sea & np.isnan(sic)].sum(), rel=2e-3)
    assert 0 < whole.area_uncertainty_km2 < whole.area_km2
    assert sum(each.observed_km2 for each in named) <= whole.observed_km2 + 1
    assert read_provenance(folder)["status"] == whole.status


def test_a_product_that_is_only_a_picture_has_no_row(tmp_path):
    folder, _ = on_disk(tmp_path, formats=("quicklook",))
    assert record_in_series(folder) is None
    assert not series_path(tmp_path, "north").exists()
    with pytest.raises(NoInputError, match="none with concentration"):
        rebuild_series(tmp_path, silent)


def test_the_series_is_rebuilt_from_existing_products(tmp_path):
    for date in ("2020-03-04", "2020-03-03"):
        record_in_series(on_disk(tmp_path, date)[0])
    path = series_path(tmp_path, "north")
    before = path.read_bytes()
    path.unlink()
    assert rebuild_series(tmp_path, silent) == [path]
    assert path.read_bytes() == before
