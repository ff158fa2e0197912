"""A final day that is made again, elsewhere and later, is the same to the byte."""

import pytest
from days import PRODUCT, run, write_five_days

pytestmark = pytest.mark.slow


def test_the_same_granules_make_the_same_bytes(tmp_path):
    sums = []
    for place in ("here", "there"):
        write_five_days(tmp_path / place / "granules")
        done = run("daily", tmp_path / place / "granules", tmp_path / place / "out")
        assert done.exit_code == 0, done.output
        sums.append((tmp_path / place / "out" / PRODUCT / f"{PRODUCT}.sha256").read_text())
    assert sums[0] == sums[1]
    assert len(sums[0].splitlines()) > 20
