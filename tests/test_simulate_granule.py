"""A simulated granule is a genuine L1B file: independent readers find the same numbers in it."""

from datetime import date
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import xarray as xr
from pyproj import Geod

from seaice.grid.grid import NORTH
from seaice.grid.gridding import grid_day
from seaice.grid.masks import land_mask
from seaice.io.readers import read_swath
from seaice.simulate.days import _write_truth, simulate_days, truth_path
from seaice.simulate.lattice import enlarge
from seaice.simulate.orbit import PERIOD, half_orbits, looks
from seaice.simulate.world import Truth

DAY = date(2018, 3, 10)
GRID = NORTH.crop(slice(900, 948), slice(720, 768))


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    return simulate_days(DAY, DAY, GRID, 5, folder, lambda done, of: None)


def test_a_day_has_the_passes_a_day_has(granules):
    """At 82 degrees north AMSR2 sees a place from about a third of its 29 half orbits."""
    assert 7 <= len(granules) <= 15
    assert len({path.name for path in granules}) == len(granules)


def test_satpy_opens_a_granule_and_reads_the_same_kelvin(granules):
    satpy = pytest.importorskip("satpy")
    scene = satpy.Scene(filenames=[str(granules[5])], reader="amsr2_l1b")
    names = [n for n in scene.available_dataset_names() if n == "btemp_36.5v"]
    assert names
    scene.load(names)
    theirs = np.asarray(scene[names[0]].values)
    with h5py.File(granules[5]) as file:
        counts = file["Brightness Temperature (36.5GHz,V)"][:]
    present = counts < 65534
    assert np.allclose(theirs[present], counts[present] * 0.01, atol=0.006)
    ours = read_swath(granules[5])["tb36v"].values
    trimmed = np.where(present, counts * 0.01, np.nan)[30:-30]
    assert np.allclose(ours, trimmed, atol=0.006, equal_nan=True)


def test_every_fill_is_absent_after_reading(granules):
    swath = read_swath(granules[0])
    for name in ("tb89h", "tb89v", "tb6h", "tb36v"):
        values = swath[name].values
        assert np.nanmax(values) < 350
        assert np.nanmin(values) > 50


def test_neighbouring_granules_repeat_their_overlap_scans_only(granules):
    """Trimmed granules share no scan; untrimmed ones of one orbit may."""
    times = np.concatenate([read_swath(path)["time"].values for path in granules])
    assert np.unique(times).size == times.size


def test_types_and_attributes_are_those_of_the_format(granules):
    with h5py.File(granules[0]) as file:
        tb = file["Brightness Temperature (89.0GHz-A,V)"]
        assert tb.dtype == np.uint16
        assert tb.shape[1] == 486
        assert tb.attrs["SCALE FACTOR"][0] == pytest.approx(0.01)
        assert file["Latitude of Observation Point for 89A"].dtype == np.float32
        assert file["Land_Ocean Flag 89"].shape[0] == 2
        assert file.attrs["SensorShortName"][0] in (b"AMSR2", "AMSR2")
        scans = tb.shape[0]
        number = file.attrs["NumberOfScans"][0]
        assert int(number) == scans - 2 * 30


def test_the_same_seed_writes_the_same_data(granules, tmp_path):
    again = simulate_days(DAY, DAY, GRID, 5, tmp_path, lambda done, of: None)
    name = "Brightness Temperature (89.0GHz-B,H)"
    with h5py.File(granules[3]) as first, h5py.File(again[3]) as second:
        assert np.array_equal(first[name][:], second[name][:])


def test_the_truth_lies_beside_on_the_fine_grid(granules):
    land = land_mask(GRID.refine(4))
    with xr.open_dataset(truth_path(granules[0].parent, DAY)) as truth:
        assert truth["sic"].shape == GRID.refine(4).shape
        for name, low, high in (("sic", 0, 1), ("tb89h", 50, 350), ("tb89v", 50, 350)):
            values = truth[name].values
            assert values.dtype == np.float32
            assert np.array_equal(np.isnan(values), land)
            assert low <= np.nanmin(values) <= np.nanmax(values) <= high


def test_the_truth_knows_the_ice_and_the_air(granules):
    land = land_mask(GRID.refine(4))
    with xr.open_dataset(truth_path(granules[0].parent, DAY)) as truth:
        kind, sic = truth["ice_kind"].values, truth["sic"].values
        assert set(np.unique(kind[~land])) <= {0, 1, 2, 3}
        assert ((kind > 0) != (sic > 0))[~land].mean() < 1e-4  # a tie may round either way
        for name, units, most in (
            ("ice_kind", "1", 3),
            ("vapour", "kg m-2", 30.1),
            ("liquid", "kg m-2", 0.81),
        ):
            values = truth[name]
            assert np.array_equal(values.isnull(), land)
            assert (values.min() >= 0) & (values.max() <= most)
            assert values.attrs["units"] == units
            assert values.attrs["long_name"]
        assert "0 open water, 1 cold, 2 thin, 3 melting" in truth["ice_kind"].attrs["long_name"]


def test_the_truth_is_packed_finer_than_anyone_can_measure(tmp_path):
    """What is read differs from what was simulated by half a step at most."""
    sic = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    tb = np.stack([100 + 180 * sic, 150 + 120 * sic])
    coarse = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16)
    kinds = np.stack([0.3 + sic, 0.5 * sic])
    known = Truth(sic=sic, tb=tb, kinds=kinds, vapour=1 + 20 * coarse, liquid=0.3 * coarse)
    world = SimpleNamespace(
        day=DAY, grid=GRID.crop(slice(0, 16), slice(0, 16)), land=sic > 0.9, truth=lambda _: known
    )
    layers = {"sic": (sic, 0.0026), "tb89h": (tb[0], 0.051), "tb89v": (tb[1], 0.051)}
    layers["vapour"] = enlarge(known.vapour, 4), 0.051
    layers["liquid"] = enlarge(known.liquid, 4), 0.000051
    with xr.open_dataset(_write_truth(world, DAY, {}, tmp_path)) as truth:
        sea = sic <= 0.9
        for name, (values, step) in layers.items():
            assert np.abs(truth[name].values - values)[sea].max() < step
            assert np.isnan(truth[name].values[~sea]).all()


@pytest.mark.parametrize(
    ("sic", "melting", "thin", "kind"),
    [
        (0.0, 0.9, 0.4, 0),
        (1e-9, 0.9, 0.4, 0),
        (0.5, 0.1, 0.1, 1),
        (1.0, 0.1, 0.3, 2),
        (0.2, 0.8, 0.3, 3),
    ],
)
def test_ice_is_of_the_kind_that_most_of_it_is(tmp_path, sic, melting, thin, kind):
    fine, coarse = np.ones((64, 64), np.float32), np.ones((16, 16), np.float32)
    known = Truth(
        sic=sic * fine,
        tb=np.stack([200 * fine, 220 * fine]),
        kinds=np.stack([melting * fine, thin * fine]),
        vapour=coarse,
        liquid=coarse / 10,
    )
    world = SimpleNamespace(
        day=DAY, grid=GRID.crop(slice(0, 16), slice(0, 16)), land=0 * fine, truth=lambda _: known
    )
    with xr.open_dataset(_write_truth(world, DAY, {}, tmp_path)) as truth:
        assert (truth["ice_kind"] == kind).all()


def test_the_orbit_repeats_after_sixteen_days():
    first = half_orbits(np.datetime64("2018-04-15", "ms"), np.datetime64("2018-04-16", "ms"))[4]
    time = first.start + np.arange(0, 900_000, 60_000).astype("timedelta64[ms]")
    now, later = looks(time, 27), looks(time + np.timedelta64(16, "D"), 27)
    assert np.allclose(now.latitude, later.latitude, atol=0.02)
    assert pytest.approx(5933, abs=1) == PERIOD


def test_scan_geometry_is_that_of_amsr2():
    """Swath about 1600 km, scans about 10 km apart, horn B between the scans of horn A."""
    orbit = half_orbits(np.datetime64("2018-04-15", "ms"), np.datetime64("2018-04-16", "ms"))[3]
    time = orbit.start + (np.arange(900, 906) * 1500).astype("timedelta64[ms]")
    seen, geod = looks(time), Geod(ellps="WGS84")

    def distance(a, b):
        (ha, sa, pa), (hb, sb, pb) = a, b
        place = seen.longitude[ha, sa, pa], seen.latitude[ha, sa, pa]
        return geod.inv(*place, seen.longitude[hb, sb, pb], seen.latitude[hb, sb, pb])[2] / 1000

    assert distance((0, 0, 0), (0, 0, -1)) == pytest.approx(1600, abs=30)
    assert distance((0, 0, 243), (0, 1, 243)) == pytest.approx(10.1, abs=0.5)
    nearest = min(distance((0, 0, 243), (1, scan, 243)) for scan in range(6))
    assert 3.5 < nearest < 6.5


def test_what_is_made_of_simulated_granules_says_so(granules):
    assert read_swath(granules[0]).attrs["origin"] == "simulated"
    assert grid_day([read_swath(granules[0])], GRID, DAY).attrs["origin"] == "simulated"
