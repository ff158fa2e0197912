"""The simulated world behaves like the real one, in numbers measured on real AMSR2 samples."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import ndimage

from seaice.grid.blocks import block_mean
from seaice.grid.grid import NORTH
from seaice.instrument import CHANNELS, LOW_CHANNELS
from seaice.simulate.atmosphere import make_atmosphere
from seaice.simulate.emission import ice_table, water_table, weather_terms
from seaice.simulate.ice import _concentration, coarse_concentration
from seaice.simulate.land import _spectrum, land_brightness
from seaice.simulate.lattice import enlarge, shift
from seaice.simulate.observe import observe, passes_over
from seaice.simulate.random_fields import gaussian_field
from seaice.simulate.samples import SPLITS, draw, physics_of
from seaice.simulate.settings import (
    SEALED,
    TRAINING,
    UNSEEN,
    USUAL,
    Physics,
    draw_climate,
    draw_instrument,
)
from seaice.simulate.world import _polarized, make_world

SIDE = 64
PLACES = [(900e3, 0.0), (600e3, -900e3), (-1200e3, 800e3), (1000e3, 700e3)]
#: P = V - H at 89 GHz over real open water (south) and closed ice (north), percentiles 5, 25, 50,
#: 75, 95, from 42 639 Round Robin Data Package samples (doi 10.6084/m9.figshare.6626549).
REAL_WATER_P = (14.8, 30.7, 40.4, 47.8, 57.1)
REAL_ICE_P = (6.5, 9.0, 10.7, 12.3, 14.4)
#: Of the same samples of open water by class of vapour, kg m-2 (reanalysis): their number in the
#: south, and the mean P in both hemispheres.
VAPOUR_CLASSES = (5, 10, 15, 20)
REAL_WATER_BY_VAPOUR = (2795, 12192, 5405, 1815, 782)
REAL_WATER_P_BY_VAPOUR = (46.0, 43.8, 33.2, 22.2, 14.2)


def world_at(place, day, seed, physics=USUAL):
    row, column = NORTH.locate(*place)
    half = SIDE // 2
    grid = NORTH.crop(slice(row - half, row + half), slice(column - half, column + half))
    return make_world(grid, day, seed, np.zeros((4 * SIDE, 4 * SIDE), bool), physics)


@pytest.fixture(scope="module")
def pixels():
    """TB of all channels over open water of the whole year and over winter's closed ice."""
    water, ice = [], []
    for k in range(24):
        month = k % 12 + 1
        world = world_at(PLACES[k % 4], date(2018, month, 10), k)
        seen = world.brightness(0.0)
        high, cover = block_mean(seen.high, 2), world.ice.low_concentration
        both = np.concatenate([seen.low, high])
        water.append(both[:, cover < 0.005][:, ::5])
        if month in (1, 2, 3, 4, 10, 11, 12):
            thick = world.ice.low_emitting.min(axis=0) > 0.99
            ice.append(both[:, thick][:, ::5])
    return np.concatenate(water, axis=1), np.concatenate(ice, axis=1)


def ratio(pixels, a, b):
    va, vb = (pixels[LOW_CHANNELS.index(name)] for name in (a, b))
    return (va - vb) / (va + vb)


def filtered(pixels):
    """The published weather filters, written out again here."""
    return (ratio(pixels, "tb36v", "tb18v") >= 0.045) | (ratio(pixels, "tb23v", "tb18v") >= 0.04)


@pytest.fixture(scope="module")
def sea():
    """V - H of open water and the vapour above it, of as many small worlds as make a climate."""
    result = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seaice.simulate.atmosphere.SPAN", 16)
        for k in range(180):
            rng = np.random.default_rng(k)
            climate = draw_climate(date(2018, k % 12 + 1, 10), rng)
            air = make_atmosphere(climate, (16, 16), 6250.0, rng).at(0.0)
            sst = np.full(air.vapour.shape, 271.6 + climate.sst_warming * rng.random())
            terms = weather_terms(air.vapour, air.liquid, air.wind, sst)
            tb = _polarized(water_table().brightness(terms, air.unexplained))
            result.append((tb[-1] - tb[-2], air.vapour))
    p, vapour = (np.concatenate(values, axis=None) for values in zip(*result, strict=True))
    return p, vapour


def test_polarization_over_open_water_is_that_of_real_samples_in_air_as_wet(sea):
    """The Arctic's share of dry and wet air is not that of the samples, so each class weighs so."""
    p, vapour = sea
    classes = np.digitize(vapour, VAPOUR_CLASSES)
    means = [p[classes == each].mean() for each in range(len(REAL_WATER_P_BY_VAPOUR))]
    assert np.abs(np.array(means) - REAL_WATER_P_BY_VAPOUR).max() < 6
    weights = (np.array(REAL_WATER_BY_VAPOUR) / np.bincount(classes))[classes]
    quartiles = np.percentile(p, (25, 50, 75), weights=weights, method="inverted_cdf")
    assert np.abs(quartiles - REAL_WATER_P[1:4]).max() < 3
    assert 9 < np.sqrt(np.cov(p, aweights=weights)) < 15


def test_polarization_over_closed_winter_ice_is_as_on_real_samples(pixels):
    p = pixels[1][-1] - pixels[1][-2]
    assert np.abs(np.percentile(p, (25, 50, 75)) - REAL_ICE_P[1:4]).max() < 2.5


def test_weather_filters_zero_open_water_and_leave_closed_ice(pixels):
    assert filtered(pixels[0]).mean() > 0.99
    assert filtered(pixels[1]).mean() < 0.01


def test_open_water_never_shows_more_horizontal_than_vertical(pixels):
    water = pixels[0]
    assert (water[1::2] >= water[0::2]).all()


def test_more_vapour_and_more_cloud_lower_the_polarization_of_water():
    n = 5
    still = np.full(n, 5.0), np.full(n, 0.01), np.full(n, 7.0), np.full(n, 275.0)
    scores = np.zeros((6, n))

    def p(vapour, liquid):
        terms = weather_terms(vapour, liquid, *still[2:])
        tb = water_table().brightness(terms, scores)
        return tb[-1] - tb[-2]

    assert (np.diff(p(np.linspace(2, 20, n), still[1])) < 0).all()
    assert (np.diff(p(still[0], np.linspace(0.01, 0.4, n))) < 0).all()


def test_ice_scores_have_the_real_distribution():
    table = ice_table("north")
    uniform = np.linspace(0, 1, 4001)
    drawn = table.scores(0, uniform)
    assert np.allclose(
        np.quantile(drawn, [0.25, 0.5, 0.75]), table.quantiles[[10, 20, 30], 0], atol=0.5
    )


def test_same_seed_same_world_other_seed_other_world():
    a, b, c = (world_at(PLACES[0], date(2018, 3, 10), seed) for seed in (5, 5, 6))
    assert np.array_equal(a.brightness(7.0).high, b.brightness(7.0).high)
    assert not np.array_equal(a.brightness(7.0).high, c.brightness(7.0).high)


def test_concentration_stays_between_nothing_and_all():
    world = world_at(PLACES[0], date(2018, 7, 10), 3)
    for hours in (-60.0, 0.0, 33.0):
        cover = world.ice.at(hours).concentration
        assert cover.min() >= 0
        assert cover.max() <= 1


def test_fine_structure_is_there():
    """Within an ice cover the cells of 1.5625 km differ, as they do in charts."""
    cover = world_at(PLACES[1], date(2018, 3, 10), 1).ice.concentration
    assert (cover - enlarge(block_mean(cover, 4), 4)).std() > 0.02


def test_moving_nothing_changes_nothing_and_moving_whole_cells_rolls():
    field = gaussian_field(np.random.default_rng(0), (40, 50), 2.5, 10)
    still = np.zeros_like(field)
    assert np.array_equal(shift(field, still, still)[:-1, :-1], field[:-1, :-1])
    moved = shift(field, still + 3, still)
    assert np.allclose(moved[3:-1, :-1], field[:-4, :-1])


def test_enlarging_keeps_a_plane_inside():
    y, x = np.mgrid[:20, :30].astype(np.float32)
    larger = enlarge(2 * y + x, 4)
    rows, columns = (np.arange(n * 4) / 4 - 0.375 for n in (20, 30))
    inner = np.s_[4:-4, 4:-4]
    assert np.allclose(larger[inner], (2 * rows[:, None] + columns)[inner], atol=1e-4)


@pytest.mark.parametrize("slope", [2.0, 3.0])
def test_a_random_field_has_the_spectrum_it_was_asked_for(slope):
    field = gaussian_field(np.random.default_rng(1), (512, 512), slope, 200)
    power = np.abs(np.fft.fft2(field)) ** 2
    k = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None])
    ring = (k > 0.02) & (k < 0.3)
    fitted = np.polyfit(np.log(k[ring]), np.log(power[ring]), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.15)


@pytest.fixture(scope="module")
def alike():
    """Two worlds of one seed: the usual one, and the one whose rules no network learned."""
    return [world_at(PLACES[0], date(2018, 3, 10), 8, physics) for physics in (USUAL, UNSEEN)]


def test_training_and_validation_share_rules_that_test_and_sealed_worlds_do_not_follow():
    trained = {name for name, split in SPLITS.items() if split.physics == TRAINING}
    assert trained == {"train", "valid"}
    assert SPLITS["test"].physics == UNSEEN
    assert SPLITS["sealed"].physics == SEALED
    assert SEALED.fields not in (TRAINING.fields, USUAL.fields)
    assert SEALED.land != TRAINING.land
    assert SEALED.cells != TRAINING.cells
    assert UNSEEN.ice != USUAL.ice
    assert min(UNSEEN.unexplained, UNSEEN.noise, UNSEEN.drift) > 1


def test_unseen_ice_lies_where_the_usual_does_and_drifts_faster(alike):
    usual, unseen = (world.ice for world in alike)
    assert np.array_equal(usual.concentration, unseen.concentration)
    assert np.allclose(unseen.drift, UNSEEN.drift * usual.drift, rtol=1e-5)


def test_unseen_ice_is_that_of_the_other_hemisphere(alike):
    """In March, where nothing melts: V - H stays between the quantiles of its own real samples."""
    for world, hemisphere in zip(alike, ("north", "south"), strict=True):
        cold = (world.ice.kinds < 0.001).all(axis=0)
        assert cold.sum() > 100
        h, v = world.climate.ice_spread[-2:]
        p = (world.ice.tb89[1] - world.ice.tb89[0])[cold] - (v - h)
        real = ice_table(hemisphere).difference[1]
        assert real[0] - 0.2 < p.min() < p.max() < real[-1] + 0.2
    assert not np.allclose(alike[0].ice.tb89, alike[1].ice.tb89, atol=1)


def test_unseen_water_is_rougher_by_as_much_as_it_says():
    """V of open water, which nothing bounds: what weather leaves unexplained is added to it."""
    barents, day = (1500e3, -600e3), date(2018, 8, 10)
    calm = world_at(barents, day, 8, Physics(unexplained=0.0))
    water = calm.ice.low_concentration < 1e-6
    assert water.sum() > 1000
    vertical = [
        replace(calm, physics=Physics(unexplained=fraction)).brightness(0.0).low[1::2][:, water]
        for fraction in (0.0, 1.0, UNSEEN.unexplained)
    ]
    rest, more = (tb - vertical[0] for tb in vertical[1:])
    assert rest.std() > 0.5
    assert np.allclose(more, UNSEEN.unexplained * rest, atol=2e-3)


def test_an_unseen_instrument_is_noisier_by_as_much_as_it_says():
    world = world_at(PLACES[0], date(2018, 3, 10), 8)
    start = np.datetime64("2018-03-10T00:00", "ms")
    one = next(iter(passes_over(world.grid, start, start + np.timedelta64(1, "D"), 0)))
    seen = world.brightness(0.0)
    none, usual, unseen = (
        observe(
            replace(world, physics=Physics(noise=noise)),
            seen,
            one,
            np.random.default_rng(1),
            ("36",),
        )
        for noise in (0.0, 1.0, UNSEEN.noise)
    )
    for name in ("tb89h", "tb89v", "tb36h", "tb36v"):
        quiet, loud = ((other[name] - none[name]).values for other in (usual, unseen))
        assert np.nanstd(quiet) > 0.5
        assert np.allclose(loud, UNSEEN.noise * quiet, atol=1e-3, equal_nan=True)


def test_wet_air_holds_more_cloud(monkeypatch):
    """Median liquid by class of vapour, over the air of the whole year."""
    monkeypatch.setattr("seaice.simulate.atmosphere.SPAN", SIDE)
    airs = []
    for month in range(1, 13):
        rng = np.random.default_rng(month)
        climate = draw_climate(date(2018, month, 10), rng)
        airs.append(make_atmosphere(climate, (SIDE, SIDE), 6250.0, rng).at(0.0))
    vapour, liquid = (np.stack(v) for v in zip(*((a.vapour, a.liquid) for a in airs), strict=True))
    classes = [(vapour >= low) & (vapour < high) for low, high in ((0, 4), (4, 8), (8, 30))]
    medians = [np.median(liquid[each]) for each in classes]
    assert medians[0] < 0.5 * medians[1] < 0.25 * medians[2]


def test_leads_freeze_over_in_winter_and_stay_open_in_summer():
    winter, summer = (
        [draw_climate(date(2018, month, 10), np.random.default_rng(k)).lead_open for k in range(50)]
        for month in (2, 7)
    )
    assert 0.1 <= min(winter) <= max(winter) <= 0.6
    assert np.median(summer) > max(winter)


def test_doubts_are_calibrated_on_rules_around_those_that_judge_them():
    drawn = [physics_of(SPLITS["doubt"], n) for n in range(300)]
    assert drawn == [physics_of(SPLITS["doubt"], n) for n in range(300)]
    assert 0.4 < np.mean([each.ice == "south" for each in drawn]) < 0.6
    for name in ("unexplained", "noise", "drift"):
        values = [getattr(each, name) for each in drawn]
        assert min(values) < getattr(USUAL, name) < getattr(UNSEEN, name) < max(values)
    assert physics_of(SPLITS["test"], 5) == UNSEEN


def test_splits_share_neither_days_nor_ground():
    spans = {name: set(range(s.days[0] - 2, s.days[1] + 3)) for name, s in SPLITS.items()}
    assert not spans["train"] & spans["valid"]
    assert not spans["train"] & spans["test"]
    columns = {
        name: {c for low, high in s.columns for c in range(low, high)} for name, s in SPLITS.items()
    }
    assert not columns["train"] & columns["test"]


def test_a_draw_obeys_its_split():
    for name, split in SPLITS.items():
        for index in range(2):
            (_, column), day, _ = draw(split, index)
            assert split.days[0] <= day.day <= split.days[1], name
            assert any(low <= column <= high - 128 for low, high in split.columns), name


def test_thin_ice_loses_contrast_and_keeps_its_label():
    """Brightness moves towards water by `thin_amount` and `edge_loss` at most; the label stays."""
    worlds = [world_at(PLACES[0], date(2018, 2, 10), seed, TRAINING) for seed in range(8)]
    thin = [world for world in worlds if world.climate.thin_amount > 0]
    assert 2 <= len(thin) < 8
    for world in worlds:
        lost = world.ice.concentration - world.ice.emitting
        assert (lost >= -1e-6).all()
        kept = (1 - world.climate.thin_amount) * (1 - world.climate.edge_loss)
        assert lost.max() <= 1.1 * (1 - kept) + 1e-5
    assert any(each.ice.kinds[1].max() > 0.1 for each in thin)


def test_concentration_of_a_year_is_distributed_as_in_sar_charts():
    """14 320 charts: 42 % of cells are 0, 33 % are 100; of the ice 17 % lie between 10 and 90 %."""
    cells, asked = [], []
    for k in range(24):
        row, column = NORTH.locate(*PLACES[k % 4])
        half = SIDE // 2
        grid = NORTH.crop(slice(row - half, row + half), slice(column - half, column + half))
        rng = np.random.default_rng(k)
        climate = draw_climate(date(2018, k % 12 + 1, 15), rng)
        coarse = coarse_concentration(grid, date(2018, k % 12 + 1, 15))
        none = np.zeros_like(coarse)
        cells.append(_concentration(coarse, none, climate, rng).ravel())
        asked.append(coarse.ravel())
    sic, coarse = np.concatenate(cells), np.concatenate(asked)
    assert (sic < 0.005).mean() == pytest.approx((coarse < 0.02).mean(), abs=0.07)
    assert (sic > 0.995).mean() > 0.25
    between = ((sic > 0.1) & (sic < 0.9)).sum() / (sic > 0.005).sum()
    assert 0.08 < between < 0.3


def test_ice_stays_where_the_climatology_has_seen_it():
    """Not a cell of ice farther than 60 km from any cell with ice in that day's map."""
    day = date(2018, 4, 28)
    world = world_at((1000e3, -1300e3), day, 3)
    coarse = coarse_concentration(world.grid, day)
    away = ndimage.distance_transform_edt(coarse < 0.01) * 6.25
    cover = block_mean(world.ice.concentration, 4)
    assert (away > 60).sum() > 500
    assert cover[away > 60].max() < 0.01


def test_land_of_summer_is_as_dark_and_polarized_as_franz_josef_land():
    """18.7 GHz H 205 K and V - H 37.6 K there, full footprints; within the drawn range."""
    spectra = np.stack([_spectrum(np.random.default_rng(k), 0.8) for k in range(400)])
    h, v = (spectra[:, CHANNELS.index(name)] for name in ("tb18h", "tb18v"))
    assert np.quantile(h, 0.1) < 205 < np.quantile(h, 0.9)
    assert np.quantile(v - h, 0.1) < 37.6 < np.quantile(v - h, 0.9)
    low = spectra[:, CHANNELS.index("tb10h")]
    assert np.quantile(low, 0.1) < 212 < np.quantile(low, 0.95)
    assert (spectra[:, 1::2] > spectra[:, ::2]).all()


def test_land_shows_more_vertical_than_horizontal_everywhere():
    grid = NORTH.crop(slice(600, 664), slice(500, 564))
    land = np.ones(grid.shape, np.float32)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        climate = draw_climate(date(2018, 2 * seed + 1, 10), rng)
        tb = land_brightness(land, grid.cell, climate, TRAINING, rng)
        assert (tb[1::2] - tb[::2]).min() > 1


def test_a_nominal_instrument_has_no_errors_and_a_real_one_small_ones():
    nominal = draw_instrument(np.random.default_rng(0), 0.0)
    assert set(nominal.widths.values()) == {1.0}
    assert nominal.side_lobes == 0
    assert set(nominal.offsets) == {0.0}
    drawn = [draw_instrument(np.random.default_rng(k), 1.0) for k in range(100)]
    widths = np.array([list(each.widths.values()) for each in drawn])
    assert 0.9 < widths.min() < 0.95 < 1.05 < widths.max() < 1.11
    moved = np.array([np.hypot(*each.displaced["18"]) for each in drawn])
    assert moved.max() < 3000.1
    assert max(each.side_lobes for each in drawn) <= 0.06


def test_side_lobes_keep_a_constant_and_blur_an_edge():
    world = world_at(PLACES[0], date(2018, 3, 10), 8)
    world = replace(world, instrument=replace(world.instrument, side_lobes=0.1))
    flat = np.full((2, 4 * SIDE, 4 * SIDE), 200, np.float32)
    assert np.allclose(world._with_side_lobes(flat.copy(), ("89",), 4), 200, atol=1e-3)
    edge = flat.copy()
    edge[..., 2 * SIDE :] = 250
    seen = world._with_side_lobes(edge.copy(), ("89",), 4)
    assert seen[0, SIDE, 2 * SIDE - 1] > 200.5
    assert seen.mean() == pytest.approx(edge.mean(), abs=0.1)
