"""The kernel of deformable sampling tells what plain PyTorch tells.

Without CUDA its body is run by numpy in the place of Triton's language: that proves the arithmetic
and the layout, not that Triton compiles it.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seaice.models.layers import deformable, deformable_kernels
from seaice.models.layers.deformable import ConvGeometry, modulated_deform_conv
from seaice.models.layers.deformable_kernels import (
    BLOCK,
    _triton_kernel,
    sample_taps_reference,
    triton_supports,
)
from tests.test_network_deformable import GEOMETRIES, arguments

ONE_GROUP = [
    ConvGeometry(deformable_groups=2),
    ConvGeometry(stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
]
needs_cuda = pytest.mark.skipif(
    not (torch.cuda.is_available() and deformable_kernels.HAS_TRITON),
    reason="no CUDA device with Triton to run the kernel on",
)


class Numbers(np.ndarray):
    """An array that converts as tensors of Triton do."""

    def to(self, kind):
        return self.astype(kind).view(Numbers)


class Pointer:
    """A place, or many, in flat memory."""

    def __init__(self, memory, at=0):
        self.memory, self.at = memory, at
        self.dtype = SimpleNamespace(element_ty=memory.dtype)

    def __add__(self, steps):
        return Pointer(self.memory, self.at + steps)


def language(program):
    """As much of Triton's language as the kernel speaks, in numpy."""

    def load(pointer, mask, other):
        at = np.where(mask, pointer.at, 0).astype(int)
        return np.where(mask, pointer.memory[at], other).view(Numbers)

    def store(pointer, value, mask):
        pointer.memory[np.asarray(pointer.at)[mask].astype(int)] = np.asarray(value)[mask]

    return SimpleNamespace(
        program_id=lambda axis: program[axis],
        arange=lambda start, stop: np.arange(start, stop).view(Numbers),
        zeros=lambda shape, dtype: np.zeros(shape, dtype).view(Numbers),
        load=load,
        store=store,
        floor=np.floor,
        abs=np.abs,
        minimum=np.minimum,
        maximum=np.maximum,
        static_range=range,
        float32=np.float32,
        int64=np.int64,
    )


class ByNumpy:
    """Stands for the compiled kernel."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch

    def __getitem__(self, grid):
        def launch(*given, **sizes):
            told = [Pointer(a.numpy().reshape(-1)) if torch.is_tensor(a) else a for a in given]
            for program in np.ndindex(grid):
                self.monkeypatch.setattr(deformable_kernels, "tl", language(program))
                _triton_kernel(*told, **sizes)

        return launch


@pytest.fixture
def by_numpy(monkeypatch):
    monkeypatch.setattr(deformable_kernels, "_jitted", ByNumpy(monkeypatch))


def taps_of(geometry, kernel):
    return kernel, geometry.stride, geometry.padding, geometry.dilation


@pytest.mark.parametrize("geometry", ONE_GROUP)
@pytest.mark.parametrize("size", [(6, 7), (13, 11)])
def test_the_body_of_the_kernel_is_its_plain_twin(by_numpy, geometry, size):
    features, offset, mask, *_ = arguments(geometry, size=size, dtype=torch.float32)
    offset[0, :, 0, 0] = 1e9  # far outside
    assert mask.shape[2] * mask.shape[3] % BLOCK  # the last block is not full
    inputs = features, 3 * offset, mask, taps_of(geometry, (3, 3))
    torch.testing.assert_close(
        deformable_kernels.sample_taps_triton(*inputs), sample_taps_reference(*inputs)
    )


@pytest.mark.parametrize("geometry", ONE_GROUP)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2)])
def test_the_convolution_by_the_kernel_is_the_plain_one(by_numpy, monkeypatch, geometry, kernel):
    inputs = arguments(geometry, kernel, dtype=torch.float32)
    plain = modulated_deform_conv(*inputs, geometry)
    monkeypatch.setattr(deformable, "triton_supports", lambda *_: True)
    result = modulated_deform_conv(*inputs, geometry)
    torch.testing.assert_close(result, plain, atol=1e-5, rtol=1e-5)


def test_it_is_not_used_without_cuda_nor_to_learn():
    features = torch.zeros(1, 4, 5, 5)
    assert not triton_supports(features, features, features)


def test_one_kernel_knows_no_groups_of_the_convolution(monkeypatch):
    monkeypatch.setattr(deformable, "triton_supports", lambda *_: True)
    monkeypatch.setattr(deformable, "sample_taps_triton", None)
    modulated_deform_conv(*arguments(GEOMETRIES[1], dtype=torch.float32), GEOMETRIES[1])


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("geometry", ONE_GROUP)
def test_on_cuda_the_kernel_is_its_plain_twin(dtype, geometry):
    features, offset, mask, *_ = (
        each.cuda().to(dtype) for each in arguments(geometry, size=(40, 50), dtype=torch.float32)
    )
    inputs = features, offset, mask, taps_of(geometry, (3, 3))
    close = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.02}
    torch.testing.assert_close(
        deformable_kernels.sample_taps_triton(*inputs), sample_taps_reference(*inputs), **close
    )
