"""Rounding keeps significant digits, is recorded in an attribute, and halves the files."""

import netCDF4
import numpy as np
import pytest
import xarray as xr

from seaice.product.folder import write_product
from seaice.product.metadata import to_cf
from seaice.product.netcdf_zarr import DECIMAL_DIGITS, encoding, round_values, times_to_seconds
from tests.support.products import made_product


@pytest.fixture(scope="module")
def product():
    """With noise in every digit, as networks tell."""
    rounded = made_product()
    random = np.random.default_rng(0)
    for name in DECIMAL_DIGITS:
        rounded[name] = rounded[name] + random.uniform(-1e-3, 1e-3, rounded[name].shape).astype(
            np.float32
        )
    rounded["pd"] = rounded["tb89v"] - rounded["tb89h"]
    rounded["obs_time"] = rounded["obs_time"] + np.timedelta64(300_000_001, "ns")
    return rounded


@pytest.mark.parametrize(("name", "digits"), DECIMAL_DIGITS.items())
def test_every_number_is_within_half_a_digit(product, name, digits):
    rounded, original = round_values(product)[name], product[name].values
    assert rounded.dtype == original.dtype
    assert rounded.attrs["least_significant_digit"] == digits
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(original))
    most = 10.0**-digits if name == "pd" else 10.0**-digits / 2
    assert np.nanmax(np.abs(rounded.values - original)) <= most
    assert "least_significant_digit" not in product[name].attrs


def test_it_is_what_netcdf4_means_by_the_attribute(product, tmp_path):
    """The library's own quantization is the oracle."""
    original = product["sic"].values
    with netCDF4.Dataset(tmp_path / "sic.nc", "w") as file:
        for axis, length in zip("yx", original.shape, strict=True):
            file.createDimension(axis, length)
        stored = {"zlib": True, "least_significant_digit": DECIMAL_DIGITS["sic"]}
        file.createVariable("sic", "f4", ("y", "x"), fill_value=np.nan, **stored)[:] = original
    theirs = xr.open_dataset(tmp_path / "sic.nc")["sic"].values
    np.testing.assert_array_equal(round_values(product)["sic"].values, theirs)


def test_the_difference_stays_that_of_the_temperatures(product):
    rounded = round_values(product)
    np.testing.assert_array_equal(rounded["pd"], rounded["tb89v"] - rounded["tb89h"])


def test_times_are_whole_seconds_and_absent_ones_stay_absent(product):
    rounded, original = round_values(product)["obs_time"].values, product["obs_time"].values
    known = ~np.isnat(original)
    np.testing.assert_array_equal(np.isnat(rounded), ~known)
    assert (rounded[known].astype("int64") % 1_000_000_000 == 0).all()
    assert np.abs(rounded - original)[known].max() <= np.timedelta64(500, "ms")


def test_rounding_twice_is_rounding_once(product):
    once = round_values(product)
    xr.testing.assert_identical(round_values(once), once)


def test_files_say_how_far_they_were_rounded_and_are_smaller(product, tmp_path, monkeypatch):
    files = {file.name: file.size for file in write_product(product, tmp_path / "p")}
    for ending, opener in ((".nc", xr.open_dataset), (".zarr", xr.open_zarr)):
        (name,) = (name for name in files if name.endswith(ending))
        with opener(tmp_path / "p" / name) as back:
            for variable, digits in DECIMAL_DIGITS.items():
                stored = back[variable].encoding | back[variable].attrs  # xarray moves it
                assert stored["least_significant_digit"] == digits
            np.testing.assert_array_equal(
                back["sic"].values[0], round_values(product)["sic"].values
            )
    monkeypatch.setattr("seaice.product.netcdf_zarr.round_values", lambda original: original)
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
        xr.open_dataset(ours, decode_times=False) as opened,
    ):
        np.testing.assert_array_equal(opened["obs_time"], expected["obs_time"])
        assert opened["obs_time"].attrs == expected["obs_time"].attrs
        assert opened["obs_time"].dtype == expected["obs_time"].dtype
