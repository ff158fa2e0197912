"""What does harm on purpose does the harm it says, and what looks at it sees it."""

import os
import signal
import time
from datetime import timedelta

import numpy as np
import pytest

from pipelines.research.faults.endurance import WARM, growth, resource_use
from pipelines.research.faults.injection import FaultyProxy
from pipelines.research.faults.runs import DAY as FIRST
from pipelines.research.faults.runs import copy_days, fork_child, wait_for_child
from seaice.io.readers import read_swath
from tests.support.days import DAY, write_day


def test_how_a_child_ends_is_told():
    assert wait_for_child(fork_child(lambda: 3)) == 3
    child = fork_child(lambda: time.sleep(60) or 0)
    os.kill(child, signal.SIGKILL)
    assert wait_for_child(child) == -signal.SIGKILL


def test_a_child_that_fails_says_so(capfd):
    assert wait_for_child(fork_child(lambda: 1 // 0)) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("slope", [0.0, 0.5, -2.0])
def test_growth_is_the_slope_after_the_first_days(slope):
    days = np.arange(60.0)
    early = np.where(days < WARM, 1e6, 0)
    assert growth(list(3 + slope * days + early)) == pytest.approx(100 * slope, abs=1e-6)


def test_what_a_process_holds_is_seen():
    before = resource_use(0)
    with open(os.devnull), open(os.devnull):
        assert resource_use(0).open_files >= before.open_files + 2


def test_faults_of_a_way_come_as_often_as_told():
    proxy = FaultyProxy(host="", port=0, fractions={"500": 0.2, "half": 0.1})
    for _ in range(2000):
        proxy.fault()
    assert proxy.counts["500"] == pytest.approx(400, abs=80)
    assert proxy.counts["half"] == pytest.approx(200, abs=60)
    assert sum(proxy.counts.values()) == 2000


def test_copied_days_are_days_of_their_own(tmp_path):
    (tmp_path / "few").mkdir()
    for n in range(4):
        write_day(tmp_path / "few", DAY + timedelta(days=n))
    copy_days(tmp_path / "few", tmp_path / "many", 5)
    problems = sorted((tmp_path / "many").glob("*.h5"))
    first = FIRST - timedelta(days=2)
    assert [path.name[7:15] for path in problems] == [
        f"{first + timedelta(days=n):%Y%m%d}" for n in range(5)
    ]
    for path in problems:
        days = np.unique(read_swath(path)["time"].values.astype("datetime64[D]"))
        assert [str(day).replace("-", "") for day in days] == [path.name[7:15]]
