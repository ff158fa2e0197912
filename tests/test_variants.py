"""Variants of concentration learn alike, tell of the same worlds, and are not trained twice."""

import csv

import pytest
import torch

from pipelines.research.variants import SCORES, SIZES, compared, variants, written
from seaice.evaluate.records import Record
from seaice.models.inputs import SIC_CHANNELS, new_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import read_card, save_model
from seaice.train.trainer import Schedule
from seaice.workflow.training.train import SICTraining
from tests.support import tiny_samples
from tests.test_network_contract import SMALL

SHORT = Schedule(steps=1, batch=1, warm_up=1, ahead=0)


def base(weights):
    return SICTraining(sr_weights=weights, hyper=SMALL["xception_aspp"], schedule=SHORT, crop=8)


def test_each_variant_is_told_all_that_the_one_before_was_and_more():
    published, *more = (set(one.channels) for one in variants(base(None)).values())
    assert published == {"tb89h", "tb89v", "pd"}
    for channels in more:
        assert published < channels
        published = channels
    assert published == set(SIC_CHANNELS)


@pytest.mark.slow
def test_what_is_finished_is_scored_again_and_not_trained(tmp_path):
    for split in ("train", "valid"):
        tiny_samples.write(tmp_path / f"{split}.zarr", samples=1, seed=len(split))
    weights = tmp_path / "weights" / "pmdrnet.safetensors"
    hyper = SMALL["pmdrnet"]
    save_model(weights, create_model("pmdrnet", hyper), new_sr_card("pmdrnet", hyper))
    told = []

    def run():
        told.clear()
        out, device = tmp_path / "variants", torch.device("cpu")
        return compared(
            tmp_path, out, base(weights), "valid", device, lambda *one: told.append(one)
        )

    records = run()
    assert [one for one in told if one[1] == 1] == [(name, 1) for name in variants(base(weights))]
    scored = {(r.method, r.cell_km, r.metric): r.cells for r in records if r.by == "all"}
    for method in ("ASI", *variants(base(weights))):
        for size in SIZES:
            assert all((method, size, score) in scored for score in SCORES)
            assert scored[method, size, "rmse"] == scored["ASI", size, "rmse"] > 0
    again = run()
    assert told == [("worlds of valid", 0)]
    assert [str(r) for r in again] == [str(r) for r in records]
    cards = {p.parent.name: read_card(p) for p in (tmp_path / "variants").glob("*/*.safetensors")}
    assert {name: card.channels for name, card in cards.items()} == {
        name.replace(" ", "_"): one.channels for name, one in variants(base(weights)).items()
    }


def test_the_table_says_what_was_found(tmp_path):
    records = [
        Record(name, size, "all", "all", "all", "rmse", "%", value, 1.0, 9.0, 50.0, 4)
        for name, value in (("published", 7.125), ("other days", 3.5))
        for size in SIZES
    ]
    text = written(records, tmp_path / "report", "One step").read_text()
    assert "| other days | 50 | 3.50 (1.00 to 9.00) |" in text
    with (tmp_path / "report" / "scores.csv").open() as file:
        assert [float(line["value"]) for line in csv.DictReader(file)] == [7.125] * 2 + [3.5] * 2
