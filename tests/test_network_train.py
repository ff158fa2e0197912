"""Training is a function of its settings: it can be killed and taken up again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from seaice.errors import SettingsError, WeightsError
from seaice.train.trainer import Schedule, Task, train

QUICK = Schedule(steps=8, batch=4, rate=1e-2, warm_up=2, checkpoint_every=3, validate_every=4)
CPU = torch.device("cpu")


class Killed(Exception):
    pass


def task() -> Task:
    """A small convolution with dropout and batch norm that learns to double its input."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 1, 1)
    )

    def source(random, size):
        return {"x": torch.from_numpy(random.normal(size=(size, 1, 6, 6)).astype(np.float32))}

    def loss(network, batch):
        return (network(batch["x"]) - 2 * batch["x"]).square().mean()

    return Task(network=network, loss=loss, source=source, evaluate=lambda network: {"score": 1.0})


def run(folder, schedule=QUICK, kill_at=None):
    losses = []

    def report(step, loss):
        losses.append(loss)
        if step == kill_at:
            raise Killed

    network, steps = train(task(), schedule, folder, CPU, report)
    return network.state_dict(), steps, losses


@pytest.mark.parametrize("kill_at", [1, 3, 5, 7])
def test_a_killed_run_ends_where_an_undisturbed_one_does(tmp_path, kill_at):
    whole, _, losses = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_at=kill_at)
    again, steps, rest = run(tmp_path / "killed")
    assert steps == 8
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert losses[-len(rest) :] == rest
    assert len(rest) == 8 - kill_at // 3 * 3


def test_a_finished_run_is_not_run_again(tmp_path):
    first, _, _ = run(tmp_path)
    second, steps, losses = run(tmp_path)
    assert (steps, losses) == (8, [])
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_other_seeds_see_other_samples(tmp_path):
    one, other = (run(tmp_path / str(n), replace(QUICK, seed=n))[2] for n in (1, 2))
    assert one != other


def test_it_learns(tmp_path):
    _, _, losses = run(tmp_path, replace(QUICK, steps=60))
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_time_can_be_limited(tmp_path):
    _, steps, _ = run(tmp_path, replace(QUICK, max_minutes=0.0))
    assert steps == 1
    assert run(tmp_path)[1] == 8


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(SettingsError, match="remove the checkpoint"):
        run(tmp_path, replace(QUICK, rate=1e-3))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    run(tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"ruin")
    with pytest.raises(WeightsError, match="remove it to start again"):
        run(tmp_path)


def test_a_loss_that_is_no_number_ends_training(tmp_path):
    broken = replace(
        task(), loss=lambda network, batch: next(network.parameters()).sum() * torch.nan
    )
    with pytest.raises(SettingsError, match="lower the learning rate"):
        train(broken, QUICK, tmp_path, CPU, lambda step, loss: None)


def test_the_log_tells_each_step_once(tmp_path):
    schedule = replace(QUICK, log_every=1)
    with pytest.raises(Killed):
        run(tmp_path, schedule, kill_at=5)
    run(tmp_path, schedule)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert [line["step"] for line in lines if "score" in line] == [4, 8]
