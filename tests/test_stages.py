"""A finished stage is recognised by what went into it, and half of one is never taken for it."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from seaice.product.folder import hash_files
from seaice.workflow.stages import Stages, hashes_path, key_of

facts = st.dictionaries(st.text(min_size=1), st.one_of(st.integers(), st.text()), max_size=4)


@given(facts, facts)
def test_equal_facts_have_equal_names_and_only_they(one, other):
    assert (key_of(facts=one) == key_of(facts=other)) == (one == other)


def made():
    return xr.Dataset(
        {
            "tb89h": (("y", "x"), np.array([[200, np.nan]], np.float32)),
            "valid": (("y", "x"), np.array([[True, False]])),
            "n_obs": (("y", "x"), np.array([[3, 0]], np.uint16)),
            "obs_time": (("y", "x"), np.array([["2020-03-03T01:02:03", "NaT"]], "datetime64[ns]")),
        },
        coords={"y": [1.0], "x": [1.0, 2.0], "time": np.datetime64("2020-03-03T12", "ns")},
        attrs={"crs": "EPSG:3411", "granules": ["a", "b"], "rejected": [], "n_granules": 2},
    )


def test_a_stage_is_made_once_and_comes_back_as_it_was(tmp_path):
    stages = Stages(folder=tmp_path)
    first = stages.kept("grid", "2020-03-03", "k", made)
    again = stages.kept("grid", "2020-03-03", "k", lambda: pytest.fail("made twice"))
    for kept in (first, again):
        xr.testing.assert_identical(kept.load(), made())
        assert {name: kept[name].dtype for name in kept} == {
            name: values.dtype for name, values in made().items()
        }


def test_other_inputs_are_another_stage(tmp_path):
    stages = Stages(folder=tmp_path)
    stages.kept("grid", "2020-03-03", "one", made)
    other = stages.kept("grid", "2020-03-03", "two", lambda: made() + 1)
    assert float(other["tb89h"][0, 0]) == 201


def test_a_stage_that_failed_is_made_again(tmp_path):
    def fail():
        raise KeyboardInterrupt

    stages = Stages(folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stages.kept("grid", "2020-03-03", "k", fail)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    xr.testing.assert_identical(stages.kept("grid", "2020-03-03", "k", made).load(), made())


MAKE = """
import sys, time
from pathlib import Path
import xarray as xr
from seaice.workflow.stages import Stages
out = Path(sys.argv[1])
def make():
    with (out / "made").open("a") as made:
        made.write("once ")
    time.sleep(0.5)
    return xr.Dataset({"tb89h": ("x", [1.0])})
print(float(Stages(folder=out).kept("grid", "2020-03-03", "k", make)["tb89h"][0]))
"""


def test_two_runs_that_want_the_same_stage_make_it_once(tmp_path):
    runs = [
        subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [run.communicate()[0] for run in runs] == [b"1.0\n", b"1.0\n"]
    assert (tmp_path / "made").read_text() == "once "


DAMAGE = {
    "a chunk is deleted": lambda place: (place / "n_obs/c/0/0").unlink(),
    "a byte is flipped": lambda place: flipped(place / "obs_time/c/0/0"),
    "metadata is truncated": lambda place: (place / "zarr.json").write_text("{"),
    "metadata says something else": lambda place: replaced(place / "zarr.json", '"a"', '"c"'),
    "a file is added": lambda place: (place / "n_obs/c/9").write_bytes(b"x"),
    "the list of hashes is gone": lambda place: hashes_path(place).unlink(),
    "the list of hashes is cut": lambda place: hashes_path(place).write_text(""),
    "the list of hashes is damaged": lambda place: hashes_path(place).write_bytes(b"\xff\xfe"),
    "a file took its place": lambda place: (shutil.rmtree(place), place.write_text("no store")),
}


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replaced(path, one, other):
    path.write_text(path.read_text().replace(one, other))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_stage_is_computed_again_and_that_is_logged(damage, tmp_path, caplog):
    stages = Stages(folder=tmp_path)
    place = stages.path("refine", "2020-03-03", "k")
    stages.kept("refine", "2020-03-03", "k", made)
    assert caplog.text == ""
    before = hash_files(place)
    DAMAGE[damage](place)
    calls = []
    again = stages.kept("refine", "2020-03-03", "k", lambda: calls.append("made") or made())
    xr.testing.assert_identical(again.load(), made())
    assert calls == ["made"]
    assert "computed again" in caplog.text
    assert hash_files(place) == before
    stages.kept("refine", "2020-03-03", "k", lambda: pytest.fail("made three times"))


def test_a_stage_is_hashed_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    stages = Stages(folder=tmp_path)
    stages.kept("grid", "2020-03-03", "k", made)
    stages.kept("grid", "2020-03-03", "k", made)
    monkeypatch.setattr(
        "seaice.workflow.stages.manifest_differences", lambda *_: pytest.fail("hashed twice")
    )
    stages.kept("grid", "2020-03-03", "k", lambda: pytest.fail("made twice"))
