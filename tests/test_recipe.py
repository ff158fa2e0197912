"""A recipe is its training stages in turn; each starts from the one before and is done once."""

from dataclasses import replace
from itertools import chain

import pytest
import torch

from seaice.errors import NoInputError, SettingsError
from seaice.models.registry import create_model, shipped_weights
from seaice.models.weights import load_model, read_card, weights_hash
from seaice.train.trainer import Schedule
from seaice.workflow.training.recipe import Recipe, recipes, run_recipe
from seaice.workflow.training.train import SICTraining, SRTraining
from tests.support import tiny_samples
from tests.test_network_contract import SMALL

CPU = torch.device("cpu")
STILL = Schedule(steps=2, batch=1, rate=0.0, warm_up=1, ahead=1)  # no weight moves
QUICK = replace(STILL, rate=1e-2)


def stage(refiner, schedule):
    hyper = SMALL["xception_aspp"]
    return SICTraining(sr_weights=refiner, hyper=hyper, schedule=schedule, crop=8)


def tiny(second):
    """As the compact recipe: bicubic frames first, refined ones last."""
    bicubic, *_, refined = recipes()["compact"].sic
    return Recipe(
        samples=3,
        valid=1,
        sr=(SRTraining(hyper=SMALL["pmdrnet"] | {"frames": 3}, schedule=QUICK, crop=8),),
        sic=(stage(bicubic.sr_weights, QUICK), stage(refined.sr_weights, second)),
    )


@pytest.fixture(autouse=True)
def simulated(monkeypatch):
    """A made-up set in the place of simulated worlds; the sets that were asked for."""
    asked = []

    def write(split, count, store):
        asked.append((split.name, count))
        if not store.exists():
            tiny_samples.write(store, samples=count, side=16)
        yield count

    monkeypatch.setattr("seaice.workflow.training.recipe.write_samples", write)
    monkeypatch.setattr("seaice.workflow.training.recipe.commit", lambda: "abc")
    return asked


def followed(recipe, step, folder):
    """The weights that were made, and every progress that was told."""
    told = []
    result = run_recipe(recipe, step, folder, CPU, lambda *one: told.append(one))
    return result, told


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


def trained(told):
    """Steps of learning that were done."""
    return [
        (what, done) for what, done, of in told if of == 2 and done > 0 and "sample" not in what
    ]


def test_all_stages_run_in_turn(finished, simulated):
    result, told = followed(tiny(STILL), "all", finished)
    assert simulated == [("valid", 1), ("train", 3)]
    stages = [
        f"{what}, training stage {number}"
        for what, number in (("super-resolution", 1), ("concentration", 1), ("concentration", 2))
    ]
    assert trained(told) == [(what, step) for what in stages for step in (1, 2)]
    assert [path.name for path in result] == ["pmdrnet.safetensors", "xception_aspp.safetensors"]
    cards = [load_model(path)[1] for path in result]
    assert [(card.role, card.commit) for card in cards] == [("sr", "abc"), ("sic", "abc")]


def test_the_second_stage_starts_from_the_weights_of_the_first(finished):
    """It learns at a rate of 0 here, so what it ends with is what it began with."""
    followed(tiny(STILL), "all", finished)
    weights = finished / "weights"
    first, card = load_model(weights / "stage_1" / "xception_aspp.safetensors")
    second, _ = load_model(weights / "xception_aspp.safetensors")
    torch.manual_seed(STILL.seed)
    fresh = dict(create_model("xception_aspp", card.config).named_parameters())
    for name, value in second.named_parameters():
        assert torch.equal(value, dict(first.named_parameters())[name]), name
    assert any(not torch.equal(value, fresh[name]) for name, value in second.named_parameters())


def test_a_second_call_does_nothing_twice(finished):
    before = [weights_hash(path) for path in followed(tiny(STILL), "all", finished)[0]]
    result, told = followed(tiny(STILL), "all", finished)
    assert trained(told) == []
    assert [weights_hash(path) for path in result] == before


def test_steps_are_the_recipe_in_parts(tmp_path, finished):
    whole, _ = followed(tiny(STILL), "all", finished)
    parts = [followed(tiny(STILL), step, tmp_path)[0] for step in ("samples", "sr", "sic")]
    assert [len(result) for result in parts] == [0, 1, 1]
    for one, other in zip(chain.from_iterable(parts), whole, strict=True):
        assert weights_hash(one) == weights_hash(other)


@pytest.mark.slow
def test_both_networks_learn_on_from_what_they_became_alone(finished):
    """Where asked for, not as a part of all; at a rate of 0 they stay what they were."""
    alone, told = followed(tiny(STILL), "all", finished)
    card_channels = replace(recipes()["compact"].joint, schedule=replace(STILL, decay=0.0), crop=8)
    result, told = followed(replace(tiny(STILL), joint=card_channels), "joint", finished)
    assert result == [finished / "weights" / "joint" / path.name for path in alone]
    assert trained(told) == [("both networks", step) for step in (1, 2)]
    for one, other in zip(result, alone, strict=True):
        before = dict(load_model(other)[0].named_parameters())
        assert all(
            torch.equal(p, before[name]) for name, p in load_model(one)[0].named_parameters()
        )


def test_a_recipe_without_a_joint_stage_says_so(finished):
    with pytest.raises(SettingsError, match="'joint'"):
        followed(tiny(STILL), "joint", finished)


def test_super_resolution_without_samples_says_so(tmp_path):
    with pytest.raises(NoInputError, match="no training set at"):
        followed(tiny(STILL), "sr", tmp_path)


def test_the_compact_recipe_is_trained_on_the_frames_of_the_shipped_weights():
    """Interpolated frames: better on real scenes than refined ones (docs/training.md)."""
    card = read_card(shipped_weights("sic", "xception_aspp"))
    assert card.training["interpolated_by"] == "bicubic_3km"
    assert [stage.sr_weights for stage in recipes()["compact"].sic] == [None] * 4


def test_the_paper_recipe_ends_with_refined_frames():
    """As published: concentration is estimated from super-resolved maps."""
    assert str(recipes()["paper"].sic[-1].sr_weights) == "pmdrnet.safetensors"
