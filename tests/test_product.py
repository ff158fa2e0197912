"""Opened products: values of a cell, flags, ice edge, extent and area."""

import numpy as np
import pytest
from pyproj import Geod, Transformer

import seaice
from seaice.errors import NoInputError, SettingsError, UnknownNameError
from seaice.grid.grid import grid_of
from seaice.product.cell import FLAG_DESCRIPTIONS, cell_at, cell_from_store, cell_index
from seaice.product.folder import write_product
from seaice.product.season_store import write_day
from seaice.retrieval.flags import Flag
from tests.support.products import made_product


@pytest.fixture(scope="module", params=["north", "south"])
def product_folder(request, tmp_path_factory):
    """A product in memory, and its folder."""
    product = made_product(request.param)
    folder = tmp_path_factory.mktemp("out") / f"seaice_sic_{request.param}_20200303_v0.1"
    write_product(product, folder, ("zarr", "netcdf"))
    return product, folder


def test_folder_store_and_file_open_alike(product_folder):
    product, folder = product_folder
    stem = folder / folder.name
    for path in (folder, str(folder), f"{stem}.zarr", f"{stem}.nc"):
        opened = seaice.open_product(path)
        assert opened["sic"].dims == ("y", "x")
        np.testing.assert_allclose(opened["sic"], product["sic"], atol=2**-14)
        np.testing.assert_array_equal(opened["status_flag"], product["status_flag"])
        assert grid_of(opened) == grid_of(product)


def test_a_season_opens_as_its_days(tmp_path):
    store = tmp_path / "season.zarr"
    for day in ("2020-03-03", "2020-03-07"):
        write_day(made_product("north", date=day), store, "key")
    season = seaice.open_product(store)
    assert [str(day)[:10] for day in season["time"].values] == ["2020-03-03", "2020-03-07"]
    assert season.seaice.extent().dims == ("time",)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_what_is_no_product_is_explained(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoInputError, match=r"expected a folder such as"):
        seaice.open_product(tmp_path / name)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (33, 77), (159, 239)])
def test_a_place_is_in_the_cell_whose_centre_it_is(product_folder, row, column):
    product, _ = product_folder
    longitude, latitude = (angle[row, column] for angle in grid_of(product).lonlat())
    assert cell_index(product, longitude, latitude) == (row, column)
    assert cell_index(product, longitude + 360 * (longitude < 0), latitude) == (row, column)


@pytest.mark.parametrize("place", [(0.0, 0.0), (200.0, 95.0), (np.nan, 80.0)])
def test_a_place_outside_is_refused(product_folder, place):
    with pytest.raises(SettingsError, match="longitude"):
        cell_index(product_folder[0], *place)


def test_a_cell_has_value_uncertainty_and_flag_descriptions(product_folder):
    _, folder = product_folder
    opened = seaice.open_product(folder)
    row, column = 60, 40  # coast
    longitude, latitude = (angle[row, column] for angle in grid_of(opened).lonlat())
    cell = opened.seaice.at(longitude, latitude)
    assert cell.flags == Flag.COAST
    assert cell.reasons == [FLAG_DESCRIPTIONS[Flag.COAST]]
    assert cell.values["sic"] == float(opened["sic"][row, column])
    geod = Geod(ellps="WGS84")
    assert geod.inv(cell.longitude, cell.latitude, longitude, latitude)[2] < 1
    text = str(cell)
    assert f"{cell.values['sic'] * 100:.1f} %" in text
    assert "2020-03-03T11:30 UTC" in text
    assert "the day after" in text


@pytest.mark.parametrize("at", [(60, 40), (105, 110), (30, 50), (0, 0), (159, 239)])
def test_a_cell_read_from_the_store_is_that_of_the_dataset(product_folder, at):
    _, folder = product_folder
    opened = seaice.open_product(folder)
    longitude, latitude = (angle[at] for angle in grid_of(opened).lonlat())
    stored = cell_from_store(folder / f"{folder.name}.zarr", longitude, latitude)
    expected = opened.seaice.at(longitude, latitude)
    assert str(stored) == str(expected)
    assert stored.values == pytest.approx(expected.values, nan_ok=True)
    with pytest.raises(SettingsError, match="outside"):
        cell_from_store(folder / f"{folder.name}.zarr", 0.0, 0.0)


def test_a_cell_without_a_value_lists_its_flag(product_folder):
    product, _ = product_folder
    longitude, latitude = (angle[105, 110] for angle in grid_of(product).lonlat())
    text = str(cell_at(product, longitude, latitude))
    assert "concentration     none" in text
    assert FLAG_DESCRIPTIONS[Flag.NO_INPUT] in text
    assert "nan" not in text


def test_every_flag_has_its_words():
    assert set(FLAG_DESCRIPTIONS) == set(Flag)


def test_flags_are_masks_by_name(product_folder):
    _, folder = product_folder
    opened = seaice.open_product(folder)
    assert int(opened.seaice.flag("coast").sum()) == 60
    with pytest.raises(UnknownNameError, match="no_input"):
        opened.seaice.flag("ice")


def test_extent_and_area_are_ground_and_absence_is_not_water(product_folder):
    """Against geodesic polygons of single cells."""
    product, _ = product_folder
    part = product.isel(y=slice(98, 106), x=slice(98, 104))
    grid, geod = grid_of(part), Geod(ellps="WGS84")
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    half, ground = grid.cell / 2, np.zeros(grid.shape)
    for at in np.ndindex(grid.shape):
        x, y = grid.x[at[1]], grid.y[at[0]]
        corners = back.transform(
            [x - half, x + half, x + half, x - half], [y - half, y - half, y + half, y + half]
        )
        ground[at] = abs(geod.polygon_area_perimeter(*corners)[0]) * 1e-6
    sic = part["sic"].values
    assert np.isnan(sic).any()
    np.testing.assert_allclose(part.seaice.extent(), ground[sic >= 0.15].sum(), rtol=2e-3)
    np.testing.assert_allclose(part.seaice.area(), np.nansum(ground * sic), rtol=2e-3)


def test_the_ice_edge_is_at_15_percent(product_folder):
    product, _ = product_folder
    (line, *_) = product.seaice.ice_edge()
    x, y = np.asarray(line.coords).T
    at = product["sic"].interp(x=("edge", x), y=("edge", y)).values
    np.testing.assert_allclose(at[np.isfinite(at)], 0.15, atol=0.01)


def test_what_seaice_offers_is_found_and_nothing_else():
    for name in seaice.__all__:
        assert getattr(seaice, name)
    with pytest.raises(AttributeError, match="no attribute 'weekly'"):
        _ = seaice.weekly
