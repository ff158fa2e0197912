"""Compiled code runs also where nothing can be kept."""

import numba
import pytest

from seaice.compiled import compiled


def twice(x: float) -> float:
    return 2 * x


def test_without_a_folder_to_keep_code_in_it_compiles_anew(monkeypatch):
    njit = numba.njit

    def homeless(*functions, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'twice': no locator available")
        return njit(*functions, **options)

    monkeypatch.setattr(numba, "njit", homeless)
    assert compiled(twice)(21.0) == 42.0


@pytest.mark.parametrize("x", [0.0, -1.5])
def test_it_is_the_same_function(x):
    assert compiled(twice)(x) == twice(x)
