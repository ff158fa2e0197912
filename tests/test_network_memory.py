"""Keeping memory changes nothing but time, and ends."""

import ctypes
from types import SimpleNamespace

import pytest
import torch

from seaice.models import memory
from seaice.models.memory import malloc_tuning


def library(monkeypatch, told):
    fake = SimpleNamespace(
        mallopt=lambda parameter, value: told.append((parameter, value)),
        malloc_trim=lambda pad: told.append("trimmed"),
    )
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: fake)


def test_every_parameter_is_put_back_and_memory_returned_also_after_an_error(monkeypatch):
    told = []
    library(monkeypatch, told)
    within = []

    def fail():
        within.extend(told)
        raise RuntimeError

    with pytest.raises(RuntimeError), malloc_tuning():
        fail()
    assert len(within) == 2
    after = dict(told[2:-1])
    assert after.keys() == dict(within).keys()
    assert all(after[parameter] != value for parameter, value in within)
    assert told[-1] == "trimmed"


@pytest.mark.parametrize(("grown", "returned"), [(0, []), (2 * memory.MAX_RETAINED, ["trimmed"])])
def test_memory_goes_back_between_tiles_only_where_much_has_gathered(monkeypatch, grown, returned):
    told, stored = [], [1000]
    library(monkeypatch, told)
    monkeypatch.setattr(memory, "_resident_bytes", lambda: stored[0])
    with malloc_tuning() as tidy:
        told.clear()
        stored[0] += grown
        tidy()
        assert told == returned


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace())
    with malloc_tuning():
        pass


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has none")
def test_tensors_live_through_it():
    with malloc_tuning():
        large = [torch.full((1 << 22,), float(n)) for n in range(4)]
        large[1] = torch.zeros(1 << 22)
    assert [float(each.sum()) for each in large] == [0, 0, 2 * (1 << 22), 3 * (1 << 22)]
