"""Habits of the command line: dry runs, settings of the environment, JSON, mending, completion."""

import json
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from seaice.cli import app
from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from tests.support.products import made_product

runner = CliRunner()


def said(*words, code=0, **environment):
    answer = runner.invoke(app, list(words), env=environment)
    assert answer.exit_code == code, answer.output
    return answer.stdout


def test_a_dry_run_of_the_demo_makes_nothing(tmp_path):
    out = tmp_path / "out"
    told = said("daily", "--demo", "--dry-run", "--out", str(out))
    assert str(out / "simulated") in told
    assert not out.exists()


def test_options_come_before_the_environment_and_it_before_a_file(tmp_path):
    file = tmp_path / "my.toml"
    file.write_text('[run]\nregion = "barents"\nhemisphere = "north"\n[sic]\nname = "asi"\n')
    words = ("daily", "--settings", str(file), "--show-settings")
    assert 'region = "barents"' in said(*words)
    assert 'region = "kara"' in said(*words, SEAICE_REGION="kara")
    assert 'name = "asi"' in said(*words, SEAICE_REGION="kara")
    assert 'region = "svalbard"' in said(*words, "--region", "svalbard", SEAICE_REGION="kara")


def test_models_as_json_are_the_table():
    listed = json.loads(said("models", "--json"))
    lines = said("models").splitlines()[1:]
    assert [line.split()[1] for line in lines] == [model["name"] for model in listed]


def test_doctor_tells_what_to_type(tmp_path):
    result = json.loads(said("doctor", "--granules", str(tmp_path / "none"), "--json", code=2))
    (bad,) = (one for one in result if one["mend"])
    assert bad["what"] == f"granules in {tmp_path / 'none'}"
    command = f"seaice fetch --start 2020-03-01 --end 2020-03-05 --out {tmp_path / 'none'}"
    assert bad["mend"] == command
    assert {"device", "weights pmdrnet.safetensors"} <= {one["what"] for one in result}


def test_why_tells_of_a_cell_in_words_and_as_json(tmp_path):
    product, folder = made_product(), tmp_path / "seaice_sic_north_20200303_v0.1"
    write_product(product, folder, ("zarr",))
    longitude, latitude = (str(angle[60, 40]) for angle in grid_of(product).lonlat())
    assert "land lies within four cells" in said("why", str(folder), "--", longitude, latitude)
    told = json.loads(said("why", str(folder), "--json", "--", longitude, latitude))
    assert (told["row"], told["column"], told["flags"]) == (60, 40, 2)
    once_round = f"{float(longitude) - 360}"  # the same meridian, counted to the west
    assert json.loads(said("why", str(folder), once_round, latitude, "--json")) == told
    land = (str(angle[30, 40]) for angle in grid_of(product).lonlat())
    assert json.loads(said("why", str(folder), "--json", "--", *land))["values"]["sic"] is None


def test_shells_complete_verbs():
    """What the completion that `--install-completion` installs asks of the program."""
    asked = {"_SEAICE_COMPLETE": "complete_bash", "COMP_WORDS": "seaice re", "COMP_CWORD": "1"}
    program = Path(sys.executable).with_name("seaice")
    done = subprocess.run([program], env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == ["refine", "reprocess"]


def test_no_colour_where_it_is_not_wanted():
    assert "\x1b[" not in said("--help", NO_COLOR="1", FORCE_COLOR="")
