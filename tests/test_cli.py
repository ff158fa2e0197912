"""What the command line says: every verb has help, settings are shown, a folder can be examined."""

import json
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner

from seaice.cli import app
from seaice.cli.doctor import check_granules
from seaice.config import Settings
from seaice.grid.grid import NORTH
from seaice.workflow.plan import WEIGHTLESS
from tests.support.days import DAY, run, write_five_days
from tests.support.granules import write_au_si6

VERBS = (
    "simulate",
    "grid",
    "refine",
    "concentrate",
    "write",
    "daily",
    "scene",
    "train",
    "compare",
    "import-weights",
    "pretrain",
    "export",
    "evaluate",
    "models",
    "doctor",
)


def test_every_stage_has_a_verb():
    told = CliRunner().invoke(app, ["--help"]).output
    for verb in VERBS:
        assert f" {verb} " in told


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_help_is_instant_because_nothing_heavy_is_imported():
    program = "import sys, seaice.cli; print('torch' in sys.modules, 'xarray' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.split() == ["False", "False"], told.stderr


def test_every_default_is_shown():
    result = CliRunner().invoke(app, ["daily", "--show-settings"])
    assert result.exit_code == 0
    assert result.output.strip() == Settings().toml().strip()


def test_what_is_told_is_shown(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[run]\nhemisphere = "south"\nout = "elsewhere"\n')
    told = ["daily", "--show-settings", "--settings", str(file), "--out", "here", "--sr", "bicubic"]
    shown = CliRunner().invoke(app, told).output
    assert 'hemisphere = "south"' in shown
    assert 'out = "here"' in shown
    assert 'name = "bicubic"' in shown


def test_nothing_told_is_explained():
    result = CliRunner().invoke(app, ["daily"])
    assert result.exit_code == 2
    assert "--date" in result.output


def test_models_are_listed_with_what_they_need():
    from seaice.models.registry import list_models

    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["models"]).output
    for name, entry in list_models().items():
        assert name in told
        assert entry.has_weights != (name in WEIGHTLESS)
    assert "asi" in told


def test_doctor_tells_whether_a_folder_is_usable(tmp_path):
    folder = tmp_path / "granules"
    write_five_days(folder)
    first, *others = check_granules(folder)
    assert first.found == "5 granules on 5 dates, 20200301 to 20200305"
    assert all(one.well for one in (first, *others))
    assert "readable, 60 scans" in [one.found for one in others]

    path = sorted(folder.iterdir())[0]
    path.write_text("not HDF5")
    (bad,) = (one for one in check_granules(folder) if not one.well)
    assert bad.what == path.name
    assert "not HDF5" in bad.found


def test_doctor_knows_gridded_days_and_absent_folders(tmp_path):
    write_au_si6(tmp_path, {"NH": [np.full(NORTH.shape, 250.0)] * 2})
    result = [one.found for one in check_granules(tmp_path)]
    assert result == [
        "1 granule on 1 date, 20200303 to 20200303",
        "readable, 1792 x 1216 cells in the north",
    ]
    (absent,) = check_granules(tmp_path / "absent")
    assert not absent.well
    assert absent.found == "no such folder"


def test_grid_prints_where_the_maps_are(tmp_path):
    write_five_days(tmp_path / "granules")
    result = run("grid", tmp_path / "granules", tmp_path / "out")
    assert result.exit_code == 0, result.output
    stores = result.output.split()
    assert len(stores) == 5
    attrs = json.loads((tmp_path / "out" / stores[2] / "zarr.json").read_text())["attributes"]
    assert attrs["date"] == DAY.isoformat()


@pytest.fixture
def simulated(monkeypatch):
    """What was asked of the simulator: first day, last day, seed, folder."""
    asked = []

    def simulate(first, last, grid, seed, folder, progress):
        asked.append((first, last, seed, folder))
        return [folder / "granule.h5"]

    monkeypatch.setattr("seaice.simulate.days.simulate_days", simulate)
    return asked


@pytest.mark.parametrize(
    ("days", "last"), [("2018-02-10:2018-02-14", date(2018, 2, 14)), ("2018-02-10", None)]
)
def test_days_are_one_or_from_the_first_to_the_last(simulated, tmp_path, days, last):
    first = date(2018, 2, 10)
    told = ["simulate", "--days", days, "--seed", "7", "-o", str(tmp_path)]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert simulated == [(first, last or first, 7, tmp_path)]
    assert str(tmp_path / "truth") in result.output.replace("\n", "")


@pytest.mark.parametrize(
    "days",
    [
        "soon",
        "",
        "2018-02-30",
        "2018-02-10:",
        "2018-02-10:2018-02-12:2018-02-14",
        "2018-02-14:2018-02-10",
    ],
)
def test_days_that_are_none_are_explained_and_nothing_is_made(simulated, tmp_path, days):
    folder = tmp_path / "made"
    result = CliRunner().invoke(app, ["simulate", "--days", days, "--out", str(folder)])
    assert result.exit_code == 2
    assert "2018-02-10:2018-02-14" in result.output
    assert "Traceback" not in result.output
    assert simulated == []
    assert not folder.exists()
