"""Alignment and fusion against EDVR."""

import pytest
import torch
from golden_cases import assert_golden, folders, read

from seaice.network.ops.pcd_alignment import PCDAlignment
from seaice.network.ops.temporal_attention import TSAFusion


@pytest.mark.parametrize("name", [name for name in folders("edvr") if name.startswith("pcd")])
def test_alignment(name):
    case = read("edvr", name)
    unit = PCDAlignment(**case.config)
    unit.load_state_dict(case.weights, strict=True)
    pyramids = [[case.io[f"input_{who}_l{k}"] for k in (1, 2, 3)] for who in ("nbr", "ref")]
    with torch.inference_mode():
        assert_golden(unit(*pyramids), case.io["output"])


@pytest.mark.parametrize("name", [name for name in folders("edvr") if name.startswith("tsa")])
def test_fusion(name):
    case = read("edvr", name)
    unit = TSAFusion(**case.config)
    unit.load_state_dict(case.weights, strict=True)
    with torch.inference_mode():
        assert_golden(unit(case.io["input"]), case.io["output"])
