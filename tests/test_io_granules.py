"""Granules of a day in a folder: each once, in order of time."""

import os
import socket
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaice.config import RunSettings
from seaice.errors import GranuleError, NoInputError
from seaice.io.granules import GranuleName, find_granules, find_unused_files, select_files
from seaice.io.readers import read_swath
from seaice.workflow.season.inventory import Inventory

DAY = date(2020, 3, 3)


def name_at(start, **changes):
    plain = {"path": 35, "direction": "A", "level": "L1B", "version": "2220220"} | changes
    return GranuleName(start=start, **plain).format()


def found(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [path.name for path in find_granules(folder, DAY)]


def test_granules_that_may_have_scans_of_the_day_are_found_in_order(tmp_path):
    noon = datetime(2020, 3, 3, 12)
    needed = [noon - timedelta(hours=12, minutes=50), noon, noon + timedelta(hours=11, minutes=59)]
    others = [noon - timedelta(hours=13, minutes=1), noon + timedelta(hours=12)]
    names = [name_at(start) for start in (*needed, *others)]
    assert found(tmp_path, *(f"2020/03/{name}" for name in reversed(names))) == names[:3]


def test_the_preferred_of_duplicates_is_used(tmp_path):
    noon = datetime(2020, 3, 3, 12)
    best = name_at(noon, version="2220220")
    worse = [
        name_at(noon, version="1110110"),
        name_at(noon, version="9990990", receipt="DL"),
        name_at(noon, level="L1R", version="9990990"),
    ]
    another_path = name_at(noon, path=36)
    assert found(tmp_path, *worse, another_path, best) == [best, another_path]


def test_other_files_in_the_folder_are_ignored(tmp_path):
    assert found(tmp_path, "notes.txt", "GW1AM2_20200303_01D_EQMA_L3SGT06HA2220220.h5") == []


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(NoInputError, match="no folder"):
        find_granules(tmp_path / "absent", DAY)


NAME = name_at(datetime(2020, 3, 3, 12))


def _fifo(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as result:
        result.bind(os.path.relpath(path))


ODD = {
    "a second download": (NAME.replace(".h5", " (1).h5"), Path.touch, "its name is not"),
    "a compressed file": (NAME + ".gz", Path.touch, "compressed"),
    "an unfinished download": (NAME + ".part", Path.touch, "incomplete"),
    "AMSR3": ("GGWAM3_202003031200A035_L1SGRTBR_0000000.nc", Path.touch, "AMSR3"),
    "AMSR3 without an underscore": ("GGWAM3202003031200A035_L1RTBR.nc", Path.touch, "AMSR3"),
    "a FIFO": (NAME, _fifo, "a FIFO"),
    "a folder": (NAME, Path.mkdir, "a folder"),
    "a socket": (NAME, _socket, "a socket"),
    "a link to nothing": (NAME, lambda path: path.symlink_to("nowhere"), "a link to nothing"),
    "a link to itself": (NAME, lambda path: path.symlink_to(path.name), "not accessible"),
    "a link to a device": (NAME, lambda path: path.symlink_to("/dev/zero"), "a character device"),
    "a lower-case name": (NAME.lower(), Path.touch, "its name is not"),
}


@pytest.mark.parametrize("what", ODD)
def test_files_that_only_look_like_granules_are_listed_with_a_reason(tmp_path, monkeypatch, what):
    name, make, text = ODD[what]
    monkeypatch.chdir(tmp_path)
    make(tmp_path / name)
    good = name_at(datetime(2020, 3, 3, 14))
    (tmp_path / good).touch()
    assert [path.name for path in find_granules(tmp_path, DAY)] == [good]
    (one,) = find_unused_files(tmp_path, DAY)
    assert one.name == name
    assert text in one.reason
    found = Inventory.of(RunSettings(granules=tmp_path))
    assert [path.name for path in found.granules(DAY)] == [good]
    assert found.left_out(DAY) == (str(one),)
    assert find_unused_files(tmp_path, DAY + timedelta(days=3)) == ()


@pytest.mark.parametrize("make", [_fifo, Path.mkdir])
def test_reading_an_irregular_file_neither_blocks_nor_crashes(tmp_path, make):
    make(tmp_path / NAME)
    with pytest.raises(GranuleError, match="a regular file"):
        read_swath(tmp_path / NAME)


def test_superseded_files_are_listed(tmp_path):
    older = name_at(datetime(2020, 3, 3, 12), version="1110110")
    assert found(tmp_path, older, NAME) == [NAME]
    (one,) = find_unused_files(tmp_path, DAY)
    assert one.name == older
    assert NAME in one.reason


@given(st.text("GW1AM2_0123456789LSBTR.h5 ()", min_size=1, max_size=60))
def test_any_name_is_sorted_without_an_error(text):
    select_files([Path(text), Path(f"GW1AM2_20200303{text}")], DAY, local=False)
