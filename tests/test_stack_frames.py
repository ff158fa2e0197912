"""Stacks of five frames: each its own day's or the nearest in time, with its source."""

from datetime import date, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.errors import NoInputError
from seaice.stack import five_frames, frame_dates, source_dates

DAY = date(2020, 3, 1)


def daily_map(day: date) -> xr.Dataset:
    """A map whose tb89v tells its date, with one absent cell; tb89h lacks another.

    Each quarter of a cell is its number colder than the cell.
    """
    value = np.full((3, 4), 200.0 + (day - DAY).days, np.float32)
    vertical, horizontal = value.copy(), value - 20
    vertical[0, 0] = horizontal[1, 1] = np.nan
    steps = np.arange(4, dtype=np.float32)[:, None, None]
    channels = {"tb89v": vertical, "tb89h": horizontal}
    quarters = {
        f"{name}_quarter": (("quarter", "y", "x"), values - steps)
        for name, values in channels.items()
    }
    return xr.Dataset(
        {name: (("y", "x"), values) for name, values in channels.items()} | quarters,
        coords={"y": [3.0, 2.0, 1.0], "x": [1.0, 2.0, 3.0, 4.0]},
        attrs={"crs": "EPSG:3411", "hemisphere": "north", "date": day.isoformat()},
    )


offsets = st.sets(st.integers(-4, 4)).map(lambda some: some | {0})


@given(offsets)
def test_each_frame_is_the_nearest_available_day(available):
    days = {DAY + timedelta(days=n) for n in available}
    window = days & set(frame_dates(DAY))
    for source, needed in zip(source_dates(days, DAY), frame_dates(DAY), strict=True):
        assert abs(source - needed) == min(abs(other - needed) for other in window)


@given(offsets)
def test_a_stack_states_the_source_of_each_frame(available):
    maps = {DAY + timedelta(days=n): daily_map(DAY + timedelta(days=n)) for n in available}
    stack = five_frames(maps, DAY)
    assert stack.sizes == {"frame": 5, "quarter": 4, "y": 3, "x": 4}
    shown = stack["tb89v"].values[:, 2, 2] - 200
    for quarter, values in enumerate(stack["tb89v_quarter"].values[:, :, 2, 2].T):
        np.testing.assert_array_equal(values, shown + 200 - quarter)
    told = (stack["source_date"].values - np.datetime64(DAY)) / np.timedelta64(1, "D")
    np.testing.assert_array_equal(shown, told)
    np.testing.assert_array_equal(stack["substituted"], stack["source_date"] != stack["frame_date"])
    complete = available >= {-2, -1, 0, 1, 2}
    assert stack.attrs["status"] == ("final" if complete else "provisional")
    assert stack.attrs["date"] == DAY.isoformat()
    assert stack.attrs["hemisphere"] == "north"


def test_a_cell_is_valid_where_both_polarizations_are():
    stack = five_frames({DAY: daily_map(DAY)}, DAY)
    expected = np.ones((3, 4), bool)
    expected[0, 0] = expected[1, 1] = False
    np.testing.assert_array_equal(stack["valid"], np.broadcast_to(expected, (5, 3, 4)))
    assert np.isnan(stack["tb89v"].values[:, 0, 0]).all()


def test_a_stack_without_the_target_day_is_refused():
    near = {DAY + timedelta(days=n): daily_map(DAY) for n in (-1, 1)}
    with pytest.raises(NoInputError, match="2020-03-01"):
        five_frames(near, DAY)
