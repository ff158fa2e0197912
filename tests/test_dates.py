"""A day is written YYYY-MM-DD and lies in AMSR's time; a real day needs granules."""

import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from seaice import run_day
from seaice.cli import app
from seaice.config import Settings
from seaice.dates import AHEAD, FIRST, checked_date
from seaice.errors import SettingsError
from seaice.workflow.demo import DATE

#: read as Unix time, as a week, as the last day of the calendar, ...
WRONG = (
    "1524873600", "20180428", "0001-01-01", "9999-12-31", "2002-05-31", "2018-4-28", "28.04.2018",
    "2018-02-30", "2018-W17-6", "2018-04-28T00:00:00", " 2018-04-28", "٢٠١٨-٠٤-٢٨", "yesterday", "",
)  # fmt: skip
COMMANDS = {
    "daily": ("daily", "--granules", "g", "--date", "{}"),
    "grid": ("grid", "--granules", "g", "--date", "{}"),
    "reprocess": ("reprocess", "--granules", "g", "--start", "{}", "--end", "{}"),
    "fetch": ("fetch", "--start", "{}", "--end", "{}", "--out", "g"),
    "simulate": ("simulate", "--days", "{}", "--out", "g"),
    "evaluate": ("evaluate", "p", "r", "--date", "{}"),
    "figure": ("figure", "map", "p", "--out", "f", "--date", "{}"),
}
latest = datetime.now(UTC).date() + AHEAD


def run(*told):
    return CliRunner().invoke(app, [str(each) for each in told])


@given(st.dates(FIRST, latest))
def test_every_day_of_the_sensor_is_taken_as_it_is_written(day):
    for given_ in (day.isoformat(), day, datetime(day.year, day.month, day.day)):
        assert checked_date(given_) == day


@given(
    st.text(max_size=9)
    | st.integers()
    | st.floats()
    | st.none()
    | st.dates(max_value=date(2002, 5, 31))
)
def test_anything_else_is_refused_in_one_sentence(given_):
    with pytest.raises(SettingsError) as refused:
        checked_date(given_)
    expected = "a day as 2020-03-03 (YYYY-MM-DD) from 2002-06-01 to "
    assert refused.value.expected.startswith(expected)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_date_is_refused_in_settings_files_and_in_python(text, tmp_path):
    with pytest.raises(SettingsError, match="YYYY-MM-DD"):
        Settings.from_table({"run": {"date": text}})
    with pytest.raises(SettingsError, match="YYYY-MM-DD"):
        run_day(text, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("value", [1524873600, 20180428.0, True, datetime(2018, 4, 28, 1)])
def test_a_number_or_a_time_is_no_date(value):
    with pytest.raises(SettingsError, match="YYYY-MM-DD"):
        Settings.from_table({"run": {"date": value}})


@pytest.mark.parametrize("text", ["1524873600", "20180428", "9999-12-31"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_wrong_date(command, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run(*(part.format(text) for part in COMMANDS[command]))
    assert told.exit_code == 2
    assert "YYYY-MM-DD" in told.output
    assert [*tmp_path.rglob("*")] == []


def test_the_demo_makes_no_ice_of_another_day(tmp_path):
    other = DATE + timedelta(days=1)
    for more in (("--date", other), ("--date", DATE, "--granules", tmp_path)):
        told = run("daily", "--demo", "--out", tmp_path / "out", *more)
        assert told.exit_code == 2
        assert "simulated" in told.output
    told = run("daily", "--date", other, "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert "no folder of granules" in told.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given_", "demo"),
    [((), True), (("SIC=asi",), True), (("DATE=2026-11-28",), False), (("GRANULES=g",), False)],
)
def test_make_daily_is_the_demo_only_where_neither_date_nor_granules_are_given(given_, demo):
    told = subprocess.run(
        ["make", "--dry-run", "--always-make", "daily", *given_],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    ).stdout  # fmt: skip
    assert ("--demo" in told) == demo


def test_evaluate_without_arguments_is_its_usage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("evaluate")
    assert told.exit_code == 2
    assert "Usage" in told.output
    assert "--worlds 48" in told.output
    assert [*tmp_path.iterdir()] == []


def test_evaluate_tells_what_it_would_simulate(tmp_path):
    told = run(
        "evaluate",
        "--worlds",
        12,
        "--samples",
        tmp_path / "s",
        "--dry-run",
        "--out",
        tmp_path / "e",
    )
    assert told.exit_code == 0, told.output
    assert "0 of 12 test worlds" in told.output
    assert "12 would be simulated" in told.output
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("told", [("p",), ("p", "r", "--worlds", 3), ("p", "--worlds", 3)])
def test_evaluate_wants_a_pair_or_worlds(told):
    wrong = run("evaluate", *told)
    assert wrong.exit_code == 2
    assert "a product and a reference, or a number of simulated test worlds" in wrong.output


def test_make_evaluate_names_the_number_of_worlds():
    def told(*given_):
        return subprocess.run(
            ["make", "--dry-run", "--always-make", "evaluate", *given_],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
        ).stdout  # fmt: skip

    assert '--worlds "48"' in told()
    assert '--worlds "12"' in told("WORLDS=12")
    assert "--worlds" not in told("PRODUCT=p", "REFERENCE=r")
