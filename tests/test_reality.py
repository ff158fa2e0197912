"""Tables and spectra of the reality check: percentiles, weights, windows, page."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.research.reality.report import fill_tables, tables
from pipelines.research.reality.run import read_real_tables
from pipelines.research.reality.samples import (
    LEVELS,
    Points,
    asi_errors,
    concatenate_samples,
    describe_samples,
)
from pipelines.research.reality.simulation import samples_of, worlds
from pipelines.research.reality.statistics import (
    BANDS_KM,
    Maps,
    map_figures,
    noise,
    pack_or_edge,
    point_figures,
    spectrum,
    weight_like_real,
)
from seaice.errors import NoInputError
from seaice.instrument import CHANNELS
from seaice.simulate.random_fields import gaussian_field

PAGE = Path(__file__).parent.parent / "docs" / "reality.md"


def points(pd, month=3, vapour=5.0):
    """Samples that differ in V - H only."""
    pd = np.asarray(pd, float)
    tb = np.full((len(CHANNELS), pd.size), 200.0)
    tb[CHANNELS.index("tb89v")] += pd
    tb += np.random.default_rng(1).normal(0, 0.01, pd.size)  # alike in every channel
    full = np.ones(pd.size)
    return Points(
        tb=tb,
        vapour=vapour * full,
        liquid=0.02 * full,
        month=np.full(pd.size, month),
        weight=full,
    )


def wave(length, size=32, cell=6.25):
    """A wave along x of unit variance and of a wavelength in km, (size, size)."""
    x = np.arange(size) * cell
    return np.sqrt(2) * np.broadcast_to(np.sin(2 * np.pi * x / length), (size, size))


def test_percentiles_are_those_of_the_distribution():
    uniform = np.linspace(0, 100, 10_001)
    assert describe_samples(points(uniform), 0.0)["percentiles"]["pd"] == pytest.approx(
        LEVELS, abs=0.02
    )


def test_a_sample_that_counts_twice_is_a_sample_that_is_there_twice():
    pd = np.random.default_rng(0).uniform(5, 50, 400)
    twice = np.r_[np.ones(200), 2 * np.ones(200)]
    weighed = describe_samples(points(pd).weighted(twice), 0.0)
    repeated = describe_samples(points(np.r_[pd, pd[200:]]), 0.0)
    assert weighed["filtered"] == pytest.approx(repeated["filtered"])
    for figure_key in ("percentiles", "asi"):
        assert weighed[figure_key].keys() == repeated[figure_key].keys()
        for name, figures in repeated[figure_key].items():
            assert weighed[figure_key][name] == pytest.approx(figures), name


def test_asi_is_right_at_its_tie_points_and_half_wrong_between():
    """Processors differ in the last bits: the polynomial's coefficients are solved for."""
    close = {"abs": 1e-9}
    assert asi_errors(points([47.0, 60.0]), 0.0)["plain"] == pytest.approx([0, 0], **close)
    assert asi_errors(points([11.7, 5.0]), 1.0)["plain"] == pytest.approx([0, 0], **close)
    assert asi_errors(points([47.0, 11.7]), 0.0)["plain"] == pytest.approx([50, 50], **close)


def test_simulated_months_and_vapour_count_as_the_real_ones():
    real = {
        "water": concatenate_samples([points([40.0] * 3, vapour=5.0), points([20.0], vapour=15.0)]),
        "ice north": concatenate_samples([points([10.0], month=1), points([12.0] * 3, month=7)]),
    }
    simulated = {
        "water": concatenate_samples(
            [points([40.0] * 5, vapour=5.0), points([20.0] * 5, vapour=15.0)]
        ),
        "ice north": concatenate_samples(
            [points([10.0] * 9, month=1), points([12.0] * 2, month=7)]
        ),
    }
    weighed = weight_like_real(simulated, point_figures(real))
    for name, at in (("water", 20.0), ("ice north", 10.0)):
        fraction = np.average(np.isclose(weighed[name].pd, at), weights=weighed[name].weight)
        assert fraction == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("length", BANDS_KM[1:])
def test_a_wave_is_found_in_the_band_of_its_length(length):
    spread = np.array(spectrum([wave(length)], 6.25)["spread"])
    assert BANDS_KM[int(spread.argmax())] == length
    assert spread.max() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("slope", [2.0, 3.0])
def test_the_slope_of_a_field_is_the_one_it_was_made_with(slope):
    field = gaussian_field(np.random.default_rng(3), (128, 128), slope, 200)
    figures = map_figures(Maps(sea=[np.stack([field, np.zeros_like(field)])]))
    assert figures["sea"]["slope"] == pytest.approx(-slope, abs=0.2)


def test_roughness_is_the_level_of_white_noise_and_blind_to_a_plane():
    rng = np.random.default_rng(0)
    plane = np.add.outer(np.arange(32.0), 3 * np.arange(32.0))
    pieces = [plane + 1.5 * rng.standard_normal((32, 32)) for _ in range(20)]
    assert noise(pieces) == pytest.approx(1.5, rel=0.07)


def test_a_gap_is_never_part_of_a_window():
    field = gaussian_field(np.random.default_rng(0), (64, 64), 2, 20)
    field[40, 40] = np.nan
    figures = map_figures(Maps(sea=[np.stack([field, 0 * field])]))
    assert 0 < figures["sea"]["windows"] < 81


def test_windows_are_told_apart():
    assert pack_or_edge(np.full((32, 32), 0.98)) == "pack"
    assert pack_or_edge(np.tile(np.linspace(0, 1, 32), (32, 1))) == "edge"
    assert pack_or_edge(np.zeros((32, 32))) == "neither"


def test_the_page_has_a_place_for_every_table_and_no_other_page_is_written_on():
    parts = tables(read_real_tables(), read_real_tables(), [])
    assert fill_tables(PAGE.read_text(), parts).count("<!-- end -->") == len(parts)
    with pytest.raises(NoInputError, match="no place for the table"):
        fill_tables("# another page", parts)


def test_real_open_water_is_filtered_and_closed_ice_is_not():
    real = read_real_tables()
    assert real["water"]["filtered"] > 0.999
    assert real["ice north"]["filtered"] == real["ice south"]["filtered"] == 0


def test_samples_of_a_world_are_all_water_or_all_ice():
    rng = np.random.default_rng(0)
    water = samples_of(next(worlds("sea", (2,), 1, 5)), rng)[0]
    ice = samples_of(next(worlds("pack", (2,), 1, 5)), rng)[1]
    assert np.median(water.pd) > 25
    assert np.median(ice.pd) < 20
    assert {*water.month, *ice.month} == {2}
