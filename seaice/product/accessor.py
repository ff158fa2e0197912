"""What `.seaice` does on an opened product."""

from typing import TYPE_CHECKING, overload

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from seaice.errors import UnknownNameError
from seaice.grid.grid import grid_of
from seaice.grid.projection import cell_areas
from seaice.product.cell import Cell, cell_at, cells_at, one_day
from seaice.sic.flags import Flag
from seaice.write.vectors.ice_chart import EDGE, ice_edge

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ProductAccessor"]

KM = 1e-3


@xr.register_dataset_accessor("seaice")  # type: ignore[no-untyped-call]
class ProductAccessor:
    """A product's own questions: `product.seaice.plot()`, `.at(30, 80)`, `.flag("coast")`."""

    def __init__(self, product: xr.Dataset) -> None:
        self._product = product

    @overload
    def at(self, longitude: float, latitude: float) -> Cell: ...

    @overload
    def at(self, longitude: ArrayLike, latitude: ArrayLike) -> Cell | xr.Dataset: ...

    def at(self, longitude: ArrayLike, latitude: ArrayLike) -> Cell | xr.Dataset:
        """What is known of a place, or of several, in degrees east and north.

        Parameters
        ----------
        longitude, latitude : numbers, or arrays of one dimension and one length

        Returns
        -------
        Cell or xr.Dataset
            One place on one day: a `Cell` with its reasons in words; print it. Otherwise the
            product's variables, (point,), (time,) or (time, point).

        Raises
        ------
        SettingsError
            If a place lies outside the product.
        """
        days = self._product.sizes.get("time", 1)
        if np.ndim(longitude) == np.ndim(latitude) == 0 and days == 1:
            east, north = np.asarray(longitude, float), np.asarray(latitude, float)
            return cell_at(one_day(self._product, "at"), float(east), float(north))
        return cells_at(self._product, longitude, latitude)

    def flag(self, name: str) -> xr.DataArray:
        """Where a flag is set, bool like `status_flag`; names as in docs/product.md, as "coast".

        Raises
        ------
        UnknownNameError
            If there is no such flag.
        """
        names = {flag.name.lower(): flag for flag in Flag if flag.name}
        if name not in names:
            raise UnknownNameError(
                f"a flag {name!r}", f"one of {', '.join(names)}", "take one of them"
            )
        return ((self._product["status_flag"] & names[name]) > 0).rename(name)

    def ice_edge(self) -> NDArray[np.object_]:
        """The 15 % contour of a day: shapely lines on the product's plane, m.

        Raises
        ------
        SettingsError
            If the dataset holds several days.
        """
        return ice_edge(one_day(self._product, "ice_edge"))

    def extent(self) -> xr.DataArray:
        """Ground of cells with 15 % ice or more, km2; cells without a value do not count.

        Source: the definition of extent of NSIDC's Sea Ice Index, G02135.
        """
        icy = (self._ground() * (self._product["sic"] >= EDGE)).sum(("y", "x"))
        return _in_km2(icy, "sea_ice_extent", "sea-ice extent: ground of cells with 15 % ice")

    def area(self) -> xr.DataArray:
        """Ground times concentration, km2; cells without a value do not count."""
        covered = (self._ground() * self._product["sic"]).sum(("y", "x"))
        return _in_km2(covered, "sea_ice_area", "sea-ice area: ground times concentration")

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the concentration of a day as the product's own picture does, on new axes or these.

        Returns
        -------
        matplotlib.axes.Axes
            Its title is the date; x and y are km on the product's plane.

        Raises
        ------
        SettingsError
            If the dataset holds several days.
        """
        from matplotlib import pyplot

        from seaice.write.quicklook import draw_map

        day = one_day(self._product, "plot")
        drawn = axes or pyplot.subplots(figsize=(8, 8), layout="constrained")[1]
        draw_map(day, drawn)
        time = str(day["time"].values)[:10] if "time" in day.coords else ""
        drawn.set_title(str(day.attrs.get("date", time)))
        return drawn

    def _ground(self) -> xr.DataArray:
        areas = cell_areas(grid_of(self._product)) * KM**2
        return xr.DataArray(areas, dims=("y", "x"), name="km2")


def _in_km2(values: xr.DataArray, name: str, long_name: str) -> xr.DataArray:
    """Named as CF names it."""
    told = {"standard_name": name, "long_name": long_name, "units": "km2"}
    values.attrs = told
    return values.rename(name)
