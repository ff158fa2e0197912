"""The page of formulas tells what the formulas tell; on real samples, what was promised."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from pipelines.research.classical_page import main, page, rows
from pipelines.research.reality.observations import real_points
from pipelines.research.reality.samples import Points
from seaice.instrument import CHANNELS

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
POINTS = SHARED / "real" / "rrdp_amsr2_points.nc"
real = pytest.mark.skipif(
    not POINTS.exists(), reason="the Round Robin points are not on this machine"
)
WATER = {"tb18h": 112, "tb18v": 189.5, "tb23v": 206, "tb36h": 150, "tb36v": 214, "tb89h": 198}
ICE = {"tb18h": 226, "tb18v": 249, "tb23v": 245, "tb36h": 220, "tb36v": 236, "tb89h": 208}


def samples(surface, vertical, size=50):
    """Samples that are all alike: nothing else is known of the other channels."""
    tb = np.full((len(CHANNELS), size), 200.0)
    for name, kelvin in (surface | {"tb89v": vertical}).items():
        tb[CHANNELS.index(name)] = kelvin
    nothing = np.zeros(size)
    return Points(
        tb=tb, vapour=nothing, liquid=nothing, month=nothing.astype(int), weight=nothing + 1
    )


@pytest.fixture
def alike():
    return {
        f"{surface} {half}": points
        for half in ("north", "south")
        for surface, points in (("water", samples(WATER, 245.0)), ("ice", samples(ICE, 219.0)))
    }


def test_samples_that_are_alike_have_a_bias_and_no_spread(alike):
    for row in rows(alike):
        assert row.water[1] == pytest.approx(0, abs=1e-9)
        assert row.ice[1] == pytest.approx(0, abs=1e-9)
        assert (row.left, row.removed) == (0, 0)
        if row.formula == "asi":
            assert row.water[0] == pytest.approx(0)  # V - H is 47 K, the published tie point


def test_every_table_has_as_many_columns_in_each_line(alike):
    for block in re.findall(r"(?:^\|.*\n)+", page(alike), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_without_a_file_it_says_what_to_give(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["classical_page", "absent.nc"])
    with pytest.raises(SystemExit, match=r"pipelines\.research\.classical_page"):
        main()


@real
def test_on_real_samples_filtered_asi_keeps_its_promise():
    """Less than 0.2 % of open water above 15 %, and no closed ice removed."""
    table_rows = list(rows(real_points(POINTS)))
    assert {(row.hemisphere, row.formula) for row in table_rows} == {
        (half, name) for half in ("north", "south") for name in ("asi", "bootstrap", "nasa_team")
    }
    for row in table_rows:
        assert row.left < 0.2
        assert row.removed == 0
        assert abs(row.ice[0]) < 10


@real
def test_on_real_samples_formulas_fail_as_they_are_known_to():
    table_rows = {
        (row.hemisphere, row.formula): row
        for row in rows(real_points(POINTS))
        if row.tie_points == "published"
    }
    for half in ("north", "south"):
        noise = [table_rows[half, name].water[1] for name in ("nasa_team", "bootstrap", "asi")]
        assert noise == sorted(noise)  # 89 GHz sees the weather most
    assert table_rows["south", "nasa_team"].ice[0] < table_rows["south", "asi"].ice[0] < 0
