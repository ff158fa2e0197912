"""The same to the byte on the same machine; within a stated tolerance on another.

The tolerances are those of docs/product.md: one step of the written digits, and what float32 sums
differ by.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.models.inference import execution_record
from tests.support.days import DAY, PRODUCT, REGION, run, write_five_days
from tests.support.shipped_networks import shipped_map
from tests.test_sr_refine import MACHINE

#: Another processor: PyTorch and oneDNN without wide instructions, and one thread.
OTHER = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"}
SHARES, KELVIN, FLAGS = 2e-4, 0.02, 1e-3  #: of docs/product.md
BEFORE_ROUNDING = {"sic": 2e-6, "sic_uncertainty": 2e-6, "tb89v": 1e-4}


@pytest.mark.slow
def test_the_same_granules_make_the_same_bytes(tmp_path):
    sums = []
    for place in ("here", "there"):
        write_five_days(tmp_path / place / "granules")
        done = run("daily", tmp_path / place / "granules", tmp_path / place / "out")
        assert done.exit_code == 0, done.output
        sums.append((tmp_path / place / "out" / PRODUCT / f"{PRODUCT}.sha256").read_text())
    assert sums[0] == sums[1]
    assert len(sums[0].splitlines()) > 20


def test_networks_on_another_processor_agree_within_the_tolerance(tmp_path):
    program = Path(__file__).parent / "support" / "shipped_networks.py"
    subprocess.run(
        [sys.executable, program, tmp_path / "other.nc"],
        env=os.environ | OTHER | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    here = shipped_map()
    with xr.open_dataset(tmp_path / "other.nc") as other:
        for name, tolerance in BEFORE_ROUNDING.items():
            np.testing.assert_allclose(here[name], other[name], rtol=0, atol=tolerance)


@pytest.mark.slow
def test_a_day_on_another_processor_agrees_within_the_tolerance(tmp_path):
    write_five_days(tmp_path / "granules")
    (tmp_path / "plain.toml").write_text(
        '[run]\nprecision = "float32"\n[write]\nformats = ["zarr"]\n'
    )
    result, told = [], []
    for name, environment in (("here", {}), ("there", OTHER)):
        words = ["daily", "--date", DAY, "--granules", tmp_path / "granules", "--region", REGION]
        words += ["--out", tmp_path / name, "--settings", tmp_path / "plain.toml"]
        subprocess.run(
            [sys.executable, "-m", "seaice.cli", *map(str, words)],
            env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
        folder = tmp_path / name / PRODUCT
        result.append(xr.open_zarr(folder / f"{PRODUCT}.zarr").isel(time=0).load())
        told.append(json.loads((folder / f"{PRODUCT}.json").read_text())["networks"])
    one, other = result
    for name in one.data_vars:
        if name.startswith("sic"):
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=SHARES, err_msg=name)
        elif name.startswith(("tb", "pd")):
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=KELVIN, err_msg=name)
    assert (one["status_flag"] != other["status_flag"]).mean() <= FLAGS
    threads = [each["sic"]["execution"]["threads"] for each in told]
    assert threads[1] == 1
    assert told[1]["sr"]["execution"]["capability"] == "DEFAULT"
    assert told[0]["sr"]["execution"]["precision"] == "float32"


def test_the_run_of_a_network_is_named():
    told = execution_record(MACHINE)
    assert (told["device"], told["name"], told["precision"]) == ("cpu", None, "float32")
    assert told["threads"] >= 1
    assert told["capability"]
    assert told["torch"][0].isdigit()
