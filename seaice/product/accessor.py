"""What `.seaice` does on an opened product."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import UnknownNameError
from seaice.grid.area import cell_areas
from seaice.grid.dataset import grid_of
from seaice.product.cell import Cell, cell_at
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

    def at(self, longitude: float, latitude: float) -> Cell:
        """What is known of a place, in degrees east and north, and why; print it.

        Raises
        ------
        SettingsError
            If the place lies outside the product.
        """
        return cell_at(self._product, longitude, latitude)

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
        """The 15 % contour of a day: shapely lines on the product's plane, m."""
        return ice_edge(self._product)

    def extent(self) -> xr.DataArray:
        """Ground of cells with 15 % ice or more, km2; cells without a value do not count.

        Source: the definition of extent of NSIDC's Sea Ice Index, G02135.
        """
        return (self._ground() * (self._product["sic"] >= EDGE)).sum(("y", "x"))

    def area(self) -> xr.DataArray:
        """Ground times concentration, km2; cells without a value do not count."""
        return (self._ground() * self._product["sic"]).sum(("y", "x"))

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the concentration of a day as the product's own picture does, on new axes or these.

        Returns
        -------
        matplotlib.axes.Axes
            Its title is the date; x and y are km on the product's plane.
        """
        from matplotlib import pyplot

        from seaice.write.quicklook import draw_map

        drawn = axes or pyplot.subplots(figsize=(8, 8), layout="constrained")[1]
        draw_map(self._product, drawn)
        drawn.set_title(str(self._product.attrs.get("date", "")))
        return drawn

    def _ground(self) -> xr.DataArray:
        areas = cell_areas(grid_of(self._product)) * KM**2
        return xr.DataArray(areas, dims=("y", "x"), name="km2")
