"""Lines of the reality check: ranges, verdicts, estimators, and what may be stored."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pipelines.research.reality.comparison import (
    TIMES,
    Line,
    as_csv,
    compare_figures,
    figure_key,
    half_spread,
    period,
    summary,
    table,
)
from pipelines.research.reality.fields import (
    modis_concentration,
    packaged_fields,
    update_modis_fields,
)
from pipelines.research.reality.observations import (
    CHART_BINS,
    chosen_boxes,
    point_figures_by_half,
    read_charts,
)
from pipelines.research.reality.run import (
    WorldCounts,
    read_real_figures,
    read_real_tables,
    simulate,
    update_real_figures,
)
from pipelines.research.reality.samples import class_weights
from pipelines.research.reality.simulation import box_worlds, chart_lines
from pipelines.research.reality.statistics import (
    COASTAL_CHANNELS,
    SCENE_CHANNELS,
    GriddedScene,
    chart_fractions,
    closed_ice_slopes,
    coastal_regression,
    detail,
    footprint_mean,
    interior_land,
    mixture_regression,
)
from seaice.errors import NoInputError
from seaice.instrument import CHANNELS
from seaice.simulate.derive import fitted_half

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
REAL = SHARED / "real"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="needs the files of real observations")
GROUPS = {
    "open water",
    "closed ice",
    "filters",
    "weather",
    "brightness spectra",
    "concentration spectra",
    "fine structure",
    "land",
    "distribution",
    "scene statistics",
}


def line(simulated, rule="halves", **kind):
    """A line whose real value is 10 and whose range is 8 to 12."""
    values = {"group": "g", "place": "p", "name": "n", "unit": "K", "real": 10.0}
    return Line(**values, simulated=simulated, low=8.0, high=12.0, rule=rule, **kind)


@pytest.mark.parametrize(
    ("simulated", "within"), [(8.0, True), (12.0, True), (7.99, False), (12.01, False)]
)
def test_a_line_is_within_range_up_to_its_ends(simulated, within):
    assert line(simulated).within is within
    assert line(simulated).excess == pytest.approx(abs(simulated - 10) / 2)


def test_a_figure_that_the_simulation_lacks_is_outside():
    name = figure_key("open water", "sea", "median", "K")
    (result,) = compare_figures({name: {"value": 10.0, "spread": 100.0, "rule": "halves"}}, {})
    assert np.isnan(result.simulated)
    assert result.verdict == "outside"


def test_ranges_are_twice_the_spread_and_never_closer_than_the_calibration():
    wide, close = figure_key("g", "p", "wide", "K"), figure_key("g", "p", "close", "K")
    fraction = figure_key("g", "p", "share", "1")
    real = {
        wide: {"value": 100.0, "spread": 4.0, "rule": "halves"},
        close: {"value": 100.0, "spread": 0.1, "rule": "halves"},
        fraction: {"value": 0.5, "spread": 0.1, "rule": "halves"},
    }
    result = compare_figures(real, dict.fromkeys(real, 100.0))
    half_widths = [x.high - x.real for x in result]
    assert half_widths == pytest.approx([TIMES * 4.0, 1.5, TIMES * 0.1])


def test_a_world_by_world_range_grows_with_the_spread_of_the_worlds():
    name = figure_key("land", "coast", "10.7 GHz H", "K")
    real = {name: {"value": 200.0, "rule": "worlds"}}
    (result,) = compare_figures(real, {name: (220.0, 10.0, 4)})
    assert result.simulated == 220.0
    assert result.high == pytest.approx(200 + 2 * 10 * np.sqrt(1.25))
    (narrow,) = compare_figures(real, {name: (220.0, 2.0, 4)})
    assert not narrow.within
    ratio = figure_key("thin ice", "coast", "slope", "K/K")
    (exact,) = compare_figures({ratio: {"value": 1.0, "rule": "worlds"}}, {ratio: (1.1, 0.0, 4)})
    assert not exact.within  # no calibration error in a ratio


def test_the_packaged_figures_agree_with_themselves_and_a_shift_of_the_range_is_seen():
    """Shifting every figure by a little more than its range puts every line outside."""
    figures = read_real_figures()["figures"]
    own = compare_figures(figures, {name: figure["value"] for name, figure in figures.items()})
    assert {x.group for x in own} == GROUPS
    assert all(x.within for x in own)
    shifted = {
        name: x.high + 0.01 * (x.high - x.low) + 1e-9
        for name, x in zip(figures, own, strict=True)
        if x.rule != "limit"
    }
    verdicts = {x.verdict for x in compare_figures({n: figures[n] for n in shifted}, shifted)}
    assert verdicts == {"outside"}


def test_csv_and_tables_show_every_line_and_no_value_that_may_not_be_stored():
    result = [line(9.0), line(13.25, stored=False)]
    rows = list(csv.DictReader(io.StringIO(as_csv(result))))
    assert [row["verdict"] for row in rows] == ["within", "outside"]
    assert rows[0]["real"] == "10"
    for text in (as_csv(result), table(result)):
        assert "13.25" not in text
        assert "1.62" in text  # half-widths off: a score
    assert "13.25" in as_csv(result, everything=True)
    assert "| all | 2 | 1 (50 %) |" in summary(result)


def test_no_figure_of_a_scene_that_may_not_be_redistributed_is_packaged():
    names = [name.split("|") for name in read_real_figures()["figures"]]
    assert not {"coasts", "thin ice"} & {group for group, *_ in names}
    assert {place for group, place, *_ in names if group == "land"} == {
        "Franz Josef Land, August 2019"
    }
    page = Path(__file__).parent.parent / "docs" / "reality.csv"
    for row in csv.DictReader(page.open()):
        if row["group"] in {"coasts", "thin ice"}:
            assert row["real"] == row["simulated"] == row["low"] == "-"


@pytest.mark.parametrize("count", [100, 400])
def test_two_halves_differ_by_twice_the_standard_error(count):
    """Independent oracle: for n independent samples the difference has 2 s / sqrt(n)."""
    values = np.random.default_rng(3).normal(0, 5, count)
    spread = half_spread(np.arange(count), lambda half: {"mean": float(values[half].mean())})
    assert spread["mean"] == pytest.approx(2 * values.std() / np.sqrt(count), rel=0.35)


def test_blocks_stay_whole_so_that_repeated_samples_do_not_narrow_the_range():
    values = np.repeat(np.random.default_rng(4).normal(0, 5, 50), 20)
    blocks = np.repeat(np.arange(50), 20)
    spread = half_spread(blocks, lambda half: {"mean": float(values[half].mean())})
    assert spread["mean"] == pytest.approx(2 * values.std() / np.sqrt(50), rel=0.35)
    split = half_spread(np.arange(1000), lambda half: {"mean": float(values[half].mean())})
    assert split["mean"] < spread["mean"] / 2


def test_fitted_and_judged_samples_never_share_a_day():
    time = np.datetime64("2017-01-01T00:00", "ns") + np.arange(8000) * np.timedelta64(1, "h")
    fitted = fitted_half(xr.Dataset({"time": ("sample", time)}))
    days = time.astype("datetime64[D]")
    assert 0.48 < fitted.mean() < 0.52
    assert not set(days[fitted]) & set(days[~fitted])
    assert len(set(period(time)[fitted]) & set(period(time)[~fitted])) == 0


def test_weights_give_each_class_its_share():
    values = np.r_[np.full(90, 1.5), np.full(10, 2.5)]
    weight = class_weights(values, np.array([0.25, 0.75]), np.array([1.0, 2.0, 3.0]))
    assert weight[values < 2].sum() / weight.sum() == pytest.approx(0.25)


def scene(tb, land=None, sic=None, side=60):
    """A scene of one TB field in all channels."""
    coarse = np.zeros((side, side), bool) if land is None else land
    fine = np.repeat(np.repeat(coarse, 4, 0), 4, 1)
    ice = np.zeros((side, side)) if sic is None else sic
    return GriddedScene(
        tb=np.broadcast_to(tb, (len(CHANNELS), side, side)).astype(float),
        land=fine,
        sic=np.where(coarse, np.nan, ice),
    )


def test_coastal_regression_finds_the_land_it_was_made_with():
    land = np.zeros((60, 60), bool)
    for row, column in np.random.default_rng(5).integers(3, 54, (30, 2)):
        land[row : row + 3, column : column + 4] = True
    ice = np.zeros((60, 60))
    ice[:, :30] = 0.8
    tb = np.stack(
        [
            100 + 110 * footprint_mean(land.astype(float), name)
            + 90 * footprint_mean(np.where(land, 0, ice), name)
            for name in CHANNELS
        ]
    )  # fmt: skip
    result = coastal_regression(scene(tb, land, ice))
    for name in COASTAL_CHANNELS:
        assert result[f"{name} land"] == pytest.approx(210, abs=0.01), name
        assert result[f"{name} slope"] == pytest.approx(110, abs=0.01), name
        assert result[f"{name} residual"] == pytest.approx(0, abs=0.01), name


def test_open_sea_has_no_coast_no_land_and_no_closed_ice():
    sea = scene(np.full((60, 60), 150.0))
    assert coastal_regression(sea) == interior_land(sea) == closed_ice_slopes(sea) == {}


def test_interior_land_is_measured_far_from_the_sea_only():
    land = np.ones((60, 60), bool)
    land[:, :20] = False
    columns = np.arange(60)
    tb = np.broadcast_to(np.where(columns < 27, 300.0, 170.0), (60, 60))
    result = interior_land(scene(tb, land))
    assert result["tb10h median"] == 170
    assert result["tb10h spread"] == 0


def test_slopes_of_thin_ice_are_ratios_of_contrasts():
    """Ice that loses a fraction of its contrast in every channel: slopes are contrast ratios."""
    fraction = np.random.default_rng(0).uniform(0, 0.6, (60, 60))
    contrast = {name: 10.0 + 5 * k for k, name in enumerate(CHANNELS)}
    tb = np.stack([240 - contrast[name] * fraction for name in CHANNELS])
    result = closed_ice_slopes(scene(tb, sic=np.ones((60, 60))))
    for name in ("tb18h", "tb18v", "tb89h", "tb89v"):
        assert result[f"{name} slope"] == pytest.approx(contrast[name] / contrast["tb36h"])


def test_chart_fractions_count_cells_by_hand():
    counts = np.array([[50, 10, 0, 0, 0, 20, 0, 0, 0, 0, 10, 10], [100] + [0] * 11], float)
    result = chart_fractions(counts)
    assert result["ice-free"] == pytest.approx(160 / 200)
    assert result["partial"] == pytest.approx(20 / 40)
    assert result["closed"] == pytest.approx(20 / 40)
    assert result["partial per chart"] == pytest.approx(20 / 100)


def test_mixture_regression_finds_its_end_members():
    rng = np.random.default_rng(2)
    fractions = rng.dirichlet([1, 1, 1], 60)
    members = rng.uniform(80, 260, (3, len(SCENE_CHANNELS)))
    noise = rng.normal(0, 2, (60, len(SCENE_CHANNELS)))
    result = mixture_regression(fractions, fractions @ members + noise)
    for k, name in enumerate(SCENE_CHANNELS):
        assert result[f"{name} water"] == pytest.approx(members[0, k], abs=3)
        assert result[f"{name} ice"] == pytest.approx(members[1, k], abs=3)
        assert result[f"{name} residual"] == pytest.approx(2, rel=0.35)
    assert mixture_regression(fractions[:7], (fractions @ members)[:7]) == {}


def test_detail_of_noise_is_its_standard_deviation_and_of_a_plane_nothing():
    noise = 0.5 + 0.1 * np.random.default_rng(0).standard_normal((128, 128))
    assert detail(noise, 1.5, (12.0,))[0] == pytest.approx(0.1, rel=0.05)
    plane = np.broadcast_to(np.linspace(0.2, 0.8, 128), (128, 128))
    assert detail(plane, 1.5, (7.5,))[0] == pytest.approx(0, abs=0.01)


def test_modis_images_give_the_fraction_of_bright_cells_and_no_value_under_cloud():
    rng = np.random.default_rng(0)
    ice = rng.random((60, 60)) < 0.7
    true = np.where(ice, 230, 20)[None].repeat(3, 0)
    false = np.full((3, 60, 60), 5)
    false[0, :6, :6] = 200  # cloud
    sic = modis_concentration(true, false)
    assert sic.shape == (10, 10)
    assert np.isnan(sic[0, 0])
    assert np.isnan(sic).sum() == 1
    assert sic[3, 4] == pytest.approx(ice[18:24, 24:30].mean())


def test_packaged_images_are_concentrations():
    for day, sic in packaged_fields().items():
        assert 0.5 < np.nanmean(sic) < 1, day
        assert np.nanmin(sic) >= 0
        assert np.nanmax(sic) <= 1


def test_missing_files_are_named(tmp_path):
    with pytest.raises(NoInputError, match="no file of real observations"):
        update_real_figures(tmp_path)
    with pytest.raises(NoInputError, match="20250507"):
        update_modis_fields(tmp_path)


def test_worlds_lie_in_the_middle_of_their_charts():
    charts = [{"day": "2024-03-10", "x": 1_000_000, "y": -500_000}]
    (world,) = box_worlds(charts)
    left, bottom, right, top = world.grid.bounds
    assert (left + right) / 2 == pytest.approx(1_000_000, abs=6250)
    assert (top + bottom) / 2 == pytest.approx(-500_000, abs=6250)
    assert world.day.isoformat() == "2024-03-10"
    figures, counts = chart_lines(charts)
    assert sum(counts["spring"]) == (world.land < 0.5).sum()
    assert figures[figure_key("distribution", "spring", "ice-free", "1")] <= 1


@needs_real
def test_packaged_figures_follow_from_the_files():
    figures, shares = point_figures_by_half(REAL / "rrdp_amsr2_points.nc")
    kept = read_real_figures()
    assert shares == kept["shares"]
    for name, figure in figures.items():
        assert kept["figures"][name]["value"] == pytest.approx(figure["value"]), name
        assert kept["figures"][name]["spread"] == pytest.approx(figure["spread"]), name
    charts = read_charts(REAL / "asip_sic_histograms.csv.gz")
    assert chosen_boxes(charts, 24) == kept["boxes"]


@needs_real
def test_chosen_charts_stand_for_their_season():
    """Few boxes, the same ice-free fraction as all charts of the season within 5 %."""
    charts = read_charts(REAL / "asip_sic_histograms.csv.gz")
    boxes = chosen_boxes(charts, 24)
    winter = [box for box in boxes if box["day"][5:7] in ("12", "01", "02")]
    assert len(winter) == 24
    middle = charts.assign(
        x=((charts.x0 + charts.x1) / 2).round(), y=((charts.y0 + charts.y1) / 2).round()
    )
    rows = [middle[(middle.x == b["x"]) & (middle.y == b["y"])].iloc[0] for b in winter]
    counts = np.array([[row[name] for name in CHART_BINS] for row in rows], float)
    of_all = middle[middle.time.dt.month.isin((12, 1, 2))][list(CHART_BINS)].to_numpy(float)
    means = [(c / c.sum(axis=1, keepdims=True))[:, 0].mean() for c in (counts, of_all)]
    assert means[0] == pytest.approx(means[1], abs=0.05)


@pytest.mark.slow
def test_simulated_worlds_give_every_packaged_line_and_open_water_agrees():
    """A small run: every packaged line has a simulated value."""
    kept = read_real_figures()
    world_counts = WorldCounts(samples=1, coasts=2, maps=1, boxes=10, edges=3)
    tables, figures, edges = simulate(read_real_tables(), kept, world_counts)
    result = compare_figures(kept["figures"], figures)
    missing = [x.name for x in result if not np.isfinite(x.simulated)]
    assert not missing
    assert json.dumps(tables)
    assert len(edges) == 3
    assert all(x.within for x in result if x.group == "filters")
    for group in ("open water", "weather"):  # few worlds: single lines may be outside
        assert np.median([x.excess for x in result if x.group == group]) < 1, group
