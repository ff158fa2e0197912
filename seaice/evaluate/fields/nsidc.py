"""NOAA/NSIDC's climate data record G02202, and near-real-time G10016, as other maps are written.

Source of the layout: NSIDC, "NOAA/NSIDC Climate Data Record of Passive Microwave Sea Ice
Concentration" (doi 10.7265/efmz-2t65), versions 4 to 6. Version 4 has dimensions tdim, y, x with
their positions in `time`, `ygrid`, `xgrid`; codes 251 to 254 (pole hole, lake, coast, land) among
hundredths; and a grid mapping that some readers do not accept.
"""

import numpy as np
import xarray as xr

__all__ = ["observed", "plain"]

NAME = "cdr_seaice_conc"
#: In versions 4, and 5 and 6; above 0 where the value was interpolated.
INTERPOLATED = (
    *("spatial_interpolation_flag", "temporal_interpolation_flag"),
    *("cdr_seaice_conc_interp_spatial_flag", "cdr_seaice_conc_interp_temporal_flag"),
)
NORTHERN = 4.35e6  #: m, y that only the northern grid reaches


def plain(dataset: xr.Dataset) -> xr.Dataset:
    """The record with coordinates time, y and x and its CRS; any other dataset as it is."""
    if NAME not in dataset:
        return dataset
    if "tdim" in dataset.dims:
        dataset = dataset.set_coords("time").swap_dims(tdim="time")
    for axis in ("x", "y"):
        if f"{axis}grid" in dataset and axis in dataset.dims:
            centres = dataset[f"{axis}grid"]
            dataset = dataset.assign_coords({axis: (axis, centres.values, centres.attrs)})
    return dataset.assign_attrs(crs=_crs(dataset))


def observed(dataset: xr.Dataset) -> xr.Dataset:
    """The record of one day without what was interpolated from other cells or days."""
    if NAME not in dataset:
        return dataset
    for name in INTERPOLATED:
        if name in dataset:
            kept = np.nan_to_num(dataset[name].values.astype(float)) == 0
            dataset = dataset.assign({NAME: dataset[NAME].where(kept)})
    return dataset


def _crs(dataset: xr.Dataset) -> str:
    """The plane of NSIDC that the file lies on: of its hemisphere, on Hughes' ellipsoid."""
    for mapping in ("projection", "crs"):
        pole = dataset.get(mapping, xr.DataArray()).attrs.get("latitude_of_projection_origin")
        if pole is not None:
            return "EPSG:3411" if float(pole) > 0 else "EPSG:3412"
    down = next((dataset[name] for name in ("y", "ygrid") if name in dataset.coords), None)
    north = down is None or float(down.max()) > NORTHERN
    return "EPSG:3411" if north else "EPSG:3412"
