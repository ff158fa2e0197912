"""Rounding keeps what is known, says what it did, and halves the files."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
from products import made_product

from seaice.product.folder import write_product
from seaice.product.metadata import to_cf
from seaice.product.netcdf_zarr import DECIMAL_DIGITS, encoding, round_values, times_to_seconds


@pytest.fixture(scope="module")
def product():
    """With noise in every digit, as networks tell."""
    made = made_product()
    random = np.random.default_rng(0)
    for name in DECIMAL_DIGITS:
        made[name] = made[name] + random.uniform(-1e-3, 1e-3, made[name].shape).astype(np.float32)
    made["pd"] = made["tb89v"] - made["tb89h"]
    made["obs_time"] = made["obs_time"] + np.timedelta64(300_000_001, "ns")
    return made


@pytest.mark.parametrize(("name", "digits"), DECIMAL_DIGITS.items())
def test_every_number_is_within_half_a_digit(product, name, digits):
    made, given = round_values(product)[name], product[name].values
    assert made.dtype == given.dtype
    assert made.attrs["least_significant_digit"] == digits
    np.testing.assert_array_equal(np.isnan(made), np.isnan(given))
    most = 10.0**-digits if name == "pd" else 10.0**-digits / 2
    assert np.nanmax(np.abs(made.values - given)) <= most
    assert "least_significant_digit" not in product[name].attrs


def test_it_is_what_netcdf4_means_by_the_attribute(product, tmp_path):
    """The library's own quantization is the oracle."""
    given = product["sic"].values
    with netCDF4.Dataset(tmp_path / "sic.nc", "w") as file:
        for axis, length in zip("yx", given.shape, strict=True):
            file.createDimension(axis, length)
        told = {"zlib": True, "least_significant_digit": DECIMAL_DIGITS["sic"]}
        file.createVariable("sic", "f4", ("y", "x"), fill_value=np.nan, **told)[:] = given
    theirs = xr.open_dataset(tmp_path / "sic.nc")["sic"].values
    np.testing.assert_array_equal(round_values(product)["sic"].values, theirs)


def test_the_difference_stays_that_of_the_temperatures(product):
    made = round_values(product)
    np.testing.assert_array_equal(made["pd"], made["tb89v"] - made["tb89h"])


def test_times_are_whole_seconds_and_absent_ones_stay_absent(product):
    made, given = round_values(product)["obs_time"].values, product["obs_time"].values
    known = ~np.isnat(given)
    np.testing.assert_array_equal(np.isnat(made), ~known)
    assert (made[known].astype("int64") % 1_000_000_000 == 0).all()
    assert np.abs(made - given)[known].max() <= np.timedelta64(500, "ms")


def test_rounding_twice_is_rounding_once(product):
    once = round_values(product)
    xr.testing.assert_identical(round_values(once), once)


def test_files_say_how_far_they_were_rounded_and_are_smaller(product, tmp_path, monkeypatch):
    files = {file.name: file.size for file in write_product(product, tmp_path / "p")}
    for ending, opener in ((".nc", xr.open_dataset), (".zarr", xr.open_zarr)):
        (name,) = (name for name in files if name.endswith(ending))
        with opener(tmp_path / "p" / name) as back:
            for variable, digits in DECIMAL_DIGITS.items():
                told = back[variable].encoding | back[variable].attrs  # xarray moves it
                assert told["least_significant_digit"] == digits
            np.testing.assert_array_equal(
                back["sic"].values[0], round_values(product)["sic"].values
            )
    monkeypatch.setattr("seaice.product.netcdf_zarr.round_values", lambda given: given)
    whole = {file.name: file.size for file in write_product(product, tmp_path / "q")}
    for name in files:
        if name.endswith((".nc", ".zarr", "_float.tif")):
            assert files[name] < 0.75 * whole[name]


def test_times_are_the_numbers_that_xarray_would_make(product, tmp_path):
    cf = to_cf(round_values(product))
    theirs, ours = tmp_path / "theirs.nc", tmp_path / "ours.nc"
    cf[["obs_time"]].to_netcdf(
        theirs, encoding={"obs_time": encoding(cf["obs_time"], "2020-03-03")}
    )
    times_to_seconds(cf, "2020-03-03")[["obs_time"]].to_netcdf(ours)
    with (
        xr.open_dataset(theirs, decode_times=False) as expected,
        xr.open_dataset(ours, decode_times=False) as found,
    ):
        np.testing.assert_array_equal(found["obs_time"], expected["obs_time"])
        assert found["obs_time"].attrs == expected["obs_time"].attrs
        assert found["obs_time"].dtype == expected["obs_time"].dtype
