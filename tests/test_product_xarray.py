"""Products in xarray and its extensions: rioxarray, odc-geo, cartopy, pandas."""

import numpy as np
import pytest
import xarray as xr

import seaice
from seaice.errors import NoInputError, SettingsError
from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from seaice.product.season_store import write_day
from tests.support.products import made_product

DAYS = ("2020-03-03", "2020-03-04", "2020-03-06")
INSIDE = (40, 100)  #: row and column of a cell with ice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three days of one place, the first of them written last."""
    out = tmp_path_factory.mktemp("out")
    for day in reversed(DAYS):
        name = f"seaice_sic_north_{day.replace('-', '')}_v0.1"
        product = made_product(side=(20, 40), date=day)
        product.attrs["status"] = "provisional" if day == DAYS[-1] else "final"
        product["sic"] = product["sic"] * (1 - 0.1 * DAYS.index(day))
        write_product(product, out / name, ("zarr", "netcdf"))
    (out / "stages").mkdir()
    return out


@pytest.fixture(scope="module")
def paths(folder):
    return sorted(folder.glob("seaice_sic_*"))


@pytest.fixture(scope="module")
def product(paths):
    return seaice.open_product(paths[0])


@pytest.fixture(scope="module")
def several(folder):
    return seaice.open_products(folder)


def place(product, row=INSIDE[0], column=INSIDE[1]):
    """Longitude and latitude of a cell's centre."""
    return tuple(float(angle[row, column]) for angle in grid_of(product).lonlat())


def netcdf(path):
    return f"{path / path.name}.nc"


def zarr(path):
    return f"{path / path.name}.zarr"


@pytest.mark.parametrize("store", [netcdf, zarr])
@pytest.mark.parametrize("part", [slice(None), slice(10, 70)], ids=["whole", "part"])
def test_a_product_is_written_again_as_it_is(paths, store, part, tmp_path):
    opened = seaice.open_product(store(paths[0])).isel(x=part)
    opened.to_zarr(tmp_path / "again.zarr")
    opened.to_netcdf(tmp_path / "again.nc")
    for again in (xr.open_zarr(tmp_path / "again.zarr"), xr.open_dataset(tmp_path / "again.nc")):
        assert set(again.variables) == set(opened.variables)
        for name in opened.data_vars:
            xr.testing.assert_equal(again[name].variable.load(), opened[name].variable.load())
            assert again[name].dtype == opened[name].dtype


def test_several_days_are_written_again_as_they_are(several, tmp_path):
    several.to_zarr(tmp_path / "again.zarr")
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "again.zarr")["sic"].load(), several["sic"])


@pytest.mark.parametrize("store", [netcdf, zarr])
def test_rioxarray_finds_the_projection(paths, store):
    pytest.importorskip("rioxarray")
    opened = seaice.open_product(store(paths[0]))
    grid = grid_of(opened)
    for name in ("sic", "tb89h", "status_flag"):
        assert opened[name].rio.crs.to_epsg() == int(grid.crs.removeprefix("EPSG:"))
    assert opened["sic"].rio.bounds() == pytest.approx(grid.bounds)
    coarse = opened["sic"].rio.reproject("EPSG:4326")
    assert np.isfinite(coarse).any()


def test_rioxarray_finds_the_projection_of_several_days(several):
    pytest.importorskip("rioxarray")
    assert several["sic"].rio.crs.to_string() == grid_of(several).crs
    assert several["sic"].rio.clip_box(*grid_of(several).bounds).shape == several["sic"].shape


def test_odc_finds_the_same_lattice(product, several):
    pytest.importorskip("odc.geo.xr")
    grid = grid_of(product)
    for box in (product.odc.geobox, several["sic"].odc.geobox):
        assert box.crs.to_epsg() == int(grid.crs.removeprefix("EPSG:"))
        assert box.shape == grid.shape
        assert tuple(box.boundingbox) == pytest.approx(grid.bounds)


def test_cartopy_draws_in_the_projection_of_the_product(product):
    crs = pytest.importorskip("cartopy.crs")
    from matplotlib.figure import Figure

    projection = crs.Projection(product.attrs["crs"])
    axes = Figure().add_subplot(projection=projection)
    product["sic"].plot.imshow(ax=axes, transform=projection, add_colorbar=False)
    left, bottom, right, top = grid_of(product).bounds
    assert axes.get_extent(projection) == pytest.approx((left, right, bottom, top), abs=2000)
    longitude, latitude = place(product)
    x, y = projection.transform_point(longitude, latitude, crs.PlateCarree())
    assert float(product["x"][INSIDE[1]]) == pytest.approx(x, abs=1)
    assert float(product["y"][INSIDE[0]]) == pytest.approx(y, abs=1)


@pytest.mark.parametrize(("store", "engine"), [(netcdf, "netcdf4"), (zarr, "zarr")])
def test_open_mfdataset_opens_several_days(paths, several, store, engine):
    stores = [store(path) for path in paths]
    same = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
    opened = xr.open_mfdataset(stores, engine=engine, **same)
    np.testing.assert_array_equal(opened["sic"], several["sic"])
    assert opened["crs"].dims == ()
    plainly = xr.open_mfdataset(stores, engine=engine, data_vars="all")
    np.testing.assert_array_equal(plainly["sic"], several["sic"])


def test_a_product_is_a_table(product, several):
    table = product[["sic", "status_flag"]].isel(y=slice(5), x=slice(4)).to_dataframe()
    assert len(table) == 20
    assert table["sic"].to_numpy() == pytest.approx(product["sic"].values[:5, :4].ravel())
    assert len(several["sic"].isel(y=slice(5), x=slice(4)).to_dataframe()) == 60


def test_a_list_a_folder_and_a_season_open_alike(paths, several, tmp_path):
    listed = seaice.open_products([str(path) for path in reversed(paths)])
    store = tmp_path / "season.zarr"
    for day in DAYS:
        opened = seaice.open_product(paths[DAYS.index(day)]).load()
        write_day(opened.assign_attrs(status=opened.attrs["product_status"]), store, "key")
    season = seaice.open_products(store)
    for opened in (several, listed, season):
        assert [str(day)[:10] for day in opened["time"].values] == list(DAYS)
        assert opened["sic"].dims == ("time", "y", "x")
        assert opened["sic"].chunks is not None  # nothing is read yet
        assert "crs" in opened.coords
        np.testing.assert_allclose(opened["sic"], several["sic"], atol=1e-4)
    for opened in (several, listed):
        assert opened["day_status"].values.tolist() == [2, 2, 1]
        assert opened.attrs["crs"] == grid_of(several).crs
        assert "date" not in opened.attrs
    one = seaice.open_products(paths[1])
    assert one.sizes["time"] == 1
    xr.testing.assert_equal(one["sic"].isel(time=0).load(), several["sic"].isel(time=1).load())


def test_products_that_do_not_stand_in_a_row_are_refused(paths, tmp_path):
    with pytest.raises(NoInputError, match="no products"):
        seaice.open_products(tmp_path)
    with pytest.raises(NoInputError, match="not there"):
        seaice.open_products(tmp_path / "absent")
    with pytest.raises(SettingsError, match="2 products of 2020-03-03"):
        seaice.open_products([paths[0], paths[0]])
    other = tmp_path / "seaice_sic_south_20200303_v0.1"
    write_product(made_product("south", side=(18, 32)), other, ("zarr",))
    with pytest.raises(SettingsError, match="different grids"):
        seaice.open_products([paths[0], other])


def test_many_places_are_asked_at_once(product, several):
    cells = [(40, 100), (0, 0), (79, 159)]
    longitudes, latitudes = zip(*(place(product, *cell) for cell in cells), strict=True)
    rows, columns = map(list, zip(*cells, strict=True))
    expected = product["sic"].values[rows, columns]
    values = product.seaice.at(list(longitudes), np.array(latitudes))
    assert values["sic"].dims == ("point",)
    np.testing.assert_array_equal(values["sic"], expected)
    np.testing.assert_allclose(values["longitude"], longitudes)
    assert values["status_flag"].dtype == np.uint16
    values = several.seaice.at(longitudes, latitudes)
    assert values["sic"].dims == ("time", "point")
    np.testing.assert_array_equal(values["sic"].isel(time=0), expected)
    single = product.seaice.at([longitudes[0]], [latitudes[0]])
    assert float(single["sic"][0]) == product.seaice.at(longitudes[0], latitudes[0]).values["sic"]


def test_places_that_do_not_match_or_lie_outside_are_refused(product):
    longitude, latitude = place(product)
    with pytest.raises(SettingsError, match="one latitude for each"):
        product.seaice.at([longitude, longitude], [latitude])
    with pytest.raises(SettingsError, match="and 1 more"):
        product.seaice.at([longitude, 0.0, 1.0], [latitude, 50.0, 50.0])
    with pytest.raises(SettingsError, match="longitude first"):
        product.seaice.at([latitude], [longitude * 10])


def test_several_days_are_distinguished_from_one(several):
    longitude, latitude = place(several)
    through_time = several.seaice.at(longitude, latitude)
    assert through_time["sic"].dims == ("time",)
    for ask in (several.seaice.plot, several.seaice.ice_edge):
        with pytest.raises(SettingsError, match=r"3 days, 2020-03-03 to 2020-03-06.*select one"):
            ask()
    day = several.sel(time="2020-03-04")  # xarray leaves a dimension of length 1
    assert day.seaice.at(longitude, latitude).values["sic"] == through_time["sic"].values[1]
    assert day.seaice.plot().get_title() == "2020-03-04"
    assert len(day.seaice.ice_edge())
    with pytest.raises(SettingsError, match="no day"):
        several.isel(time=slice(0)).seaice.plot()


def test_extent_and_area_say_what_they_are(several):
    for amount, name in ((several.seaice.extent(), "extent"), (several.seaice.area(), "area")):
        assert amount.name == amount.attrs["standard_name"] == f"sea_ice_{name}"
        assert amount.attrs["units"] == "km2"
        assert amount.dims == ("time",)
