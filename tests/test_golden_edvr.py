"""Alignment, fusion and the whole network against EDVR."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from seaice.models.layers.alignment import PCDAlignment, TSAFusion
from seaice.models.sr.edvr import EDVR, OfficialEDVRConfig
from tests.support.golden_cases import assert_golden, folders, read


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


@pytest.mark.parametrize("name", [name for name in folders("edvr") if name.startswith("net")])
def test_network(name):
    case = read("edvr", name)
    fine = case.weights["conv_hr.weight"].shape[0]
    network = EDVR(replace(OfficialEDVRConfig.official(case.config), num_hr=fine))
    network.load_state_dict(case.weights, strict=True)
    mids = {}
    for layer in ("fusion", "reconstruction"):
        network.get_submodule(layer).register_forward_hook(partial(keep, mids, f"mid_{layer}"))
    with torch.inference_mode():
        assert_golden(network.eval()(case.io["input"]), case.io["output"])
    for key, result in mids.items():
        assert_golden(result, case.io[key])
    assert len(mids) == 2


def keep(into, key, module, given, told):
    into[key] = told
