"""Frames withheld from a network are replaced by the target, and nothing else changes."""

import torch

from pipelines.research.withheld import LOOKS, compared
from seaice.models.inputs import new_sr_card
from seaice.models.registry import create_model
from seaice.train.samples import SampleSet
from seaice.train.super_resolution import SRTask
from tests.support import tiny_samples
from tests.test_network_contract import SMALL


def test_a_network_that_sees_the_target_alone_cannot_tell_other_days(tmp_path):
    tiny_samples.write(tmp_path / "set.zarr", samples=2, side=16)
    samples = SampleSet.open(tmp_path / "set.zarr")
    torch.manual_seed(0)
    network = create_model("pmdrnet", SMALL["pmdrnet"]).eval()
    torch.nn.init.normal_(network.tail.read.weight, std=0.1)
    card = new_sr_card("pmdrnet", SMALL["pmdrnet"])
    task = SRTask(train=samples, valid=samples, card=card)
    rows = {name: figures for name, *figures in compared(network, task)}
    assert list(rows) == ["bicubic", "the linear part alone", *reversed(LOOKS)]
    whole = task.evaluate(network)
    assert rows["all five frames"][2] == whole["rmse_pd"]
    assert rows["bicubic"][2] == whole["bicubic_rmse_pd"]
    assert rows["the target alone"] != rows["all five frames"]
