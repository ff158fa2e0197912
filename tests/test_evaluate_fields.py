"""Maps of many makers are read as what they are, and means over other cells keep the ice."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from seaice.errors import NoInputError, SettingsError
from seaice.evaluate.fields.field import Field, align_fields, regrid
from seaice.evaluate.fields.open import open_field
from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid
from seaice.product.folder import write_product
from seaice.product.netcdf_zarr import round_values
from tests.support.maps import (
    half_plane,
    north_up,
    smooth,
    write_bremen,
    write_chart,
    write_osisaf,
    write_truth,
)
from tests.support.products import made_product

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
LEFT, TOP = -600_000.0, 400_000.0


def field(sic, cell=1562.5, left=LEFT, top=TOP, crs="EPSG:3411", transform=None, **more):
    lattice = Grid.from_affine(
        crs=crs, transform=transform or north_up(left, top, cell), shape=sic.shape
    )
    return Field(name="made", grid=lattice, sic=sic.astype(np.float32), time=None, **more)


def turned(degrees, cell, shape, middle=(0.0, 0.0)):
    """A lattice whose middle lies at a point and whose axes are turned."""
    return (
        Affine.translation(*middle)
        @ Affine.rotation(degrees)
        @ Affine.scale(cell, -cell)
        @ Affine.translation(-shape[1] / 2, -shape[0] / 2)
    )


# Readers


def test_a_product_is_read_with_its_uncertainty_and_the_time_it_was_observed(tmp_path):
    product = round_values(made_product())
    write_product(product, tmp_path / "product", ("zarr",))
    for path in (tmp_path / "product", *(tmp_path / "product").glob("*.zarr")):
        read = open_field(path)
        np.testing.assert_array_equal(read.sic, product["sic"].values)
        told = [product[name].values for name in ("sic_uncertainty", "sic_uncertainty_95")]
        np.testing.assert_array_equal(read.half_widths, told)
        assert read.tb.shape == (2, *read.sic.shape)
        assert read.time == np.datetime64("2020-03-03T11:30")
        assert read.grid.cell == 1562.5


def test_a_truth_lies_where_its_coordinates_say(tmp_path):
    sic = smooth((30, 40))
    sic[:3] = np.nan
    write_truth(tmp_path / "truth_20200303.nc", sic, LEFT, TOP, 1562.5)
    read = open_field(tmp_path / "truth_20200303.nc")
    np.testing.assert_array_equal(read.sic, sic)
    assert read.grid.transform.almost_equals(north_up(LEFT, TOP, 1562.5), 1e-6)
    assert read.time == np.datetime64("2020-03-03T12:00")


def test_rows_of_bremen_are_turned_north_up(tmp_path):
    sic = smooth((30, 40))
    sic[:, :4] = np.nan
    write_bremen(tmp_path / "asi-AMSR2-n6250-20160417-v5.4.nc", sic, LEFT, TOP)
    read = open_field(tmp_path / "asi-AMSR2-n6250-20160417-v5.4.nc")
    np.testing.assert_allclose(read.sic, sic, atol=1e-6)
    assert read.grid.transform.almost_equals(north_up(LEFT, TOP, 6250.0), 1e-6)
    assert read.time == np.datetime64("2016-04-17T12:00")


def test_of_many_days_the_one_asked_for_is_read(tmp_path):
    sic = smooth((30, 40))
    sic[2, 2] = np.nan
    write_osisaf(tmp_path / "osisaf.nc", sic, ["2018-01-01", "2018-01-02", "2018-01-03"])
    read = open_field(tmp_path / "osisaf.nc", date(2018, 1, 2))
    np.testing.assert_allclose(read.sic, sic, atol=0.0026)
    assert read.grid.transform.almost_equals(north_up(-1_012_500.0, 1_012_500.0, 25e3), 1e-6)
    assert read.time == np.datetime64("2018-01-02T12:00")
    assert np.nanmax(open_field(tmp_path / "osisaf.nc", date(2018, 1, 3)).sic) == 0
    with pytest.raises(NoInputError, match="none on 2020-03-03") as error:
        open_field(tmp_path / "osisaf.nc", date(2020, 3, 3))
    assert "--date" in error.value.hint


@pytest.mark.parametrize("kind", ["percent", "fraction", "codes"])
def test_charts_are_percent_or_fraction_and_know_what_is_absent(tmp_path, kind):
    sic = np.round(smooth((30, 40)), 2)
    sic[:5] = np.nan
    bytes_ = np.where(np.isnan(sic), 255, np.round(100 * sic)).astype(np.uint8)
    values, more = {
        "percent": (bytes_, {"nodata": 255}),
        "fraction": (sic, {"nodata": np.nan}),
        "codes": (np.where(bytes_ == 255, 120, bytes_).astype(np.uint8), {}),
    }[kind]
    write_chart(tmp_path / "chart_20190823T0330.tif", values, north_up(LEFT, TOP, 1e3), **more)
    read = open_field(tmp_path / "chart_20190823T0330.tif")
    np.testing.assert_allclose(read.sic, sic, atol=1e-6)
    assert read.time == np.datetime64("2019-08-23T03:30")


@pytest.mark.parametrize("what", ["nothing", "folder", "text", "no CRS", "no ice", "no map"])
def test_what_is_no_map_of_ice_is_refused_in_three_parts(tmp_path, what):
    path = tmp_path / ("map.nc" if what in ("text", "no map") else "map.tif")
    if what == "folder":
        path = tmp_path
    elif what == "text":
        path.write_text("not NetCDF")
    elif what in ("no CRS", "no ice"):
        crs = None if what == "no CRS" else "EPSG:3411"
        write_chart(path, np.full((4, 4), 200, np.uint8), north_up(0, 0, 1e3), crs=crs)
    elif what == "no map":
        write_truth(path, np.ones((4, 4)), LEFT, TOP, 1e3)
        import xarray as xr

        with xr.open_dataset(path) as result:
            other = result.rename(sic="temperature").load()
        other.to_netcdf(tmp_path / "other.nc")
        path = tmp_path / "other.nc"
    with pytest.raises(NoInputError) as error:
        open_field(path)
    assert error.value.found
    assert error.value.hint


@pytest.mark.skipif(not SHARED.exists(), reason="real maps are not beside this checkout")
def test_real_maps_of_two_services_agree_on_where_the_ice_is():
    """Another year and other cells, but winter ice lies where winter ice lies."""
    bremen = open_field(SHARED / "real" / "asi-AMSR2-n6250-20160417-v5.4.nc")
    osisaf = open_field(SHARED / "real" / "osisaf_sic_north_2018.nc", date(2018, 4, 17))
    ours, theirs = align_fields(bremen, osisaf)
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    assert np.corrcoef(ours.sic[both], theirs.sic[both])[0, 1] > 0.9
    assert ours.grid.cell == 25e3


# Means over other cells


@pytest.mark.parametrize("factor", [2, 4, 5])
def test_on_a_lattice_that_fits_means_are_means_of_blocks(factor):
    """Exactly as an independent mean over blocks has it."""
    sic = smooth((40, 60))
    result = regrid(field(sic), field(sic).grid.coarsen(factor))
    needed = sic.reshape(40 // factor, factor, 60 // factor, factor).mean((1, 3))
    np.testing.assert_allclose(result.sic, needed, atol=1e-6)


def test_on_a_turned_lattice_means_are_those_of_the_area():
    """Of a plane that slopes, the mean over any cell is its value in the middle of the cell."""
    shape = (200, 200)
    source = field(np.zeros(shape), 1562.5)
    x, y = source.grid.transform @ tuple(
        values + 0.5 for values in np.meshgrid(np.arange(200), np.arange(200))
    )
    slope = 0.5 + 1.1e-6 * (x - x.mean()) + 0.7e-6 * (y - y.mean())
    middle = (LEFT + 156_250.0, TOP - 156_250.0)
    target = Grid.from_affine(
        crs="EPSG:3411", transform=turned(31.0, 9e3, (20, 20), middle), shape=(20, 20)
    )
    result = regrid(field(slope), target)
    column, row = np.meshgrid(np.arange(20) + 0.5, np.arange(20) + 0.5)
    xs, ys = target.transform @ (column, row)
    needed = 0.5 + 1.1e-6 * (xs - x.mean()) + 0.7e-6 * (ys - y.mean())
    assert np.isfinite(result.sic).all()
    np.testing.assert_allclose(result.sic, needed, atol=1e-3)


def test_between_two_projections_each_cell_is_the_mean_of_the_ice_that_lies_in_it():
    """The oracle draws points in the target cells, brings them back, and looks what lies there."""
    source = field(smooth((256, 256)), 1562.5, left=-200e3, top=200e3)
    target = Grid.from_affine(
        crs="EPSG:6931", transform=north_up(-125e3, 125e3, 12.5e3), shape=(20, 20)
    )
    result = regrid(source, target)
    back = Transformer.from_crs("EPSG:6931", "EPSG:3411", always_xy=True)
    random = np.random.default_rng(0)
    row, column = np.mgrid[:20, :20]
    draws = []
    for _ in range(400):
        at = column + random.random(row.shape), row + random.random(row.shape)
        c, r = ~source.grid.transform @ back.transform(*(target.transform @ at))
        draws.append(source.sic[np.floor(r).astype(int), np.floor(c).astype(int)])
    np.testing.assert_allclose(result.sic, np.mean(draws, axis=0), atol=0.012)
    assert abs(result.sic - np.mean(draws, axis=0)).mean() < 2e-3


def test_ice_area_is_conserved_on_the_way_to_cells_that_fit_badly():
    """All ice of the source is in the target, whose lattice has no line in common with it."""
    source = field(smooth((128, 128)), 1562.5)
    target = Grid.from_affine(
        crs="EPSG:3411", transform=north_up(LEFT - 50e3, TOP + 50e3, 7.3e3), shape=(45, 45)
    )
    wide = np.zeros((256, 256))
    wide[64:192, 64:192] = source.sic
    padded = field(wide, 1562.5, LEFT - 100e3, TOP + 100e3)
    result = regrid(padded, target)
    assert np.nansum(result.sic) * 7.3e3**2 == pytest.approx(source.sic.sum() * 1562.5**2, rel=5e-3)


def test_land_gives_nothing_to_its_neighbours_and_half_of_a_cell_must_be_known():
    sic = np.ones((8, 8))
    sic[:, 3:] = np.nan  # three columns of sea: one whole block and half of the next
    sic[4:, 2:] = np.nan  # two columns there: the second block holds none
    result = regrid(field(sic), field(sic).grid.coarsen(2)).sic
    needed = np.full((4, 4), np.nan)
    needed[:, 0] = 1
    needed[:2, 1] = 1
    np.testing.assert_array_equal(result, needed)
    np.testing.assert_array_equal(block_mean(sic, 2, min_valid=0.5, dtype=np.float64), needed)


def test_a_chart_far_finer_than_the_product_comes_onto_its_cells():
    fine = smooth((1500, 1500))
    chart = field(fine, 40.0, left=LEFT + 37.0, top=TOP - 11.0)
    product = field(np.ones((60, 60)), 1562.5)
    ours, theirs = align_fields(product, chart)
    assert ours.grid.cell == theirs.grid.cell == 1562.5
    assert np.isfinite(theirs.sic).sum() == pytest.approx((60e3 / 1562.5) ** 2, rel=0.06)
    assert np.nanmean(theirs.sic) == pytest.approx(fine.mean(), abs=0.01)


def test_the_coarser_lattice_is_taken_and_no_finer_one_can_be_asked_for():
    fine, coarse = field(smooth((64, 64)), 1562.5), field(smooth((16, 16)), 6250.0)
    for pair in ((fine, coarse), (coarse, fine)):
        assert align_fields(*pair)[0].grid.cell == 6250.0
    assert align_fields(fine, coarse, 12_500.0)[1].grid.cell == 12_500.0
    with pytest.raises(SettingsError, match=r"cells of 3\.125 km"):
        align_fields(fine, coarse, 3125.0)


def test_maps_of_different_seas_are_refused():
    here, there = field(half_plane(20)), field(half_plane(20), left=LEFT + 2e6)
    with pytest.raises(NoInputError, match="no cell with values of both"):
        align_fields(here, there)


def test_a_chart_in_degrees_is_brought_to_the_plane_of_the_product():
    sic = np.full((100, 400), 0.7)
    chart = field(sic, crs="EPSG:4326", transform=Affine(0.05, 0, -40.0, 0, -0.01, 86.0))
    sides = 0.05 * np.cos(np.radians(85.5)), 0.01  # degrees of latitude
    assert chart.grid.cell == pytest.approx(111_200 * np.sqrt(np.prod(sides)), rel=1e-3)
    product = field(np.ones((200, 200)), 3125.0, left=-300e3, top=-100e3)
    ours, theirs = align_fields(product, chart)
    assert not ours.grid.is_geographic
    np.testing.assert_allclose(theirs.sic[np.isfinite(theirs.sic)], 0.7, atol=1e-6)


def test_a_cell_has_the_area_it_has_on_the_ground():
    """On the ellipsoid: true at 70 degrees, as Snyder's scale says; equal area everywhere."""
    from pyproj import Geod

    lattice = field(np.ones((10, 10)), 6250.0, left=-1_000e3, top=2_000e3).grid
    ring = [lattice.transform @ corner for corner in ((4, 4), (5, 4), (5, 5), (4, 5))]
    degrees = Transformer.from_crs("EPSG:3411", "EPSG:4326", always_xy=True)
    longitude, latitude = degrees.transform(*zip(*ring, strict=True))
    needed, _ = Geod(a=6378273.0, rf=298.279411123064).polygon_area_perimeter(longitude, latitude)
    result = lattice.cell_area(np.array([4.5]), np.array([4.5]))
    assert result[0] == pytest.approx(abs(needed) / 1e6, rel=2e-3)
