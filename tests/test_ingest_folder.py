"""Of a folder's files, those of a day are found: each granule once, in order of time."""

from datetime import date, datetime, timedelta

import pytest

from seaice.errors import NoInputError
from seaice.ingest.names import GranuleName
from seaice.ingest.read import find_granules

DAY = date(2020, 3, 3)


def name_at(start, **changes):
    plain = {"path": 35, "direction": "A", "level": "L1B", "version": "2220220"} | changes
    return GranuleName(start=start, **plain).format()


def found(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [path.name for path in find_granules(folder, DAY)]


def test_granules_that_may_touch_the_day_are_found_in_order(tmp_path):
    noon = datetime(2020, 3, 3, 12)
    wanted = [noon - timedelta(hours=12, minutes=50), noon, noon + timedelta(hours=11, minutes=59)]
    others = [noon - timedelta(hours=13, minutes=1), noon + timedelta(hours=12)]
    names = [name_at(start) for start in (*wanted, *others)]
    assert found(tmp_path, *(f"2020/03/{name}" for name in reversed(names))) == names[:3]


def test_of_duplicates_the_best_is_kept(tmp_path):
    noon = datetime(2020, 3, 3, 12)
    best = name_at(noon, version="2220220")
    worse = [
        name_at(noon, version="1110110"),
        name_at(noon, version="9990990", receipt="DL"),
        name_at(noon, level="L1R", version="9990990"),
    ]
    another_path = name_at(noon, path=36)
    assert found(tmp_path, *worse, another_path, best) == [best, another_path]


def test_other_files_in_the_folder_are_passed_over(tmp_path):
    assert found(tmp_path, "notes.txt", "GW1AM2_20200303_01D_EQMA_L3SGT06HA2220220.h5") == []


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NoInputError, match="no folder"):
        find_granules(tmp_path / "absent", DAY)
