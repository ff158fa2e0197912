"""A season holds each day completely or not at all, in any order of writing."""

import json
import subprocess
import sys
import textwrap
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.errors import NoInputError, OutputError
from seaice.product.metadata import MAP_VARIABLES
from seaice.product.netcdf_zarr import round_values
from seaice.product.season_store import (
    list_days,
    open_season,
    read_day,
    read_record,
    remove_old_generations,
    write_day,
)
from tests.support.products import made_product

SIDE = (16, 16)
DAY = date(2020, 3, 3)


def product(day=DAY, level=0.0, status="final"):
    product_of_day = made_product(side=SIDE, date=str(day)).assign_attrs(status=status)
    product_of_day["sic"] = (product_of_day["sic"] * 0 + level).assign_attrs(
        product_of_day["sic"].attrs
    )
    product_of_day["tb89h"] = (product_of_day["tb89h"] * 0 + 100 + level).assign_attrs(
        product_of_day["tb89h"].attrs
    )
    return product_of_day


@pytest.fixture
def store(tmp_path):
    return tmp_path / "season.zarr"


def test_a_day_comes_back_as_it_was(store):
    write_day(made_product(side=SIDE), store, "k")
    original = round_values(made_product(side=SIDE))
    for read in (read_day(store, DAY), open_season(store).isel(time=0).load()):
        assert read["time"].values == np.datetime64("2020-03-03T12:00")
        for name in MAP_VARIABLES:
            assert read[name].dtype == original[name].dtype
            if name == "obs_time":
                late = np.abs(read[name].values - original[name].values)
                assert np.nanmax(late) <= np.timedelta64(1, "us")
                np.testing.assert_array_equal(np.isnat(read[name]), np.isnat(original[name]))
            else:
                np.testing.assert_array_equal(read[name].values, original[name].values, name)


def test_any_order_of_days_makes_the_same_season(tmp_path):
    days = [DAY + timedelta(days=n) for n in (0, 303)]  # the last day of 2020 too
    stores = tmp_path / "one.zarr", tmp_path / "other.zarr"
    for store, order in zip(stores, (days, days[::-1]), strict=True):
        for n in order:
            write_day(product(n, level=n.day / 100), store, "k")
    one, other = (open_season(store).load() for store in stores)
    xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    assert list_days(stores[0]) == sorted(days)
    assert [float(day) for day in one["sic"].max(("y", "x"))] == pytest.approx(
        [day.day / 100 for day in sorted(days)], abs=1e-4
    )


def test_any_zarr_reader_reads_the_full_year_with_the_written_days(store):
    write_day(product(level=0.5, status="provisional"), store, "k")
    plain = xr.open_zarr(store, chunks=None)
    assert plain.sizes["time"] == 366
    assert plain.attrs["id"].endswith("_2020_v0.1.zarr")
    status = plain["day_status"].values
    assert status.nonzero()[0].tolist() == [62]
    assert status[62] == 1
    assert bool(plain["sic"][61].isnull().all())
    assert float(plain["sic"][62].max()) == 0.5


def test_a_replaced_day_is_the_new_one_and_only_it(store):
    other = DAY + timedelta(days=1)
    write_day(product(level=0.25, status="provisional"), store, "early")
    write_day(product(other, level=0.5), store, "k")
    write_day(product(level=0.75), store, "late")
    assert float(read_day(store, DAY)["sic"].max()) == 0.75
    assert float(read_day(store, other)["sic"].max()) == 0.5
    assert read_record(store, DAY)["key"] == "late"
    assert read_record(store, DAY)["status"] == "final"
    assert remove_old_generations(store) == 1
    assert sorted(path.name for path in (store / ".days").iterdir()) == [
        "2020-03-03", "2020-03-03_late", "2020-03-04", "2020-03-04_k",
    ]  # fmt: skip


def test_a_record_lists_every_file_with_its_hash(store):
    from hashlib import sha256

    write_day(product(), store, "k")
    folder = (store / ".days" / str(DAY)).resolve()
    hashes = json.loads((folder / "record.json").read_text())["files"]
    assert hashes == {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "record.json"
    }


def test_what_does_not_belong_is_refused_and_changes_nothing(store):
    write_day(product(), store, "k")
    before = sorted(store.rglob("*"))
    elsewhere = made_product(side=(16, 32))
    with pytest.raises(OutputError, match="other cells"):
        write_day(elsewhere, store, "k2")
    with pytest.raises(OutputError, match="2021"):
        write_day(product(date(2021, 3, 3)), store, "k2")
    assert sorted(store.rglob("*")) == before
    with pytest.raises(NoInputError, match="2020-03-04"):
        read_day(store, date(2020, 3, 4))


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from tests.test_season_store import product
    from seaice.product.season_store import write_day
    for turn in range(6):
        write_day(product(level=(turn % 4) / 4), Path(sys.argv[2]), str(turn % 4))
    """
)


@pytest.mark.slow
def test_a_reader_never_sees_half_a_day_while_two_writers_replace_it(store):
    write_day(product(), store, "0")
    tests = str(Path(__file__).parents[1])
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tests, str(store)]) for _ in range(2)
    ]
    reads = 0
    while reads < 3 or any(writer.poll() is None for writer in writers):
        day = read_day(store, DAY)
        levels = set(np.unique(day["sic"].values[np.isfinite(day["sic"].values)]).tolist())
        assert len(levels) == 1
        assert np.unique(day["tb89h"]).tolist() == [100 + levels.pop()]
        reads += 1
    assert [writer.wait() for writer in writers] == [0, 0]
    assert not list(store.rglob("*.part"))
    assert not list(store.rglob("*.lock"))
