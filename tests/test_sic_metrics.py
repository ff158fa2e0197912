"""Metrics, on maps whose errors are known by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seaice.sic import metrics

maps = arrays(
    np.float64, (6, 7), elements=st.one_of(st.floats(0, 1), st.just(0.0), st.just(np.nan))
)
cells = arrays(np.float64, (6, 7), elements=st.floats(0, 1))


def half_plane(column, shape=(40, 60)):
    """Ice to the left of a column, open water from there on."""
    return np.where(np.arange(shape[1]) < column, 1.0, 0.0) * np.ones(shape)


@given(cells)
def test_a_perfect_map_has_no_error(sic):
    found = metrics.summary(sic, sic, 6.25)
    assert found.pop("count") == sic.size
    assert all(value == 0 or math.isnan(value) for value in found.values())


@given(maps, maps)
def test_errors_split_into_bias_and_deviation(estimate, reference):
    parts = metrics.bias(estimate, reference), metrics.deviation(estimate, reference)
    assert metrics.rmse(estimate, reference) == pytest.approx(math.hypot(*parts), nan_ok=True)
    assert not metrics.mae(estimate, reference) > metrics.rmse(estimate, reference) + 1e-12


@given(cells, st.floats(-0.5, 0.5))
def test_a_constant_shift_is_bias_only(reference, shift):
    shifted = reference + shift
    assert metrics.bias(shifted, reference) == pytest.approx(shift)
    assert metrics.mae(shifted, reference) == pytest.approx(abs(shift))
    assert metrics.deviation(shifted, reference) == pytest.approx(0, abs=1e-12)


@given(maps, maps)
def test_classes_hold_every_cell_once_and_their_errors_add_up(estimate, reference):
    scores = metrics.by_class(estimate, reference)
    both = np.isfinite(estimate) & np.isfinite(reference)
    assert sum(score.count for score in scores) == both.sum()
    squares = sum(score.count * score.rmse**2 for score in scores if score.count)
    if both.any():
        assert metrics.rmse(estimate, reference) ** 2 == pytest.approx(squares / both.sum())


@pytest.mark.parametrize(("sic", "index"), [(0.0, 0), (0.05, 0), (0.1, 1), (0.999, 9), (1.0, 9)])
def test_a_concentration_has_its_class(sic, index):
    counts = [score.count for score in metrics.by_class(np.array([0.5]), np.array([sic]))]
    assert counts.index(1) == index
    assert sum(counts) == 1


def test_false_and_lost_ice_count_what_they_say():
    reference = np.array([0, 0, 0, 0, 0.5, 0.9, 0.1, np.nan, 0])
    estimate = np.array([0, 0.1, 0.2, 0.9, 0.1, 0.9, 0.9, 0.9, np.nan])
    assert metrics.false_ice(estimate, reference) == 2 / 4
    assert metrics.lost_ice(estimate, reference) == 1 / 2


@pytest.mark.parametrize("shift", [0, 1, 7])
def test_straight_edges_are_apart_by_their_shift(shift):
    found = metrics.edge_distance(half_plane(20 + shift), half_plane(20), 6.25)
    assert found == pytest.approx(6.25 * shift)


def test_concentric_edges_are_apart_by_the_difference_of_radii():
    y, x = np.mgrid[-60:61, -60:61]
    distance = np.hypot(x, y)
    found = metrics.edge_distance(1.0 * (distance < 30), 1.0 * (distance < 40), 1.5625)
    assert found == pytest.approx(15.625, rel=0.05)


def test_a_coast_is_no_ice_edge():
    """Ice against land has no edge; only the edge against water counts."""
    reference, estimate = half_plane(20), half_plane(25)
    for sic in (reference, estimate):
        sic[:5] = np.nan
        sic[:, :3] = np.nan
    assert metrics.edge_distance(estimate, reference, 1.0) == pytest.approx(5)
    assert math.isnan(metrics.edge_distance(np.ones((4, 4)), half_plane(2, (4, 4)), 1.0))


@given(maps, maps)
def test_edge_distance_does_not_care_who_is_the_reference(a, b):
    forth, back = metrics.edge_distance(a, b, 3.0), metrics.edge_distance(b, a, 3.0)
    assert forth == pytest.approx(back, nan_ok=True)


def test_extent_area_and_integrated_error():
    reference, estimate = np.zeros((2, 10)), np.zeros((2, 10))
    reference[0, :4], estimate[0, 2:8] = 1.0, 0.5
    assert metrics.extent_error(estimate, reference, 39.0) == pytest.approx(2 * 39)
    assert metrics.area_error(estimate, reference, 39.0) == pytest.approx(-1 * 39)
    assert metrics.integrated_edge_error(estimate, reference, 39.0) == pytest.approx(6 * 39)
    each = np.full((2, 10), 39.0)
    assert metrics.extent_error(estimate, reference, each) == pytest.approx(2 * 39)


def test_true_sigmas_cover_as_the_normal_law_says():
    rng = np.random.default_rng(0)
    reference, sigma = np.full((200, 200), 0.5), np.full((200, 200), 0.05)
    estimate = reference + sigma * rng.standard_normal(reference.shape)
    estimate[0] = np.nan
    assert metrics.coverage(estimate, reference, sigma, 1) == pytest.approx(0.683, abs=0.01)
    assert metrics.coverage(estimate, reference, sigma, 2) == pytest.approx(0.954, abs=0.01)


def test_nothing_to_compare_is_nan():
    nothing = np.full((3, 3), np.nan)
    found = metrics.summary(nothing, nothing, 1.0)
    assert found["count"] == 0
    assert math.isnan(found["rmse"])
    assert math.isnan(found["false_ice"])
