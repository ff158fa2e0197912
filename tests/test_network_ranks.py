"""How batches are made, and by how many processes, changes nothing of what is learnt."""

import os
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from seaice.errors import SettingsError
from seaice.train import distributed
from seaice.train.super_resolution import reconstruction_loss
from seaice.train.trainer import Schedule, StepDataset, Task, prefetch, train

QUICK = Schedule(steps=6, batch=4, rate=1e-2, warm_up=2, checkpoint_every=2, validate_every=3)
CPU = torch.device("cpu")


def source(random, size):
    x = random.normal(size=(size, 2, 6, 6)).astype(np.float32)
    known = random.random((size, 1, 6, 6)) < random.random()  # another share in every sample
    return {"x": torch.from_numpy(x), "known": torch.from_numpy(known)}


def task():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 2, 1))

    def loss(network, batch):
        return reconstruction_loss(network(batch["x"]), 2 * batch["x"], batch["known"])

    return Task(network=network, loss=loss, source=source, evaluate=lambda network: {"score": 1.0})


def weights(folder, schedule=QUICK):
    network, _ = train(task(), schedule, folder, CPU, lambda step, loss: None)
    return {name: value.contiguous() for name, value in network.state_dict().items()}


def batches(samples=range(4), ahead=2, loaders=0, wanted=range(3)):
    steps = StepDataset(source=source, seed=3, samples=samples)
    return list(prefetch(steps, wanted, ahead, loaders, CPU))


def assert_same(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("ahead", [0, 1, 2, 9])
def test_making_batches_ahead_changes_nothing(ahead):
    assert_same(
        batches(ahead=ahead),
        [StepDataset(source=source, seed=3, samples=range(4))[n] for n in range(3)],
    )


@pytest.mark.slow
@pytest.mark.parametrize("loaders", [1, 2])
def test_processes_make_the_batches_that_a_thread_makes(loaders):
    assert_same(batches(loaders=loaders), batches())


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shares_of_a_batch_together_are_the_batch(monkeypatch, count):
    monkeypatch.setattr(distributed, "_world_size", lambda: count)
    shares = []
    for number in range(count):
        monkeypatch.setattr(distributed, "rank", lambda number=number: number)
        shares.append(distributed.rank_indices(4))
    assert sorted(place for fraction in shares for place in fraction) == [0, 1, 2, 3]
    whole = batches()
    for fraction in shares:
        assert_same(
            batches(samples=fraction),
            [{k: v[list(fraction)] for k, v in one.items()} for one in whole],
        )


def test_a_batch_that_cannot_be_dealt_evenly_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "_world_size", lambda: 3)
    with pytest.raises(SettingsError, match="batches of 4 samples for 3 processes"):
        distributed.rank_indices(4)


def _learn(number, port, folder):
    """One of two processes: an undisturbed run, then one that ends early and is taken up."""
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with distributed.process_group(CPU):
        save_file(weights(folder / "whole"), folder / f"whole_{number}.safetensors")
        weights(folder / "killed", replace(QUICK, max_minutes=0.0))
        again = weights(folder / "killed")
        save_file(again, folder / f"again_{number}.safetensors")
        distributed.run_on_main_process_first(lambda: (folder / f"written_by_{number}").touch())


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_learn, (port, tmp_path), nprocs=2)
    alone = weights(tmp_path / "alone")
    whole, other, again = (
        load_file(tmp_path / f"{name}.safetensors") for name in ("whole_0", "whole_1", "again_0")
    )
    for name, value in alone.items():
        torch.testing.assert_close(whole[name], value, atol=1e-6, rtol=1e-5)
        assert torch.equal(whole[name], other[name])
        assert torch.equal(whole[name], again[name])
    assert [path.name for path in tmp_path.glob("written_by_*")] == ["written_by_0"]
    told = [
        (tmp_path / name / "log.jsonl").read_text().count("score") for name in ("whole", "alone")
    ]
    assert told == [2, 2]
