"""Scores from sums: on maps whose errors are known by hand, and as plain formulas have them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seaice.evaluate.bootstrap import interval, resampled
from seaice.evaluate.scores import METRICS, class_scores, overall
from seaice.evaluate.sums import area_units, map_sums, total
from tests.support.maps import half_plane, smooth

maps = arrays(
    np.float64, (6, 7), elements=st.one_of(st.floats(0, 1), st.just(0.0), st.just(np.nan))
)
cells = arrays(np.float64, (6, 7), elements=st.floats(0, 1))


def scored(estimate, reference, cell=1.0, block=1000, **more):
    """Every score of two maps."""
    sums = map_sums(np.atleast_2d(estimate), np.atleast_2d(reference), cell, block, **more)
    return {name: float(value) for name, value in overall(total(sums), cell).items()}


def classes(estimate, reference, **more):
    sums = map_sums(np.atleast_2d(estimate), np.atleast_2d(reference), 1.0, 1000, **more)
    return class_scores(total(sums))


@given(cells)
def test_a_perfect_map_has_no_error(sic):
    result = scored(sic, sic, 6.25)
    assert result.pop("count") == sic.size
    assert all(value == 0 or math.isnan(value) for value in result.values())


@settings(max_examples=40)
@given(maps, maps)
def test_errors_are_what_their_formulas_say(estimate, reference):
    both = np.isfinite(estimate) & np.isfinite(reference)
    error = (estimate - reference)[both]
    result = scored(estimate, reference)
    if not error.size:
        assert math.isnan(result["rmse"])
        return
    assert result["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert result["mae"] == pytest.approx(np.mean(np.abs(error)))
    assert result["bias"] == pytest.approx(np.mean(error))
    assert result["std"] == pytest.approx(np.std(error), abs=1e-7)


@settings(max_examples=40)
@given(maps, maps, st.integers(1, 7))
def test_how_a_map_is_cut_into_units_changes_no_score(estimate, reference, block):
    whole, cut = (scored(estimate, reference, 3.0, side) for side in (1000, block))
    for name, value in whole.items():
        # sums cancel in a standard deviation: 1e-8 is nothing
        assert cut[name] == pytest.approx(value, nan_ok=True, abs=1e-6), name


@settings(max_examples=40)
@given(maps, maps)
def test_classes_hold_every_cell_once_and_their_errors_add_up(estimate, reference):
    result = classes(estimate, reference)["reference"]
    both = np.isfinite(estimate) & np.isfinite(reference)
    assert result["count"].sum() == both.sum()
    squares = np.nansum(result["count"] * result["rmse"] ** 2)
    assert squares == pytest.approx(np.sum((estimate - reference)[both] ** 2))


@pytest.mark.parametrize(
    ("sic", "index"), [(0.0, 0), (0.05, 0), (0.1, 1), (0.3, 3), (0.7, 7), (0.999, 9), (1.0, 9)]
)
def test_a_concentration_has_its_class(sic, index):
    counts = classes(np.array([0.5]), np.array([sic], np.float32))["reference"]["count"]
    assert counts.tolist() == [float(n == index) for n in range(10)]


def test_false_and_lost_ice_count_what_they_say():
    reference = np.array([0, 0, 0, 0, 0.5, 0.9, 0.1, np.nan, 0])
    estimate = np.array([0, 0.1, 0.2, 0.9, 0.1, 0.9, 0.9, 0.9, np.nan])
    result = scored(estimate, reference)
    assert result["false_ice"] == 2 / 4
    assert result["lost_ice"] == 1 / 2


@pytest.mark.parametrize("shift", [0, 1, 7])
def test_straight_edges_are_apart_by_their_shift(shift):
    result = scored(half_plane(20 + shift), half_plane(20), 6.25)
    assert result["edge_mean"] == pytest.approx(6.25 * shift)
    assert result["edge_median"] == pytest.approx(6.25 * shift)


def test_concentric_edges_are_apart_by_the_difference_of_radii():
    y, x = np.mgrid[-60:61, -60:61]
    distance = np.hypot(x, y)
    result = scored(1.0 * (distance < 30), 1.0 * (distance < 40), 1.5625)
    assert result["edge_mean"] == pytest.approx(15.625, rel=0.05)
    assert result["edge_median"] == pytest.approx(15.625, rel=0.08)


def test_a_lone_remnant_moves_the_mean_of_the_edges_but_not_their_median():
    reference, estimate = half_plane(20, (80, 120)), half_plane(21, (80, 120))
    estimate[39:42, 90:93] = 1.0
    result = scored(estimate, reference, 1.0)
    assert result["edge_median"] == 1.0
    # eight edge cells of the remnant (its middle touches no water), and 80 that are one cell away
    away = np.repeat([71, 72, 73], [3, 2, 3])
    needed = ((away.sum() + 80 * 1) / 88 + 1) / 2
    assert result["edge_mean"] == pytest.approx(needed)


def test_a_coast_is_no_ice_edge():
    """Ice against land has no edge; only the edge against water counts."""
    reference, estimate = half_plane(20), half_plane(25)
    for sic in (reference, estimate):
        sic[:5] = np.nan
        sic[:, :3] = np.nan
    assert scored(estimate, reference)["edge_mean"] == pytest.approx(5)
    alone = scored(np.ones((4, 4)), half_plane(2, (4, 4)))
    assert math.isnan(alone["edge_mean"])
    assert math.isnan(alone["edge_median"])


@settings(max_examples=40)
@given(maps, maps)
def test_edge_distance_does_not_care_who_is_the_reference(a, b):
    forth, back = scored(a, b, 3.0), scored(b, a, 3.0)
    for name in ("edge_mean", "edge_median", "edge_error"):
        assert forth[name] == pytest.approx(back[name], nan_ok=True)


@pytest.mark.parametrize("area", [39.0, None])
def test_extent_area_and_edge_error(area):
    reference, estimate = np.zeros((2, 10)), np.zeros((2, 10))
    reference[0, :4], estimate[0, 2:8] = 1.0, 0.5
    result = scored(estimate, reference, 6.0, areas=area)
    size = area or 36.0
    assert result["extent_error"] == pytest.approx(2 * size)
    assert result["extent_share"] == pytest.approx(2 / 4)
    assert result["area_error"] == pytest.approx(-1 * size)
    assert result["edge_error"] == pytest.approx(6 * size)


def test_each_unit_has_its_own_area():
    ice, water = np.ones((2, 6)), np.zeros((2, 6))
    row, column = area_units((2, 6), 2)
    assert column.tolist() == [1, 3, 5]
    result = scored(ice, water, 1.0, 2, areas=column)
    assert result["area_error"] == 4 * (1 + 3 + 5)
    assert row.tolist() == [1, 1, 1]


def test_true_sigmas_cover_as_the_normal_law_says_in_every_class():
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.3, 0.7, (300, 300))
    sigma = rng.uniform(0.01, 0.05, reference.shape)
    estimate = reference + sigma * rng.standard_normal(reference.shape)
    estimate[0], sigma[1] = np.nan, np.nan
    uncertainty = np.stack([sigma, 2 * sigma])
    result = scored(estimate, reference, doubt=uncertainty)
    assert result["within_1"] == pytest.approx(0.683, abs=0.01)
    assert result["within_2"] == pytest.approx(0.954, abs=0.01)
    by_class = classes(estimate, reference, doubt=uncertainty)
    np.testing.assert_allclose(by_class["reference"]["within_1"][3:7], 0.683, atol=0.02)
    np.testing.assert_allclose(by_class["estimate"]["within_2"][4:6], 0.954, atol=0.02)


def test_cells_that_a_filter_or_a_clamp_decided_prove_no_half_width():
    """They are right exactly: counted, they would hide that no other cell is within."""
    estimate, reference = np.zeros((10, 10)), np.zeros((10, 10))
    estimate[5:], reference[5:] = 1, 1
    estimate[0], reference[0] = 0.4, 0.9
    result = scored(estimate, reference, doubt=np.full((2, 10, 10), 0.1))
    assert (result["within_1"], result["every_1"]) == (0, pytest.approx(0.9))
    assert (result["within_2"], result["every_2"]) == (0, pytest.approx(0.9))


def test_nothing_to_compare_has_no_units_and_no_scores():
    nothing = np.full((3, 3), np.nan)
    assert len(map_sums(nothing, nothing, 1.0, 2)["moments"]) == 0
    result = scored(nothing, nothing)
    assert result["count"] == 0
    assert math.isnan(result["rmse"])
    assert math.isnan(result["false_ice"])


def test_every_score_has_a_name_for_people():
    random = np.random.default_rng(0)
    result = scored(smooth((8, 8)), smooth((8, 8), 1), doubt=random.random((2, 8, 8)))
    assert set(result) - {"count"} <= set(METRICS)


# The bootstrap


def noisy_worlds(count, seed, spread=0.1):
    """Sums of worlds of 25 cells; each world has a bias of its own, drawn with a known spread."""
    moments = np.zeros((count, 10, 4))
    moments[:, 5, 0] = 25
    moments[:, 5, 1] = 25 * np.random.default_rng(seed).normal(0, spread, count)
    return {"moments": moments}


def test_intervals_are_as_wide_as_the_means_of_units_scatter():
    """Against the standard error of the mean of units, not of cells, which is five times less."""
    sums = noisy_worlds(100, 0)
    low, high = interval(overall(resampled(sums), 1.0)["bias"])
    per_unit = sums["moments"][:, :, 1].sum(1) / 25
    error = per_unit.std() / 10
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)


def test_intervals_hold_the_truth_about_as_often_as_they_promise():
    stored = 0
    for seed in range(200):
        low, high = interval(overall(resampled(noisy_worlds(40, seed), draws=300), 1.0)["bias"])
        stored += low <= 0 <= high
    assert 0.89 <= stored / 200 <= 0.985


def test_draws_are_the_same_each_time_and_for_each_method():
    sums = noisy_worlds(20, 1)
    again = {"moments": 2 * sums["moments"]}
    np.testing.assert_array_equal(2 * resampled(sums)["moments"], resampled(again)["moments"])
    assert not np.array_equal(resampled(sums)["moments"], resampled(sums, seed=1)["moments"])


def test_drawn_sums_hold_as_many_units_as_there_are():
    sums = {"moments": np.ones((17, 10, 4))}
    assert (resampled(sums, draws=50)["moments"] == 17).all()
