"""A misspelt name and an odd region are answered with what was probably meant."""

import pytest

from seaice.config import NetworkSettings, RunSettings
from seaice.errors import SettingsError, UnknownNameError
from seaice.grid.grid import NORTH
from seaice.grid.regions import longitude_span, pad_region, region_grid
from seaice.workflow.plan import method, region_warnings


@pytest.mark.parametrize(
    ("stage", "name", "near"),
    [
        ("sic", "xcep", "xception_aspp"),
        ("sic", "nasateam", "nasa_team"),
        ("sic", "bled", "blend"),
        ("sr", "pmdrent", "pmdrnet"),
        ("sr", "bicubik", "bicubic"),
    ],
)
def test_the_nearest_name_of_the_stage_is_suggested(stage, name, near, tmp_path):
    with pytest.raises(UnknownNameError) as refused:
        method(stage, NetworkSettings(name=name), tmp_path / "notes")
    assert f"write {near!r}" in str(refused.value)


@pytest.mark.parametrize(("stage", "name"), [("sic", "hat"), ("sic", "bicubic"), ("sr", "asi")])
def test_names_of_the_other_stage_are_refused(stage, name, tmp_path):
    with pytest.raises(UnknownNameError) as refused:
        method(stage, NetworkSettings(name=name), tmp_path / "notes")
    assert name not in refused.value.expected.split(", ")


@pytest.mark.parametrize(
    ("region", "degrees"),
    [("24,79,10,82", 346), ("10,79,24,82", 14), ("170,60,-160,70", 30), ("-180,60,180,80", 360)],
)
def test_a_box_that_goes_nearly_round_the_globe_is_warned_of(region, degrees):
    assert longitude_span(region) == degrees
    told = list(region_warnings(RunSettings(region=region)))
    assert len(told) == (degrees > 180)
    if region == "24,79,10,82":
        assert "spans 346 degrees" in told[0]
        assert "10,79,24,82" in told[0]


def test_a_name_is_never_warned_of():
    assert list(region_warnings(RunSettings(region="svalbard"))) == []
    with pytest.raises(SettingsError):
        longitude_span("1,2,3")


@pytest.mark.parametrize("cells", [0, 1, 14, 80])
def test_a_widened_region_holds_the_region_and_ends_with_the_hemisphere(cells):
    region = region_grid("10,76,30,81", "north")
    wide = pad_region(region, cells, "north")
    rows, columns = region.within(wide)
    assert min(rows.start, columns.start) >= cells
    assert min(wide.shape[0] - rows.stop, wide.shape[1] - columns.stop) >= cells
    assert pad_region(NORTH, cells, "north") == NORTH
