"""Networks compared on one budget: costs are counted, what is finished is only scored."""

import csv
import math
from pathlib import Path

import pytest
import torch

from seaice.models.export import count_cost
from seaice.models.inputs import new_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import save_model
from seaice.workflow.training.compare import Budget, Row, compare_models, markdown, write_comparison
from tests.support import tiny_samples
from tests.test_network_contract import SMALL


def test_the_cost_of_three_convolutions_is_what_the_books_say():
    told = count_cost("espcn", {})
    products = 11 * 25 * 64 + 64 * 9 * 32 + 32 * 9 * 32  # multiplications of a coarse cell
    assert told.flops == 2 * products / 16
    assert told.parameters == products + 64 + 32 + 32


def test_nothing_costs_nothing():
    assert count_cost("bicubic", {}).parameters == count_cost("bicubic", {}).flops == 0


@pytest.mark.slow
def test_what_is_finished_is_only_scored(tmp_path):
    for split in ("train", "valid"):
        tiny_samples.write(tmp_path / f"{split}.zarr", samples=1, seed=len(split))
    weights, hyper = tmp_path / "pmdrnet.safetensors", SMALL["pmdrnet"]
    save_model(weights, create_model("pmdrnet", hyper), new_sr_card("pmdrnet", hyper))
    out = tmp_path / "compare"
    budget = Budget(data=tmp_path, out=out, steps=1, seeds=2, sr_weights=weights)
    told = []

    def run():
        told.clear()
        names = {"sr": ["espcn"], "sic": ["xception_aspp"]}
        return compare_models(names, budget, torch.device("cpu"), lambda *one: told.append(one))

    rows = run()
    assert [row.name for row in rows] == ["bicubic", "espcn", "ASI, filtered", "xception_aspp"]
    assert {row.name: row.seeds for row in rows}["xception_aspp"] == 2
    trained = [what for what, done in told if done == 1]
    assert trained == [
        f"{name}, seed {seed}" for name in ("espcn", "xception_aspp") for seed in (0, 1)
    ]
    assert str(run()) == str(rows)
    assert told == [("worlds of valid", 0)]


def test_the_table_the_picture_and_the_numbers_are_written(tmp_path):
    base = {"seeds": 1, "spread": math.nan, "share": 100.0}
    three = {"seeds": 3, "spread": 0.5, "share": 50.0}
    rows = [
        Row(name="ASI, filtered", role="sic", parameters=0, flops=0.0, rmse=16.0, **base),
        Row(name="mine", role="sic", parameters=1234, flops=5600.0, rmse=8.0, **three),
    ]
    assert "| mine | 1,234 | 5.6 | 8.00 ± 0.50 | 50 | 3 |" in markdown(rows)
    path = write_comparison(rows, Budget(data=Path(), out=tmp_path, steps=7))
    assert path.read_text().startswith("7 steps each, 1 seed,")
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert [line["rmse"] for line in csv.DictReader(path.with_suffix(".csv").open())] == [
        "16.0",
        "8.0",
    ]
