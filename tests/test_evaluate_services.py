"""Files laid out as services publish theirs are read as what they say, in the right place."""

from datetime import date

import numpy as np
import pytest
import xarray as xr
from pyproj import CRS, Transformer

from seaice.errors import NoInputError
from seaice.evaluate.fields.open import open_field
from tests.support.maps import north_up, smooth

NORTH = (-3_850_000.0, 5_850_000.0)
SOUTH = (-3_950_000.0, 4_350_000.0)


def centres(corner, shape, cell=25e3):
    left, top = corner
    return left + (np.arange(shape[1]) + 0.5) * cell, top - (np.arange(shape[0]) + 0.5) * cell


def hundredths(sic):
    return np.where(np.isnan(sic), 254, np.round(100 * np.nan_to_num(sic))).astype(np.uint8)


def nsidc_v4(path, sic, corner, more=()):
    """seaice_conc_daily_nh_20180417_f17_v04r00.nc: dims tdim, y, x; codes among hundredths."""
    x, y = centres(corner, sic.shape)
    pole = 90.0 if corner == NORTH else -90.0
    packed = {"units": "1", "scale_factor": 0.01, "add_offset": 0.0, "_FillValue": np.uint8(255)}
    told = packed | {"grid_mapping": "projection", "flag_values": np.uint8([251, 252, 253, 254])}
    store = xr.Dataset(
        {
            "cdr_seaice_conc": (("tdim", "y", "x"), hundredths(sic)[None], told),
            "time": ("tdim", [17638.0], {"units": "days since 1970-01-01"}),
            "xgrid": ("x", x, {"units": "meters"}),
            "ygrid": ("y", y, {"units": "meters"}),
            "projection": ((), b"", {"latitude_of_projection_origin": pole}),
            **{name: (("tdim", "y", "x"), values[None]) for name, values in dict(more).items()},
        }
    )
    store.to_netcdf(path)


def nsidc_v5(path, sic, corner, more=()):
    """sic_psn25_20180417_F17_v05r00.nc: dims time, y, x; missing 255; crs."""
    x, y = centres(corner, sic.shape)
    crs = CRS("EPSG:3411" if corner == NORTH else "EPSG:3412").to_cf()
    crs["latitude_of_projection_origin"] = 90.0 if corner == NORTH else -90.0
    raw = np.where(np.isnan(sic), 255, hundredths(sic)).astype(np.uint8)
    packed = {"units": "1", "scale_factor": 0.01, "_FillValue": np.uint8(255)}
    store = xr.Dataset(
        {
            "cdr_seaice_conc": (("time", "y", "x"), raw[None], packed | {"grid_mapping": "crs"}),
            "crs": ((), b"", crs),
            **{name: (("time", "y", "x"), values[None]) for name, values in dict(more).items()},
        },
        coords={
            "time": ("time", [17638.0], {"units": "days since 1970-01-01"}),
            "y": ("y", y, {"units": "meters"}),
            "x": ("x", x, {"units": "meters"}),
        },
    )
    store.to_netcdf(path)


@pytest.mark.parametrize("write", [nsidc_v4, nsidc_v5])
@pytest.mark.parametrize(("corner", "crs"), [(NORTH, "EPSG:3411"), (SOUTH, "EPSG:3412")])
def test_nsidc_lies_on_its_hemispheres_grid_and_codes_are_no_ice(tmp_path, write, corner, crs):
    sic = np.round(smooth((30, 40)), 2)
    sic[:3] = np.nan
    write(tmp_path / "seaice.nc", sic, corner)
    read = open_field(tmp_path / "seaice.nc", date(2018, 4, 17))
    np.testing.assert_allclose(read.sic, sic, atol=1e-6)
    assert CRS(read.grid.crs) == CRS(crs)
    assert read.grid.transform.almost_equals(north_up(*corner, 25e3), 1e-6)
    assert read.time.astype("datetime64[D]") == np.datetime64("2018-04-17")


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (nsidc_v4, "temporal_interpolation_flag"),
        (nsidc_v4, "spatial_interpolation_flag"),
        (nsidc_v5, "cdr_seaice_conc_interp_temporal_flag"),
        (nsidc_v5, "cdr_seaice_conc_interp_spatial_flag"),
    ],
)
def test_what_nsidc_interpolated_is_no_observation(tmp_path, write, name):
    sic = np.round(smooth((30, 40)), 2)
    filled = np.zeros(sic.shape, np.uint8)
    filled[10:12, 5:9] = 11
    write(tmp_path / "seaice.nc", sic, NORTH, {name: filled})
    np.testing.assert_array_equal(np.isnan(open_field(tmp_path / "seaice.nc").sic), filled > 0)


# OSI SAF


def osisaf(path, sic, flags, attributes, **more):
    """ice_conc_nh_polstere-100_multi_201804171200.nc: 10 km, percent, uncertainty of unit 1."""
    x, y = centres(NORTH, sic.shape, 10e3)
    mapping = CRS("EPSG:3411").to_cf() | {"latitude_of_projection_origin": 90.0}
    percent = {"units": "%", "grid_mapping": "Polar_Stereographic_Grid"}
    store = xr.Dataset(
        {
            "ice_conc": (("time", "yc", "xc"), 100 * sic[None], percent),
            "status_flag": (("time", "yc", "xc"), flags[None], attributes),
            "Polar_Stereographic_Grid": ((), b"", mapping),
            **{name: (("time", "yc", "xc"), *rest) for name, rest in more.items()},
        },
        coords={
            "time": [np.datetime64("2018-04-17T12:00", "ns")],
            "yc": ("yc", y / 1e3, {"units": "km"}),
            "xc": ("xc", x / 1e3, {"units": "km"}),
        },
    )
    store.to_netcdf(path)


MEANINGS = "land lake open_water_filtered land_spill_over high_t2m spatial_interpolation"


@pytest.mark.parametrize(
    "masks", [np.uint8([1, 2, 4, 8, 16, 32]), "1 2 4 8 16 32", "1b, 2b, 4b, 8b, 16b, 32b"]
)
def test_flags_of_osisaf_are_honoured(tmp_path, masks):
    sic = smooth((30, 40))
    flags = np.zeros(sic.shape, np.uint8)
    flags[0], flags[1], flags[2], flags[3] = 1, 2, 4, 32
    flags[4] = 4 | 32
    told = {"flag_masks": masks, "flag_meanings": MEANINGS}
    deviation = np.full((1, *sic.shape), 0.07, np.float32), {"units": "1"}
    osisaf(tmp_path / "ice.nc", sic, flags, told, total_uncertainty=deviation)
    read = open_field(tmp_path / "ice.nc")
    absent = np.isin(np.arange(30), [0, 1, 3, 4])  # a filtered cell keeps its value
    np.testing.assert_array_equal(np.isnan(read.sic).all(axis=1), absent)
    np.testing.assert_allclose(read.sic[~absent], sic[~absent], atol=1e-5)
    np.testing.assert_allclose(read.half_widths, np.stack([deviation[0][0], 2 * deviation[0][0]]))
    assert read.grid.transform.almost_equals(north_up(*NORTH, 10e3), 1e-6)


def test_values_as_flags_and_failed_cells_of_osisaf(tmp_path):
    sic = smooth((30, 40))
    flags = np.zeros(sic.shape, np.uint8)
    flags[5] = 2
    told = {"flag_values": np.uint8([0, 1, 2]), "flag_meanings": "nominal coastal land"}
    level = np.full((1, *sic.shape), 5, np.int8)
    level[0, 7], level[0, 8] = 1, 2
    osisaf(tmp_path / "ice.nc", sic, flags, told, confidence_level=(level,))
    absent = np.isnan(open_field(tmp_path / "ice.nc").sic).all(axis=1)
    assert np.flatnonzero(absent).tolist() == [5, 7]


# AI4Arctic / ASIP

MIDDLE = (400_000.0, -1_900_000.0)  #: on the plane, east of Greenland
PIXEL = 100.0


def plane_at(line, sample):
    """Where a pixel lies: an image turned by 30 degrees, 100 m a pixel."""
    right, down = (sample - 600) * PIXEL, (line - 400) * PIXEL
    turn = np.radians(30)
    return (
        MIDDLE[0] + np.cos(turn) * right - np.sin(turn) * down,
        MIDDLE[1] - np.sin(turn) * right - np.cos(turn) * down,
    )


def tie_points(lines=800, samples=1200):
    """Degrees of 9 x 13 points all over the image."""
    line, sample = np.meshgrid(
        np.linspace(0, lines - 1, 9), np.linspace(0, samples - 1, 13), indexing="ij"
    )
    to_ground = Transformer.from_crs("EPSG:3411", "EPSG:4326", always_xy=True)
    return line, sample, *to_ground.transform(*plane_at(line, sample))


def polygons(shape=(800, 1200)):
    """Three polygons by sample, and a corner that none covers."""
    numbers = np.broadcast_to(np.digitize(np.arange(shape[1]), [400, 800]) + 1.0, shape).copy()
    numbers[:100, :100] = np.nan
    return numbers


def raw_scene(path):
    """S1A_EW_..._icechart_dmi_..._RIC.nc: numbers of polygons, and a line of codes for each."""
    line, sample, longitude, latitude = (each.ravel() for each in tie_points())
    land = np.ones((800, 1200), np.uint8)
    land[:, 1100:] = 0
    codes = ["id;CT;CA;SA;FA;CN", "1;0;-9;-9;-9;-9", "2;46;-9;-9;-9;-9", "3;92;-9;95;8;-9"]
    xr.Dataset(
        {
            "polygon_icechart": (("sar_lines", "sar_samples"), polygons()),
            "distance_map": (("sar_lines", "sar_samples"), land),
            "polygon_codes": ("polygon", codes),
            "sar_grid_line": ("point", line),
            "sar_grid_sample": ("point", sample),
            "sar_grid_latitude": ("point", latitude),
            "sar_grid_longitude": ("point", longitude),
        }
    ).to_netcdf(path)


def ready_scene(path):
    """20180417T075030_dmi_prep.nc: tenths, and tie points as a lattice."""
    *_, longitude, latitude = tie_points()
    tenths = np.array([0, 5, 10, 255], np.uint8)[np.nan_to_num(polygons(), nan=4).astype(int) - 1]
    tenths[:, 1100:] = 255
    xr.Dataset(
        {
            "SIC": (("sar_lines", "sar_samples"), tenths),
            "sar_grid2d_latitude": (("lines2d", "samples2d"), latitude),
            "sar_grid2d_longitude": (("lines2d", "samples2d"), longitude),
        }
    ).to_netcdf(path)


@pytest.mark.parametrize("write", [raw_scene, ready_scene])
def test_a_chart_over_an_image_lies_where_its_tie_points_say(tmp_path, write):
    path = tmp_path / "20180417T075030_dmi_prep.nc"
    write(path)
    read = open_field(path)
    assert read.time == np.datetime64("2018-04-17T07:50")
    assert read.grid.cell <= 1562.5 / 2
    needed = ((200, 1, np.nan), (200, 300, 0.0), (500, 600, 0.5), (700, 1000, 1.0))
    for line, sample, sic in (*needed, (50, 50, np.nan), (500, 1150, np.nan)):
        column, row = ~read.grid.transform @ plane_at(line, sample)
        result = read.sic[int(row), int(column)]
        if (line, sample) != (200, 1):  # a cell at the rim may hold either
            np.testing.assert_equal(result, np.float32(sic), err_msg=f"{line} {sample}")
    shares = [np.sum(read.sic == value) for value in (0.0, 0.5, 1.0)]
    cells = np.array([400 * 800 - 100 * 100, 400 * 800, 300 * 800]) * PIXEL**2
    np.testing.assert_allclose(np.array(shares) * read.grid.cell**2, cells, rtol=0.03)


def test_a_chart_without_tie_points_or_ice_is_refused(tmp_path):
    raw_scene(tmp_path / "scene.nc")
    with xr.open_dataset(tmp_path / "scene.nc") as store:
        whole = store.load()
    lost = whole.drop_vars(["sar_grid_line"])
    lost.to_netcdf(tmp_path / "lost.nc")
    nobody = whole.assign(polygon_codes=("polygon", ["id;CT", "1;99", "2;-9", "3;-9"]))
    nobody.to_netcdf(tmp_path / "nobody.nc")
    for name in ("lost", "nobody"):
        with pytest.raises(NoInputError, match=name):
            open_field(tmp_path / f"{name}.nc")
