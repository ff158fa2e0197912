"""Variants learn alike, are scored alike, and are not trained twice."""

import csv
import math
from dataclasses import replace

import pytest
import torch

from pipelines.research.ablations import compared, variants, written
from seaice.models.weights import read_card
from seaice.train.trainer import Schedule
from seaice.workflow.training.train import SRTraining
from tests.support import tiny_samples
from tests.test_network_contract import SMALL

STILL = Schedule(steps=2, batch=1, rate=0.0, warm_up=1, decay=0.0)  # no weight moves
ALIGNED = {**SMALL["pmdrnet"], "alignment": "deformable"}
BASE = SRTraining(hyper={**ALIGNED, "alignment": "none"}, schedule=STILL, crop=8)
VARIANTS = variants(BASE, ALIGNED)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "valid", "test"):
        tiny_samples.write(folder / f"{split}.zarr", samples=1, seed=len(split))
    return folder


def ablated(data, out, split="valid"):
    told = []
    rows = compared(data, out, VARIANTS, split, torch.device("cpu"), lambda *one: told.append(one))
    return rows, told


def test_variants_differ_from_the_whole_in_one_thing_each():
    each = dict(VARIANTS)
    assert each.pop("PMDRnet, 5 frames") == BASE
    each.pop("ESPCN")
    for settings in each.values():
        difference = dict(settings.hyper.items() - BASE.hyper.items())
        weights = {settings.difference_weight} - {BASE.difference_weight}
        assert len(difference) + len(weights) == 1
        assert replace(settings, hyper=BASE.hyper, difference_weight=1.0) == BASE


@pytest.mark.slow
def test_what_is_finished_is_scored_again_and_not_trained(data, tmp_path):
    rows, told = ablated(data, tmp_path)
    assert [name for name, *_ in rows] == ["bicubic", *VARIANTS]
    assert told == [(name, step) for name in VARIANTS for step in (1, 2)]
    assert ablated(data, tmp_path) == (rows, [])
    (tmp_path / "espcn" / "espcn.safetensors").unlink()
    assert ablated(data, tmp_path) == (rows, []), "its checkpoint was whole"
    cards = [read_card(path) for path in tmp_path.glob("*/*.safetensors")]
    assert sorted(card.frames for card in cards) == [1, 1, 3, 5, 5, 5, 5]
    by_name = {name: scores for name, *scores in rows}
    fresh = by_name["PMDRnet without quarter cells"]
    assert fresh[3] < 100, "a fresh network begins as the fitted filter, ahead of bicubic"
    assert by_name["bicubic"][3] == 100
    other, _ = ablated(data, tmp_path, split="test")
    assert other != rows


def test_the_table_says_what_was_found(tmp_path):
    rows = [("bicubic", 30.0, 31.0, 4.0, 100.0), ("mine", 40.0, 41.0, 1.0 / 3, 100 / 12)]
    text = written(rows, tmp_path, "Two.")
    assert "| mine | 40.00 | 41.00 | 0.33 | 8 |" in text
    assert (tmp_path / "ablations.md").read_text() == text
    *_, last = csv.reader((tmp_path / "ablations.csv").open())
    assert math.isclose(float(last[3]), 1 / 3)
