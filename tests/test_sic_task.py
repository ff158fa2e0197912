"""What concentration networks are taught with, and by what measure."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seaice.errors import WeightsError
from seaice.instrument import LOW_CHANNELS
from seaice.models.inputs import SIC_CHANNELS, assemble_sic_input, new_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import create_weightless_model
from seaice.retrieval.task import (
    PUBLISHED_WEIGHTS,
    SICTask,
    class_weights,
    concentration_loss,
    weights_from_counts,
)
from seaice.train.samples import SampleSet, Window, add_refined, frames_of_sample
from tests.support import tiny_samples
from tests.test_network_contract import SMALL


def given(seed=0):
    random = torch.Generator().manual_seed(seed)
    refined = 200 + 20 * torch.randn(2, 32, 24, generator=random)
    low = {name: 200 + torch.randn(8, 6, generator=random) for name in LOW_CHANNELS}
    land = torch.rand(32, 24, generator=random) < 0.1
    return refined, low, land


def test_channels_stand_in_the_order_of_the_card():
    refined, low, land = given()
    card = new_sic_card("xception_aspp", {}, ("land", "pd", "tb18v"))
    planes = assemble_sic_input(refined, low, land, card)
    assert torch.equal(planes[0], land.float())
    torch.testing.assert_close(planes[1], (refined[1] - refined[0] - 25) / 25)
    constant = assemble_sic_input(refined, {"tb18v": torch.full((8, 6), 150.0)}, land, card)
    assert torch.equal(constant[2], torch.full((32, 24), -0.5))


def test_absence_is_zero_and_does_not_spread():
    refined, low, land = given()
    card = new_sic_card("xception_aspp", {}, SIC_CHANNELS)
    whole = assemble_sic_input(refined, low, land, card)
    refined[0, 5, 7] = torch.nan
    low["tb6h"][2, 3] = torch.nan
    gappy = assemble_sic_input(refined, low, land, card)
    names = dict(zip(SIC_CHANNELS, gappy, strict=True))
    assert [float(names[name][5, 7]) for name in ("tb89h", "pd", "valid")] == [0, 0, 0]
    assert not names["tb6h"][8:12, 12:16].any()
    assert torch.isfinite(gappy).all()
    far = np.ones((32, 24), bool)
    far[5, 7], far[6:14, 10:18] = False, False
    assert torch.equal(whole[:, far], gappy[:, far])


def test_a_batch_is_its_samples():
    card = new_sic_card("xception_aspp", {}, SIC_CHANNELS)
    one, two = given(1), given(2)
    low = {name: torch.stack((one[1][name], two[1][name])) for name in LOW_CHANNELS}
    both = assemble_sic_input(
        torch.stack((one[0], two[0])), low, torch.stack((one[2], two[2])), card
    )
    torch.testing.assert_close(
        both, torch.stack([assemble_sic_input(*each, card) for each in (one, two)])
    )


def test_unknown_channels_are_refused():
    with pytest.raises(WeightsError, match="tb89x"):
        new_sic_card("xception_aspp", {}, ("tb89x",))


def test_published_weights_follow_from_counts():
    """Rare classes count more, and weights times logarithms are one constant."""
    counts = [10**7, 10**4, 3 * 10**4, 10**5, 10**5, 10**5, 10**6, 10**6, 10**7, 10**8]
    weights = np.array(class_weights(counts))
    products = weights * np.log10(counts)
    assert np.allclose(products, products[0])
    assert np.isclose(products[0], np.log10(counts).mean())
    assert len(PUBLISHED_WEIGHTS) == 10


def test_an_empty_class_has_a_finite_weight():
    assert np.isfinite(class_weights([0] * 9 + [100])).all()


def test_loss_of_one_class_is_its_weight_times_the_squared_error():
    truth = torch.full((1, 1, 2, 2), 0.95)
    valid = torch.tensor([[[[True, True], [True, False]]]])
    told = torch.full((1, 1, 2, 2), 0.75)
    told[..., 1, 1] = 0.0  # where nothing is known
    result = concentration_loss(told, truth, valid, PUBLISHED_WEIGHTS, 0.0)
    assert float(result) == pytest.approx(0.7868 * 0.04, rel=1e-5)


def test_the_log_variance_learns_the_squared_error_and_leaves_the_mean_alone():
    truth = torch.zeros(1, 1, 64, 64)
    error = 0.2 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    log_variance = torch.zeros(1, requires_grad=True)
    mean = error.clone().requires_grad_()
    optimizer = torch.optim.Adam([log_variance], 0.05)
    valid = torch.ones_like(truth, dtype=torch.bool)
    for _ in range(300):
        told = torch.cat((mean, log_variance.expand_as(mean)), dim=1)
        loss = concentration_loss(told, truth, valid, [0.0] * 10, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    expected = float(error.square().mean())
    assert float(log_variance.detach().exp()) == pytest.approx(expected, rel=0.02)
    assert not mean.grad.any()


def test_shares_of_a_batch_learn_what_the_batch_does(monkeypatch):
    """The mean of two processes' losses and gradients is that of one, however land is dealt out."""
    random = torch.Generator().manual_seed(3)
    told, truth = (torch.rand(2, n, 8, 8, generator=random) for n in (2, 1))
    valid = torch.rand(2, 1, 8, 8, generator=random) < torch.tensor([0.9, 0.1])[:, None, None, None]
    told.requires_grad_()

    def learnt(cells):
        rows = (part[cells] for part in (told, truth, valid))
        loss = concentration_loss(*rows, PUBLISHED_WEIGHTS, 0.05)
        return loss.detach(), *torch.autograd.grad(loss, told)

    whole = learnt(slice(0, 2))
    monkeypatch.setattr("seaice.train.distributed.mean_over_processes", lambda _: valid.sum() / 2)
    shares = learnt(slice(0, 1)), learnt(slice(1, 2))
    for one, *two in zip(whole, *shares, strict=True):
        torch.testing.assert_close(torch.stack(two).mean(0), one)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.zarr"
    tiny_samples.write(path)
    refiner = create_weightless_model("bicubic"), blank_sr_card("bicubic", {})
    for _ in add_refined(path, refiner, "0" * 64, torch.device("cpu")):
        pass
    samples = SampleSet.open(path)
    return SICTask(
        train=samples,
        valid=samples,
        card=new_sic_card("xception_aspp", SMALL["xception_aspp"], SIC_CHANNELS),
        refiner="bicubic",
        crop=8,
        weights=PUBLISHED_WEIGHTS,
    )


def test_samples_follow_from_their_random_numbers(lesson):
    source = lesson.task(torch.nn.Identity()).source
    one, two, other = (source(np.random.default_rng(seed), 2) for seed in (1, 1, 2))
    assert all(torch.equal(one[key].nan_to_num(-1), two[key].nan_to_num(-1)) for key in one)
    assert not torch.equal(one["truth"].nan_to_num(-1), other["truth"].nan_to_num(-1))


def test_a_perfect_answer_scores_zero(lesson):
    class Knowing(torch.nn.Module):
        """Reads the answer from V of the made set, where it is linear in concentration."""

        def __init__(self):
            super().__init__()
            self.none = torch.nn.Parameter(torch.zeros(()))

        def forward(self, image):
            return ((image[:, 1:2] * 100 + 200 - 180) / 60).clamp(0, 1)

    scores = lesson.evaluate(Knowing())
    assert scores["rmse"] < 0.05
    assert abs(scores["bias"]) < 0.02
    assert {f"rmse_{n}0" for n in (0, 5, 9)} <= scores.keys()


def test_the_real_network_is_scored_with_its_doubt(lesson):
    network = create_model("xception_aspp", lesson.card.config).eval()
    assert 0 <= lesson.evaluate(network)["within_1_sigma"] <= 1


def test_classes_are_counted_over_the_set(lesson):
    weights = weights_from_counts(lesson.train, 3)
    assert weights[0] < weights[5]
    assert weights[9] < weights[5]


def batch(lesson, size=4, seed=3, **changed):
    calm = {"low_missing": 0.0, "drifting": 0.0, "gappy": 0.0, "crop": tiny_samples.SIDE}
    source = replace(lesson, **calm | changed).task(torch.nn.Identity()).source
    return source(np.random.default_rng(seed), size)


def test_a_missing_swath_takes_the_target_day_in_all_it_had(lesson):
    """Brightness, low frequencies and frames lose the same ground, and nothing else is changed."""
    whole, gappy = (batch(lesson, size=1, gappy=fraction) for fraction in (0, 1))
    gone = {name: torch.isnan(gappy[name]) & ~torch.isnan(whole[name]) for name in whole}
    strip = gone["low"][0, 0]
    assert strip.any()
    assert not strip.all()
    assert torch.equal(gone["low"], strip.expand_as(gone["low"]))
    fine = strip.repeat_interleave(4, 0).repeat_interleave(4, 1)
    seen = ~torch.isnan(whole["refined"])
    assert torch.equal(gone["refined"], fine & seen)
    assert torch.equal(gone["frames"][:, 2], strip & ~torch.isnan(whole["frames"][:, 2]))
    assert not gone["truth"].any()
    for name, value in whole.items():
        kept = ~gone[name] & ~torch.isnan(value)
        assert torch.equal(gappy[name][kept], value[kept])


def test_a_missing_swath_is_missing_wherever_the_target_day_stands(lesson):
    """A day that stands in for another lacks there what it lacks in its own place."""
    kinds = {sample: frames_of_sample(sample) for sample in range(40)}
    alone = next(n for n, frames in kinds.items() if frames == [2] * 5)
    whole = next(n for n, frames in kinds.items() if frames == list(range(5)))
    tb = np.full((5, 2, 16, 16), 200.0, np.float32)

    class One:
        shape = (16, 16)

        def __init__(self, sample):
            self.sample = sample

        def draw(self, random, side):
            return Window(sample=self.sample, row=0, column=0, side=side, turns=0, mirror=1)

        def whole(self, sample):
            return self.draw(None, 16)

        def tb89(self, window):
            return tb.copy()

        def low(self, window):
            return np.full((12, 16, 16), 200.0, np.float32)

        def refined(self, window, refiner):
            return np.full((2, 64, 64), 200.0, np.float32)

        def land(self, window):
            return np.zeros((64, 64), bool)

        def weight(self, window):
            return np.ones((64, 64), np.float32)

        def truth_sic(self, window):
            return np.ones((64, 64), np.float32)

    for sample, expected in ((alone, [True] * 5), (whole, [False, False, True, False, False])):
        frames = batch(replace(lesson, train=One(sample)), size=1, gappy=1)["frames"][0]
        assert [bool(torch.isnan(frame).any()) for frame in frames] == expected


def test_what_no_swath_saw_weighs_nothing(lesson):
    gappy = batch(lesson, gappy=1)
    absent = ~torch.isfinite(gappy["refined"]).all(1, keepdim=True)
    assert absent.any()
    wild, calm = (
        lesson.loss(lambda image, told=told: told, gappy) for told in (100.0 * absent, 0.0 * absent)
    )
    assert torch.equal(wild, calm)
