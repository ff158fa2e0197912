"""Made maps of concentration, with land, gaps and an edge, and files that hold them."""

import numpy as np
import rasterio
import xarray as xr
from affine import Affine

NORTH_WKT = "EPSG:3411"


def half_plane(column, shape=(40, 60)):
    """Ice to the left of a column, open water from there on."""
    return np.where(np.arange(shape[1]) < column, 1.0, 0.0) * np.ones(shape)


def smooth(shape, seed=0):
    """A smooth map of 0-1 with closed ice, open water and all between."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    a, b, c = random.uniform(2, 5, 3)
    return np.clip(0.5 + 0.9 * np.sin(a * x + c) * np.cos(b * y), 0, 1).astype(np.float32)


def write_truth(path, sic, left, top, cell, time="2020-03-03T12:00"):
    """A truth as `seaice simulate` writes it, on EPSG:3411."""
    rows, columns = sic.shape
    xr.Dataset(
        {"sic": (("y", "x"), sic.astype(np.float32), {"units": "1"})},
        coords={
            "y": top - (np.arange(rows) + 0.5) * cell,
            "x": left + (np.arange(columns) + 0.5) * cell,
            "time": np.datetime64(time, "ns"),
        },
        attrs={"crs": "EPSG:3411", "date": time[:10]},
    ).to_netcdf(path)


def write_osisaf(path, sic, days):
    """OSI SAF's layout: EASE2, km, several days, percent, the same map each day but the last."""
    rows, columns = sic.shape
    half = np.round(np.nan_to_num(sic, nan=1.275) * 200).astype(np.uint8)  # 255: absent
    maps = np.repeat(half[None], len(days), axis=0)
    maps[-1][maps[-1] != 255] = 0
    store = xr.Dataset(
        {"ice_conc": (("time", "yc", "xc"), maps)},
        coords={
            "time": np.array(days, "datetime64[ns]") + np.timedelta64(12, "h"),
            "yc": ("yc", 1000.0 - 25 * np.arange(rows), {"units": "km"}),
            "xc": ("xc", -1000.0 + 25 * np.arange(columns), {"units": "km"}),
        },
        attrs={"title": "made, EASE2 25 km (EPSG:6931)"},
    )
    store["ice_conc"].attrs = {"units": "%", "scale_factor": 0.5, "_FillValue": np.uint8(255)}
    store.to_netcdf(path)


def write_bremen(path, sic, left, top):
    """Bremen's layout: rows from the bottom up, a GeoTransform that says the opposite, percent."""
    rows, columns = sic.shape
    store = xr.Dataset(
        {
            "z": (("y", "x"), 100 * sic[::-1].astype(np.float32), {"grid_mapping": "stere"}),
            "stere": ((), b"", _polar_stereographic(left, top)),
        },
        coords={
            "y": ("y", top - 6250.0 * (rows - np.arange(rows) - 0.5), {"units": "m"}),
            "x": ("x", left + 6250.0 * (np.arange(columns) + 0.5), {"units": "m"}),
        },
    )
    store.to_netcdf(path)


def _polar_stereographic(left, top):
    from pyproj import CRS

    return CRS("EPSG:3411").to_cf() | {"GeoTransform": f"{left} 6250 0 {top} 0 -6250 "}


def write_chart(path, values, transform, crs="EPSG:3411", **more):
    """A GeoTIFF of one band, of whatever type the values are."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=values.shape[1],
        height=values.shape[0],
        count=1,
        dtype=values.dtype,
        crs=crs,
        transform=transform,
        **more,
    ) as raster:
        raster.write(values, 1)


def north_up(left, top, cell):
    return Affine(cell, 0.0, left, 0.0, -cell, top)
