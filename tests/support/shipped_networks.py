"""A small map by the networks that ship; run as a program, it writes the map to a file."""

import sys
from pathlib import Path

import numpy as np

import seaice
from seaice.models.inference import no_progress, refine
from seaice.models.weights import load_model
from seaice.retrieval.concentrate import concentrate
from tests.test_sic_concentrate import daily_map
from tests.test_sr_refine import MACHINE, stack

SHAPE = (24, 32)


def shipped_map():
    """Concentration of a stack without any meaning, (96, 128)."""
    package = Path(seaice.__file__).parent
    sr = load_model(package / "models" / "sr" / "weights" / "pmdrnet.safetensors")
    sic = load_model(package / "models" / "sic" / "weights" / "xception_aspp.safetensors")
    fine = refine(stack(SHAPE), *sr, MACHINE, "", no_progress)
    day = daily_map().isel(y=slice(SHAPE[0]), x=slice(SHAPE[1]))
    land = np.zeros((4 * SHAPE[0], 4 * SHAPE[1]), bool)
    return concentrate(fine, day, land, sic, MACHINE, no_progress)


if __name__ == "__main__":
    shipped_map().drop_attrs().to_netcdf(sys.argv[1])
