"""Reader of NSIDC AU_SI6: daily 89 GHz maps on 6.25 km, for days without swaths.

Source: Meier, Markus, Comiso, "AMSR-E/AMSR2 Unified L3 Daily 6.25 km Polar Gridded 89 GHz
Brightness Temperatures", NSIDC, doi 10.5067/NX1R09ORNOZN, user guide.
"""

import re
from datetime import date as Date
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from seaice.cf import TB_RANGE, attrs
from seaice.errors import GranuleError, NoInputError
from seaice.instrument import HIGH_CHANNELS
from seaice.io.granules import irregular_file_kind
from seaice.io.hdf5 import FETCH_AGAIN, HDF5File, open_hdf5

__all__ = ["date_of_au_si6", "find_au_si6", "read_au_si6"]

KELVIN_PER_COUNT = 0.1  #: K per count
SHAPES = {"north": (1792, 1216), "south": (1328, 1264)}


def read_au_si6(path: str | Path, hemisphere: Literal["north", "south"]) -> xr.Dataset:
    """Daily mean 89 GHz brightness temperatures of one hemisphere, row 0 at the top.

    Counts of 0 are fill; they and values outside 50-350 K become NaN.

    Returns
    -------
    Dataset
        tb89h, tb89v (y, x) float32, K, without coordinates; attrs `granule` and `date`.

    Raises
    ------
    GranuleError
        If the file is missing, damaged, of another format, undated, or empty.
    """
    path = Path(path)
    date = date_of_au_si6(path)
    with open_hdf5(path) as source:
        fields = {name: _kelvin(source, hemisphere, name) for name in HIGH_CHANNELS}
    return xr.Dataset(fields, attrs={"granule": path.stem, "date": date.isoformat()})


def date_of_au_si6(path: str | Path) -> Date:
    """The day in a file name such as AMSR_U2_L3_SeaIce6km_B04_20200303.he5.

    Raises
    ------
    GranuleError
        If the name does not end in a date.

    >>> date_of_au_si6("AMSR_U2_L3_SeaIce6km_B04_20200303.he5")
    datetime.date(2020, 3, 3)
    """
    match = re.search(r"_(\d{8})$", Path(path).stem)
    try:
        return datetime.strptime(match[1] if match else "", "%Y%m%d").date()
    except ValueError:
        raise GranuleError(
            f"a file called {Path(path).name!r}",
            "a name that ends in its day, such as AMSR_U2_L3_SeaIce6km_B04_20200303.he5",
            "give files with the names that NSIDC distributes",
        ) from None


def find_au_si6(folder: str | Path, date: Date) -> list[Path]:
    """AU_SI6 files of a day below a folder; an empty list if there are none.

    Raises
    ------
    NoInputError
        If there is no such folder.
    """
    if not Path(folder).is_dir():
        raise NoInputError(f"no folder {folder}", "a folder of AU_SI6 files", "check the path")
    paths = Path(folder).rglob(f"AMSR_U2_L3_SeaIce6km_*_{date:%Y%m%d}.he5")
    return sorted(path for path in paths if irregular_file_kind(path) is None)


def _kelvin(source: HDF5File, hemisphere: Literal["north", "south"], channel: str) -> xr.Variable:
    pole = hemisphere[0].upper()
    field = f"SI_06km_{pole}H_89{channel[-1].upper()}_DAY"
    name = f"HDFEOS/GRIDS/{pole}pPolarGrid06km/Data Fields/{field}"
    raw = source.array(name, SHAPES[hemisphere], slice(None))
    if raw.dtype.kind not in "iu":
        raise source.error(f"{field!r} as {raw.dtype}", "integers of 0.1 K", FETCH_AGAIN)
    counts = raw.astype(np.int32)
    low, high = (round(kelvin / KELVIN_PER_COUNT) for kelvin in TB_RANGE)
    known = (counts >= low) & (counts <= high)
    if not known.any():
        raise source.error(f"{field!r} empty", "temperatures", FETCH_AGAIN)
    kelvin = np.where(known, counts, np.nan) * KELVIN_PER_COUNT
    return xr.Variable(("y", "x"), kelvin.astype(np.float32), attrs(channel))
