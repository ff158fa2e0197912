"""Methods are measured against a truth that is known, on the same cells."""

from datetime import timedelta
from importlib.resources import files

import numpy as np
import pytest
import xarray as xr
from days import DAY, REGION
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines import evaluate
from pipelines.evaluate import METHODS, UNFILTERED, compared, markdown, scored
from pipelines.plan import ground
from pipelines.stages import silent
from seaice.cli import app
from seaice.config import Settings
from seaice.errors import NoInputError
from seaice.simulate.days import simulate_days, truth_path

FORMULAS = {"bicubic", "asi"}


def shipped(name):
    found = (files("seaice") / stage / "weights" for stage in ("sr", "sic"))
    return any(
        path.name.startswith(name)
        for folder in found
        if folder.is_dir()
        for path in folder.iterdir()
    )


def table(granules, out):
    run = {"date": DAY, "granules": granules, "out": out, "region": REGION}
    return Settings.from_table({"run": run})


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """One day of a square of the Beaufort Sea, and its truth."""
    folder = tmp_path_factory.mktemp("simulated")
    grid = ground(table(folder, folder).run)
    simulate_days(DAY, DAY, grid, 3, folder, lambda done, of: None)
    return folder


@pytest.fixture(scope="module")
def rows(simulated, tmp_path_factory):
    """The figures of every method that can run here: networks where their weights ship."""
    able = {
        name: method
        for name, method in METHODS.items()
        if all(part in FORMULAS or shipped(part) for part in method)
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluate, "METHODS", able)
        return list(compared(table(simulated, tmp_path_factory.mktemp("products")), silent))


def test_truth_compared_with_itself_scores_nothing(simulated):
    with xr.open_dataset(truth_path(simulated, DAY)) as truth:
        sic = truth["sic"].values
    for cell, figures in scored(sic, sic):
        assert cell in (1.5625, 6.25)
        for name in ("rmse", "mae", "bias", "std", "false_ice", "lost_ice", "extent_error"):
            assert figures[name] == 0 or np.isnan(figures[name]), name
        assert figures["rmse"] == 0


@given(st.floats(0.01, 0.2), st.integers(0, 2**32 - 1))
def test_a_shift_is_told_as_bias_at_every_cell_size(shift, seed):
    truth = np.random.default_rng(seed).uniform(0.2, 0.7, (16, 16))
    truth[:4, :4] = np.nan
    for _, figures in scored(truth + shift, truth):
        assert figures["bias"] == pytest.approx(shift, abs=1e-6)
        assert figures["rmse"] == pytest.approx(shift, abs=1e-6)


def test_noise_averages_out_over_larger_cells():
    truth = np.full((64, 64), 0.5)
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape)
    (_, fine), (_, coarse) = scored(truth + noise, truth)
    assert coarse["rmse"] == pytest.approx(fine["rmse"] / 4, rel=0.2)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_cells_without_truth_or_estimate_change_nothing(seed):
    """What an estimate says of land, or truth of a gap, cannot reach any figure."""
    random = np.random.default_rng(seed)
    truth, estimate = random.uniform(size=(2, 16, 16))
    land, gap = random.random((2, 16, 16)) < 0.2
    truth[land], estimate[gap] = np.nan, np.nan
    before = list(scored(estimate, truth))
    estimate[land & ~gap], truth[gap & ~land] = 1.0, 0.0
    assert repr(list(scored(estimate, truth))) == repr(before)


def test_every_method_is_told_at_both_cell_sizes(rows):
    names = list(dict.fromkeys(name for name, _, _ in rows))
    assert names[:2] == [UNFILTERED, "ASI on bicubic frames, filtered"]
    assert [(name, cell) for name, cell, _ in rows] == [
        (name, cell) for name in names for cell in (1.5625, 6.25)
    ]
    for name, cell, figures in rows:
        assert figures["count"] > 1000 / cell, name
        assert 0 < figures["rmse"] < 0.5, name


def test_the_table_has_a_line_for_each(rows):
    head, rule, *lines = markdown(rows).splitlines()
    assert len(lines) == len(rows)
    assert {line.count("|") for line in (head, rule, *lines)} == {9}
    for line, (name, cell, figures) in zip(lines, rows, strict=True):
        cells = [part.strip() for part in line.strip("|").split("|")]
        assert cells[:3] == [name, f"{cell:g}", f"{100 * figures['rmse']:.2f}"]


def test_granules_without_truth_are_refused(simulated, tmp_path):
    told = table(simulated, tmp_path)
    other = told.run.model_copy(update={"date": DAY + timedelta(days=9)})
    with pytest.raises(NoInputError) as error:
        next(compared(told.model_copy(update={"run": other}), silent))
    assert "no truth of 2020-03-12" in error.value.found
    assert "simulated" in error.value.expected
    assert "seaice simulate" in error.value.do_next


def test_truth_of_another_region_is_refused(simulated, tmp_path):
    told = table(simulated, tmp_path)
    other = told.run.model_copy(update={"region": "svalbard"})
    with pytest.raises(NoInputError, match="another region than 'svalbard'"):
        next(compared(told.model_copy(update={"run": other}), silent))


def test_the_command_refuses_them_in_three_parts(tmp_path):
    told = ["evaluate", "--date", "2020-03-03", "--granules", tmp_path, "--out", tmp_path / "out"]
    ran = CliRunner().invoke(app, [str(part) for part in told])
    assert ran.exit_code == 2
    assert "no truth of 2020-03-03" in ran.output
    assert "Traceback" not in ran.output
