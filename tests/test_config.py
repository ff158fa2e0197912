"""One file of settings: every key is known, every default can be seen, nothing is guessed."""

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seaice.config import Settings
from seaice.dates import FIRST
from seaice.errors import SettingsError

paths = st.text(st.characters(codec="utf-8", exclude_characters="\x00/"))
runs = st.fixed_dictionaries(
    {},
    optional={
        "date": st.dates(FIRST, date.today()),
        "out": paths.filter(bool).map(Path),
        "hemisphere": st.sampled_from(["north", "south"]),
        "region": st.sampled_from(["all", "svalbard", "10,76,30,81"]),
        "device": st.sampled_from(["auto", "cpu", "cuda"]),
    },
)


@given(runs)
def test_shown_settings_are_the_settings(run):
    settings = Settings.from_table({"run": run})
    assert Settings.from_table(tomllib.loads(settings.toml())) == settings


def test_every_key_is_shown():
    shown = Settings().toml()
    for section, field in Settings.model_fields.items():
        assert f"[{section}]" in shown
        for key in field.annotation.model_fields:
            assert f"{key} = " in shown


@pytest.mark.parametrize(
    ("table", "misspelt", "meant"),
    [
        ({"run": {"hemispere": "north"}}, "hemispere", "hemisphere"),
        ({"sic": {"weight": "x"}}, "weight", "weights"),
        ({"gird": {}}, "gird", "grid"),
    ],
)
def test_a_misspelt_key_is_refused_and_the_nearest_named(table, misspelt, meant):
    with pytest.raises(SettingsError) as refused:
        Settings.from_table(table)
    assert repr(misspelt) in refused.value.found
    assert meant in refused.value.expected
    assert repr(meant) in refused.value.hint


@pytest.mark.parametrize(
    "table",
    [
        {"run": {"hemisphere": "east"}},
        {"run": {"date": "yesterday"}},
        {"run": {"region": [1, 2, 3]}},
        {"run": 3},
        {"write": {"formats": []}},
        {"write": {"formats": ["jpeg"]}},
    ],
)
def test_a_value_that_does_not_fit_is_refused(table):
    with pytest.raises(SettingsError):
        Settings.from_table(table)


def test_the_command_line_lies_over_the_file(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[run]\ndate = 2020-03-03\nout = "a"\n[sic]\nweights = "w.safetensors"\n')
    told = {"run": {"out": Path("b"), "date": None}, "sic": {"name": "asi"}}
    settings = Settings.read(file, told)
    assert settings.run.date == date(2020, 3, 3)
    assert settings.run.out == Path("b")
    assert settings.sic.name == "asi"
    assert settings.sic.weights == Path("w.safetensors")
    assert settings.sr == Settings().sr


@pytest.mark.parametrize("content", [None, b"[run", b"\xff\xfe"])
def test_an_unreadable_file_is_said(tmp_path, content):
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="show-settings"):
        Settings.read(file, {})


def test_settings_never_change():
    with pytest.raises(ValidationError):
        Settings().run.hemisphere = "south"
