"""In the morning provisional, two days later final; either hemisphere, or both with one command."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import typer
import xarray as xr

from seaice.cli.options import _each_hemisphere, hemispheres
from seaice.config import Settings
from seaice.errors import FinalStandsError, GranuleError, NoInputError, SettingsError
from seaice.grid.grid import hemisphere_of
from seaice.product.folder import write_product
from seaice.retrieval.flags import Flag
from seaice.stack import frame_dates
from seaice.workflow.day import daily_maps, run_day, write_day_product
from seaice.workflow.demo import demo_settings
from seaice.workflow.plan import ground, plan
from seaice.workflow.season.tasks import Job, make_day
from seaice.workflow.stages import silent
from tests.support.days import DAY, PRODUCT, REGION, run, write_day
from tests.support.granules import make_swath, write_l1b
from tests.support.products import made_product

SOUTH = "0,-67,6,-66"  # Lazarev Sea


def settings(folder, **told):
    table = {"date": DAY, "granules": folder, "out": folder / "out", "region": REGION}
    methods = {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}, "write": {"formats": ["zarr"]}}
    return Settings.from_table({"run": table | told} | methods)


@pytest.fixture
def names(tmp_path):
    """Files named as granules of all five days; planning opens none."""
    for day in frame_dates(DAY):
        name = f"GW1AM2_{day:%Y%m%d}1000_035A_L1SGBTBR_2220220.h5"
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_provisional_map_does_not_look_at_later_days(names):
    result = plan(settings(names, mode="provisional"))
    assert [day for day, paths in result.granules.items() if paths] == list(frame_dates(DAY)[:3])
    whole = plan(settings(names))
    assert all(whole.granules.values())
    assert result.product_key != whole.product_key


def test_a_final_map_names_the_days_it_lacks(names):
    assert all(plan(settings(names, mode="final")).granules.values())
    for day in (DAY - timedelta(days=1), DAY + timedelta(days=2)):
        next(names.glob(f"*_{day:%Y%m%d}1000*")).unlink()
    with pytest.raises(NoInputError, match=r"2020-03-02, 2020-03-05.*MODE=provisional"):
        plan(settings(names, mode="final"))
    assert plan(settings(names, mode="auto")).day == DAY


@pytest.mark.parametrize(("mode", "first"), [("final", "2020-03-01"), ("auto", "2020-03-03")])
def test_a_final_map_needs_a_map_of_every_day_and_others_of_the_day(names, mode, first):
    def broken(path):
        raise GranuleError(path.name, "a granule", "look")

    whole = replace(plan(settings(names, mode=mode)), read=broken)
    with pytest.raises(NoInputError, match=f"files? of {first}"):
        daily_maps(whole, silent)


def test_a_finished_final_map_and_an_automatic_one_of_all_days_are_one(names):
    assert (
        plan(settings(names, mode="final")).product_key
        == plan(settings(names, mode="auto")).product_key
    )


def test_both_hemispheres_are_two_runs_and_one_failing_leaves_the_other():
    done = []

    def verb(told):
        if told.run.hemisphere == "north":
            raise NoInputError("no granule", "some", "look")
        done.append(told.run.hemisphere)

    with pytest.raises(typer.Exit) as end:
        _each_hemisphere(Settings.from_table({"run": {"hemisphere": "both"}}), verb)
    assert end.value.exit_code == 2
    assert done == ["south"]
    _each_hemisphere(Settings.from_table({"run": {"hemisphere": "south"}}), verb)
    assert done == ["south", "south"]


def test_a_region_lies_in_one_hemisphere():
    both = Settings.from_table({"run": {"hemisphere": "both", "region": "svalbard"}})
    with pytest.raises(SettingsError, match="svalbard"):
        hemispheres(both)
    with pytest.raises(SettingsError, match="both"):
        ground(both.run)


def test_the_demo_shows_a_sea_of_the_hemisphere_that_is_wished_for(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "seaice.workflow.demo.simulated_granules", lambda settings, progress: tmp_path
    )
    for hemisphere, region in (("north", "svalbard"), ("south", "lazarev")):
        run = {"hemisphere": hemisphere, "out": tmp_path}
        shown = demo_settings(Settings.from_table({"run": run}), silent).run
        assert (shown.region, shown.granules) == (region, tmp_path)
        assert hemisphere_of(ground(shown)) == hemisphere


# A final product stands


@pytest.fixture
def final(names):
    """A final product of the day, made of other inputs."""
    product = made_product(date=DAY.isoformat())
    told = {"date": DAY.isoformat(), "hemisphere": "north", "region": PRODUCT[18:-14]}
    product.attrs |= told | {"provenance": json.dumps(told | {"status": "final", "key": "other"})}
    folder = plan(settings(names)).folder
    write_product(product, folder, ("quicklook",))
    return folder


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_provisional_map_never_takes_a_final_ones_place_unasked(names, final):
    before = content(final)
    provisional = settings(names, mode="provisional")
    with pytest.raises(FinalStandsError, match=r"final product of 2020-03-03.*--replace final"):
        run_day(plan(provisional), silent)
    with pytest.raises(FinalStandsError):
        write_day_product(plan(provisional), silent)
    next(names.glob("*_202003051000*")).unlink()
    with pytest.raises(FinalStandsError, match="4 of 5 days"):
        run_day(plan(settings(names)), silent)
    assert content(final) == before


def test_days_that_turn_out_unusable_make_a_map_no_less_provisional(names, final, monkeypatch):
    monkeypatch.setattr("seaice.workflow.day.daily_maps", lambda *told: dict.fromkeys("four"))
    with pytest.raises(FinalStandsError, match="4 of 5 days"):
        run_day(plan(settings(names)), silent)


@pytest.mark.parametrize("told", [{"replace": "final"}, {"mode": "final"}])
def test_a_final_product_is_replaced_on_request_and_by_its_like(names, final, told):
    """The granules here cannot be read: whoever tries was let through."""
    with pytest.raises(NoInputError, match=r"cannot be read|HDF5"):
        run_day(plan(settings(names, **told)), silent)


def test_the_command_refuses_where_it_was_told_and_keeps_where_it_chose(names, final):
    before = content(final)
    refused = run("daily", names, names / "out", "--mode", "provisional")
    assert refused.exit_code == 2
    next(names.glob("*_202003051000*")).unlink()
    kept = run("daily", names, names / "out")
    assert kept.exit_code == 0
    assert "kept: a final product" in kept.output
    assert final.name in kept.output
    assert content(final) == before


def test_in_a_season_and_under_watch_a_final_product_is_kept_and_counts_as_final(names, final):
    told = settings(names, mode="provisional")
    job = Job(settings=told, granules=plan(told).granules)
    outcome = make_day(job, [])
    assert outcome.state == "final"
    assert outcome.reason.startswith("kept: a final product")
    assert not [*final.parent.glob("*.zarr")]  # nothing provisional went into the season


def opened(out):
    return xr.open_zarr(out / PRODUCT / f"{PRODUCT}.zarr").isel(time=0).load()


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    """Five days; the middle one lacks the end of its pass over the region."""
    folder = tmp_path_factory.mktemp("granules")
    for day in frame_dates(DAY):
        if day != DAY:
            write_day(folder, day)
    start = np.datetime64(DAY, "D").astype("datetime64[s]").item().replace(hour=10)
    short = make_swath(scans=92, start=start, phase=1350.0)
    name = f"GW1AM2_{start:%Y%m%d%H%M}_035A_L1SGBTBR_2220220.h5"
    write_l1b(folder, short, name=name)
    return folder


@pytest.mark.slow
def test_provisional_and_final_differ_only_where_evidence_differs(granules, tmp_path):
    told = []
    for mode in ("provisional", "final"):
        result = run("daily", granules, tmp_path, "--mode", mode)
        assert result.exit_code == 0, result.output
        told.append(opened(tmp_path))
        document = json.loads((tmp_path / PRODUCT / f"{PRODUCT}.json").read_text())
        assert document["status"] == mode
    early, late = told
    filled = (late["status_flag"].values & Flag.GAP_FILLED) > 0
    assert filled.any()
    assert not filled.all()
    assert not (early["status_flag"].values & Flag.GAP_FILLED).any()
    assert np.isnan(early["sic"].values[filled]).all()
    for name in ("sic", "sic_raw", "sic_uncertainty", "tb89h", "tb89v", "n_obs"):
        same = ~filled if name in ("sic", "sic_uncertainty") else np.ones_like(filled)
        np.testing.assert_array_equal(early[name].values[same], late[name].values[same])
    assert np.array_equal(late["real_frames"].values & 7, early["real_frames"].values)
    changed = early["status_flag"].values ^ late["status_flag"].values
    expected = np.uint16(Flag.SUBSTITUTED_FRAME) | filled * np.uint16(Flag.GAP_FILLED)
    differs = expected | filled * np.uint16(Flag.NO_INPUT)
    sea = (late["status_flag"].values & Flag.LAND) == 0
    assert np.array_equal(changed[sea], differs[sea])


@pytest.mark.slow
def test_a_final_day_made_again_from_nothing_is_bit_identical(granules, tmp_path):
    told = []
    for _ in range(2):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        assert run("daily", granules, out, "--mode", "final").exit_code == 0
        files = [path for path in (out / PRODUCT).rglob("*") if path.is_file()]
        told.append({path.relative_to(out): path.read_bytes() for path in files})
    one, two = told
    assert one.keys() == two.keys()
    assert [str(path) for path in one if one[path] != two[path]] == []


@pytest.mark.slow
def test_the_south_is_mapped_from_end_to_end(tmp_path):
    (tmp_path / "granules").mkdir()
    for day in frame_dates(DAY):
        start = np.datetime64(day, "D").astype("datetime64[s]").item().replace(hour=10)
        swath = make_swath(scans=120, start=start, phase=4610.0)
        name = f"GW1AM2_{start:%Y%m%d%H%M}_035A_L1SGBTBR_2220220.h5"
        write_l1b(tmp_path / "granules", swath, name=name)
    out = tmp_path / "out"
    south = "--hemisphere", "south", "--region", SOUTH
    result = run("daily", tmp_path / "granules", out, *south)
    assert result.exit_code == 0, result.output
    (folder,) = out.glob("seaice_sic_south_*")
    product = xr.open_zarr(folder / f"{folder.name}.zarr").isel(time=0)
    assert bool(product["sic"].notnull().all())
    assert (product["real_frames"].values == 31).all()
    assert product.attrs["hemisphere"] == "south"
