"""Damaged files end a subprocess only, and raise an error here."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from pipelines.research.faults.bad.references import good
from seaice.errors import GranuleError, NoInputError
from seaice.evaluate.fields.open import open_field, open_field_isolated
from seaice.io.isolation import read_in_subprocess
from seaice.io.scene import read_scene, read_scene_in_subprocess
from tests.support.granules import make_swath, write_scene

READER = """
import os, signal
import numpy as np
from seaice.errors import NoInputError

def read_arrays(path, how):
    if how == "killed":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "slow":
        while True:
            pass
    if how == "large":
        return {"filled": np.ones(10**9)}
    if how == "refused":
        raise NoInputError("a cat", "a map", "give one")
    return {"process": np.array(os.getpid()), "path": np.array(path)}
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    (tmp_path / "strange_reader.py").write_text(READER)
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", os.getcwd())]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return "strange_reader"


def test_arrays_are_returned_from_the_subprocess(reader, tmp_path):
    told = read_in_subprocess(reader, tmp_path, "well")
    assert told["path"] == str(tmp_path)
    assert told["process"] != os.getpid()


@pytest.mark.parametrize(
    ("how", "seconds", "words"),
    [
        ("killed", 60, f"signal {signal.SIGSEGV:d}"),
        ("slow", 1, "not read within"),
        ("large", 60, "an error"),
    ],
)
def test_a_crash_of_the_subprocess_is_a_granule_error(reader, tmp_path, how, seconds, words):
    with pytest.raises(GranuleError, match=words):
        read_in_subprocess(reader, tmp_path, how, seconds=seconds)


def test_an_error_keeps_its_class_and_message(reader, tmp_path):
    with pytest.raises(NoInputError) as told:
        read_in_subprocess(reader, tmp_path, "refused")
    assert (told.value.found, told.value.hint) == ("a cat", "give one")


def test_a_field_read_in_a_subprocess_is_the_same(tmp_path):
    path = good(tmp_path)[1]
    ours, theirs = open_field(path), open_field_isolated(path)
    assert (ours.name, ours.grid, ours.time) == (theirs.name, theirs.grid, theirs.time)
    for name in ("sic", "half_widths", "tb"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), strict=True)


def test_files_that_are_not_maps_are_refused_with_the_same_error(tmp_path):
    (tmp_path / "ice.nc").write_bytes(b"\x89HDF\r\n\x1a\n and nothing more")
    for read in (open_field, open_field_isolated):
        with pytest.raises(NoInputError, match=r"cannot be read|netCDF"):
            read(tmp_path / "ice.nc")


def test_a_scene_read_in_a_subprocess_is_the_same(tmp_path):
    path = write_scene(tmp_path / "scene.nc", make_swath(30), title="made, 2020-03-03 03:30 UTC")
    xr.testing.assert_identical(read_scene_in_subprocess(path), read_scene(path))
    with pytest.raises(GranuleError):
        read_scene_in_subprocess(tmp_path / "none.nc")


def test_the_subprocess_of_a_field_imports_little():
    heavy = "xarray", "rasterio", "scipy.interpolate", "numba", "torch", "matplotlib"
    look = f"import sys, seaice.evaluate.fields.open; print(set(sys.modules) & {set(heavy)})"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"
