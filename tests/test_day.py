"""A day is its stages; what is finished stays finished, and what was cut short goes on."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from seaice.errors import PredictionError
from seaice.grid.gridding import grid_day
from seaice.grid.masks import land_mask
from seaice.grid.regions import pad_region, region_grid
from seaice.io.granules import find_granules
from seaice.io.hdf5 import open_hdf5
from seaice.io.readers import read_swath
from seaice.product.netcdf_zarr import round_values
from seaice.retrieval.classical.daily import by_asi
from seaice.retrieval.gap_filling import postprocess
from seaice.stack import five_frames, frame_dates, observed_frames
from seaice.workflow.day import check_explained
from seaice.workflow.plan import BICUBIC_MARGIN, HALO
from tests.support.days import DAY, PRODUCT, REGION, run, write_day, write_five_days
from tests.support.granules import write_au_si6
from tests.support.products import made_product


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    write_five_days(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Settings that write what these tests read, and no more."""
    settings = tmp_path_factory.mktemp("settings") / "plain.toml"
    settings.write_text('[write]\nformats = ["zarr"]\n')
    return "--settings", settings


@pytest.fixture(scope="module")
def finished(granules, plain, tmp_path_factory):
    out = tmp_path_factory.mktemp("products")
    assert run("daily", granules, out, *plain).exit_code == 0
    return out


@pytest.fixture
def reads(monkeypatch):
    """The granules that were opened."""
    seen = []

    def watched(path):
        seen.append(path.name)
        return open_hdf5(path)

    monkeypatch.setattr("seaice.io.readers.open_hdf5", watched)
    return seen


def provenance(out):
    return json.loads((out / PRODUCT / f"{PRODUCT}.json").read_text())


def product(out):
    return xr.open_zarr(out / PRODUCT / f"{PRODUCT}.zarr").isel(time=0).load()


def test_a_product_is_the_composition_of_its_stages(granules, finished):
    import torch

    from seaice.models.inference import Machine, no_progress, refine
    from seaice.models.inputs import new_sr_card
    from seaice.models.weights import create_weightless_model

    region = region_grid(REGION, "north")
    grid = pad_region(region, HALO + BICUBIC_MARGIN, "north")
    maps = {
        day: grid_day(map(read_swath, find_granules(granules, day)), grid, day)
        for day in frame_dates(DAY)
    }
    machine = Machine(device=torch.device("cpu"))
    network, card = create_weightless_model("bicubic"), new_sr_card("bicubic", {})
    fine = refine(five_frames(maps, DAY), network, card, machine, "none", no_progress)
    seen = maps[DAY].assign(real_frames=observed_frames(maps, DAY))
    expected = postprocess(by_asi(fine, seen, land_mask(grid.refine(4))), maps, "gaps")
    rows, columns = region.refine(4).within(grid.refine(4))
    expected, result = round_values(expected.isel(y=rows, x=columns)), product(finished)
    assert bool(result["sic"].notnull().any())
    for name in expected:
        np.testing.assert_array_equal(result[name].values, expected[name].values, err_msg=name)


def test_provenance_names_every_granule_with_its_hash(granules, finished):
    from hashlib import sha256

    document = provenance(finished)
    told = {
        entry["name"]: entry["sha256"] for day in document["granules"].values() for entry in day
    }
    assert told == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in granules.glob("*.h5")
    }
    assert document["status"] == "final"
    assert document["warnings"] == []
    for path in document["stages"].values():
        assert (finished / path).is_dir()


def test_a_finished_day_is_recognised_and_left_alone(granules, finished, plain, reads):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    again = run("daily", granules, finished, *plain)
    assert again.exit_code == 0
    assert PRODUCT in again.output
    assert reads == []
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_finished_day_is_told_without_torch(granules, finished, plain):
    program = (
        "import sys\n"
        "from seaice.cli import app\n"
        "try:\n    app()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('torch' in sys.modules)\n"
    )
    told = ["daily", "--date", DAY.isoformat(), "--granules", granules, "--out", finished]
    told += ["--region", REGION, "--sr", "bicubic", "--sic", "asi", *plain]
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, told)], capture_output=True, text=True
    )
    assert ran.stdout.split()[-1] == "False", ran.stderr


def test_a_run_that_was_cut_short_goes_on_where_it_stopped(
    granules, plain, reads, tmp_path, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("seaice.workflow.methods.refine_with", killed)
        assert run("daily", granules, tmp_path, *plain).exit_code != 0
    assert len(reads) == 5
    assert not (tmp_path / PRODUCT).exists()
    reads.clear()
    assert run("daily", granules, tmp_path, *plain).exit_code == 0
    assert reads == []
    assert (tmp_path / PRODUCT).is_dir()


def test_a_provisional_day_becomes_final_when_the_last_granules_come(
    granules, finished, plain, reads, tmp_path
):
    last = next(granules.glob(f"GW1AM2_{DAY + timedelta(days=2):%Y%m%d}*"))
    early = tmp_path / "granules"
    shutil.copytree(granules, early, ignore=shutil.ignore_patterns(last.name))
    assert run("daily", early, tmp_path / "out", *plain).exit_code == 0
    assert provenance(tmp_path / "out")["status"] == "provisional"
    reads.clear()
    shutil.copy(last, early)
    assert run("daily", early, tmp_path / "out", *plain).exit_code == 0
    assert reads == [last.name]  # the other four days' maps were kept
    assert provenance(tmp_path / "out")["status"] == "final"
    xr.testing.assert_equal(product(tmp_path / "out"), product(finished))


def test_a_changed_granule_is_another_input(granules, finished, plain, reads, tmp_path):
    changed = tmp_path / "granules"
    shutil.copytree(granules, changed)
    write_day(changed, DAY + timedelta(days=1), hour=12)
    key = provenance(finished)["key"]
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    assert run("daily", changed, out, *plain).exit_code == 0
    assert len(reads) == 2  # both granules of the one day that changed
    assert provenance(out)["key"] != key


def test_verbs_of_stages_share_what_is_finished(granules, finished, plain, reads):
    for verb, stage in (("grid", "grid"), ("refine", "refine"), ("concentrate", "concentrate")):
        result = run(verb, granules, finished, *plain)
        assert result.exit_code == 0, result.output
        assert provenance(finished)["stages"][stage] in result.output
    assert reads == []


def test_a_gridded_day_stands_in_where_there_are_no_swaths(granules, plain, reads, tmp_path):
    folder = tmp_path / "granules"
    swaths = f"GW1AM2_{DAY:%Y%m%d}*"
    shutil.copytree(granules, folder, ignore=shutil.ignore_patterns(swaths))
    h, v = (np.full((1792, 1216), kelvin) for kelvin in (180.0, 200.0))
    gridded = write_au_si6(folder, {"NH": (h, v)})
    assert run("daily", folder, tmp_path / "out", *plain).exit_code == 0
    result = product(tmp_path / "out")
    np.testing.assert_allclose(result["pd"].values[8:-8, 8:-8], 20.0, atol=0.2)
    assert provenance(tmp_path / "out")["granules"][DAY.isoformat()][0]["name"] == gridded.name
    assert len(reads) == 4


def test_a_damaged_stage_is_never_published(granules, finished, plain, tmp_path):
    """A chunk that is deleted reads as NaN, and would become gaps that are filled."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    stages = {name: out / path for name, path in provenance(finished)["stages"].items()}
    shutil.rmtree(out / PRODUCT)
    shutil.rmtree(stages["concentrate"])
    (stages["refine"] / "tb89h/c/0/0").unlink()
    assert run("daily", granules, out, *plain).exit_code == 0
    xr.testing.assert_identical(product(out), product(finished))


def test_a_value_that_is_absent_without_a_reason_ends_the_stage():
    """A gap that no flag explains is a fault of the method, not of the day."""
    explained = made_product()
    check_explained(explained, "asi")
    explained["sic"][10, 10] = np.nan
    with pytest.raises(PredictionError, match="asi gave no concentration in 1 observed cells"):
        check_explained(explained, "asi")


@pytest.mark.parametrize("size", [0, 1000])
def test_a_product_whose_provenance_is_cut_short_is_made_again(
    size, granules, finished, plain, tmp_path
):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    document = out / PRODUCT / f"{PRODUCT}.json"
    whole = document.read_bytes()
    document.write_bytes(whole[:size])
    result = run("daily", granules, out, *plain)
    assert result.exit_code == 0, result.output
    assert document.read_bytes() == whole
