"""A scene of anybody, read in a process of its own."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from seaice.apart import Arrays, apart
from seaice.ingest.scene import read_scene

__all__ = ["read_apart", "read_arrays"]

LAYOUT = "layout"  #: dimensions and attributes as JSON, beside the arrays


def read_apart(path: Path) -> xr.Dataset:
    """The same as `seaice.ingest.scene.read_scene`, but a damaged file cannot end this process.

    Raises
    ------
    GranuleError
        As `read_scene`; and if reading the file ends, or does not end.
    """
    if not path.is_file():
        return read_scene(path)  # which says so at once
    arrays = dict(apart(__name__, path))
    layout = json.loads(str(arrays.pop(LAYOUT)))
    for name, values in arrays.items():
        part = "coords" if name in layout["coords"] else "data_vars"
        layout[part][name]["data"] = values
    return xr.Dataset.from_dict(layout)


def read_arrays(path: str) -> Arrays:
    """The scene as plain arrays, in that process."""
    scene = read_scene(Path(path))
    layout = json.dumps(scene.to_dict(data=False))
    arrays = {str(name): values.values for name, values in scene.variables.items()}
    return {LAYOUT: np.array(layout), **arrays}
