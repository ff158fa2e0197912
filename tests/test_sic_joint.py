"""Both networks learn at once: whose error reaches whom, and what is kept of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seaice.errors import WeightsError
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.inputs import new_sic_card as blank_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import create_weightless_model, load_model, save_model, weights_hash
from seaice.retrieval.joint_task import JointTask, joint_model
from seaice.retrieval.task import SICTask
from seaice.train.samples import SampleSet, add_refined
from seaice.train.super_resolution import SRTask
from seaice.train.trainer import Schedule
from seaice.workflow.training.train import JointTraining, train_joint
from tests.support import tiny_samples
from tests.test_network_contract import SMALL, lively

CPU = torch.device("cpu")
STILL = Schedule(steps=2, batch=1, rate=0.0, warm_up=1, ahead=0, decay=0.0)  # no weight moves
SR_CARD = blank_sr_card("pmdrnet", SMALL["pmdrnet"])
SIC_CARD = blank_sic_card("xception_aspp", SMALL["xception_aspp"], SIC_CHANNELS)


def fresh(name):
    torch.manual_seed(4)
    card = SR_CARD if name == "pmdrnet" else SIC_CARD
    return lively(create_model(name, card.config)).eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "valid"):
        tiny_samples.write(folder / f"{split}.zarr", samples=1, seed=len(split))
    return folder


@pytest.fixture(scope="module")
def lesson(data):
    samples = SampleSet.of(data, "train")
    taken = {"train": samples, "valid": samples}
    sic = SICTask(**taken, card=SIC_CARD, refiner="", crop=8, weights=(1.0,) * 10, gappy=1.0)
    return JointTask(sr=SRTask(**taken, card=SR_CARD, p_drop_3km=0.0), sic=sic)


@pytest.fixture(scope="module")
def batch(lesson):
    return lesson.task(torch.nn.Identity()).source(np.random.default_rng(1), 1)


@pytest.fixture(scope="module")
def pair():
    return joint_model(fresh("pmdrnet"), fresh("xception_aspp"))


def gradients(lesson, pair, batch):
    pair.zero_grad(set_to_none=True)
    loss = lesson.loss(pair, batch)
    loss.backward()
    result = {name: p.grad for name, p in pair.named_parameters() if p.grad is not None}
    return loss.detach(), result


def test_the_error_of_concentration_reaches_both_networks(lesson, pair, batch):
    _, result = gradients(replace(lesson, brightness_weight=0.0), pair, batch)
    assert all(torch.isfinite(gradient).all() for gradient in result.values()), "gaps are NaN"
    for part in ("sr.", "sic."):
        moved = [bool(g.any()) for name, g in result.items() if name.startswith(part)]
        assert np.mean(moved) > 0.9


def test_the_error_of_brightness_is_super_resolutions_own_and_reaches_it_alone(lesson, pair, batch):
    """What the second term adds is its weight times the loss that super-resolution had alone."""
    without, before = gradients(replace(lesson, brightness_weight=0.0), pair, batch)
    both_terms, after = gradients(replace(lesson, brightness_weight=2.0), pair, batch)
    own = {"tb": batch["tb"], "quarters": batch["quarters"], "truth": batch["brightness"]}
    expected = lesson.sr.task(pair).loss(pair.get_submodule("sr"), own).detach()
    torch.testing.assert_close(both_terms - without, 2 * expected, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(after[name], g) for name, g in before.items() if name[:4] == "sic.")
    assert any(not torch.equal(after[name], g) for name, g in before.items() if name[:3] == "sr.")


def test_low_frequencies_go_with_the_swath_that_the_target_day_lost(lesson):
    """And nothing is lost where no swath is."""
    draw = lesson.task(torch.nn.Identity()).source
    calm = replace(lesson, sic=replace(lesson.sic, gappy=0.0, drifting=0.0, low_missing=0.0))
    gappy = replace(calm, sic=replace(calm.sic, gappy=1.0))
    hit = 0
    for seed in range(12):
        whole, lost = (
            each.task(torch.nn.Identity()).source(np.random.default_rng(seed), 1)
            for each in (calm, gappy)
        )
        gone = torch.isnan(lost["tb"][:, 2]).any(1) & ~torch.isnan(whole["tb"][:, 2]).any(1)
        assert torch.equal(torch.isnan(lost["low"]), gone[:, None].expand_as(lost["low"]))
        assert torch.equal(torch.isnan(lost["brightness"]), torch.isnan(whole["brightness"]))
        hit += bool(gone.any())
    assert hit > 2
    first, again = (draw(np.random.default_rng(7), 2) for _ in range(2))
    assert all(
        torch.equal(first[name].nan_to_num(-1), again[name].nan_to_num(-1)) for name in first
    )


def test_both_together_are_judged_as_concentration_alone_from_what_was_refined(data, pair):
    """Refining within the network and reading refined samples are the same, but for rounding."""
    refiner = create_weightless_model("bicubic"), blank_sr_card("bicubic", {"channels": 11})
    for _ in add_refined(data / "valid.zarr", refiner, "0" * 64, CPU):
        pass
    samples = SampleSet.of(data, "valid")
    taken = {"train": samples, "valid": samples}
    sic = SICTask(**taken, card=SIC_CARD, refiner="bicubic", weights=(1.0,) * 10)
    model = pair.get_submodule("sic")
    joint = JointTask(sr=SRTask(**taken, card=refiner[1]), sic=sic)
    expected, result = (
        sic.evaluate(model),
        joint.labelled_cells(joint_model(refiner[0], model)).scores(),
    )
    assert result == pytest.approx(expected, abs=2e-3)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Weights of two networks that learnt alone."""
    folder = tmp_path_factory.mktemp("weights")
    for name, card in (("pmdrnet", SR_CARD), ("xception_aspp", SIC_CARD)):
        save_model(folder / f"{name}.safetensors", fresh(name), card)
    return folder


def trained(data, begun, out, schedule):
    settings = JointTraining(
        sr_weights=begun / "pmdrnet.safetensors",
        sic_weights=begun / "xception_aspp.safetensors",
        schedule=schedule,
        crop=8,
        commit="abc",
    )
    return train_joint(data, out, settings, CPU, lambda step, loss: None)


@pytest.mark.slow
def test_both_files_hold_what_both_began_with_where_nothing_moves(data, begun, tmp_path):
    paths = trained(data, begun, tmp_path, STILL)
    assert [path.parent for path in paths] == 2 * [tmp_path / "joint"]
    for path, role, score in zip(paths, ("sr", "sic"), ("rmse_pd", "rmse_00"), strict=True):
        network, card = load_model(path, role)
        before = dict(load_model(begun / path.name)[0].named_parameters())
        assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())
        assert (card.commit, card.training["steps"], card.training["period"]) == ("abc", 2, "made")
        assert score in card.scores
        assert bool(card.calibration) == (role == "sic")
        assert card.config == load_model(begun / path.name)[1].config


@pytest.mark.slow
def test_a_run_that_ended_early_goes_on_to_the_same_weights(data, begun, tmp_path):
    quick = replace(STILL, rate=1e-3)
    whole = trained(data, begun, tmp_path / "whole", quick)
    trained(data, begun, tmp_path / "killed", replace(quick, max_minutes=0.0))
    again = trained(data, begun, tmp_path / "killed", quick)
    assert [weights_hash(path) for path in whole] == [weights_hash(path) for path in again]
    assert weights_hash(whole[0]) != weights_hash(begun / whole[0].name)


@pytest.mark.slow
def test_a_weight_on_brightness_keeps_super_resolution_near_the_truth(lesson, batch):
    own = {"tb": batch["tb"], "quarters": batch["quarters"], "truth": batch["brightness"]}

    def error_after(weight):
        pair = joint_model(fresh("pmdrnet"), fresh("xception_aspp"))
        sr = pair.get_submodule("sr")
        optimizer = torch.optim.Adam(sr.parameters(), 3e-3)
        for _ in range(15):
            optimizer.zero_grad()
            replace(lesson, brightness_weight=weight).loss(pair, batch).backward()
            optimizer.step()
        return float(lesson.sr.task(sr).loss(sr, own))

    assert error_after(10.0) < error_after(0.0)


def test_weights_of_another_role_are_refused(data, begun, tmp_path):
    swapped = JointTraining(
        sr_weights=begun / "xception_aspp.safetensors",
        sic_weights=begun / "pmdrnet.safetensors",
        schedule=STILL,
    )
    with pytest.raises(WeightsError, match="a network for 'sic'"):
        train_joint(data, tmp_path, swapped, CPU, lambda step, loss: None)
