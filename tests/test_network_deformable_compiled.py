"""The compiled pass of deformable convolution tells what plain PyTorch tells."""

import pytest
import torch

from seaice.models.layers import deformable, deformable_kernels
from seaice.models.layers.deformable import ConvGeometry, _by_grid_sample, modulated_deform_conv
from seaice.models.layers.deformable_kernels import cpu_supports, deform_conv_cpu
from tests.test_network_deformable import GEOMETRIES, arguments

ONE_GROUP = [
    ConvGeometry(deformable_groups=2),
    ConvGeometry(stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
]


def far_and_near(geometry, kernel=(3, 3), size=(13, 11)):
    """Arguments whose taps lie anywhere: on cells, between them, at the rim, far outside."""
    features, offset, mask, weight, bias = arguments(geometry, kernel, size, torch.float32)
    offset = 5 * offset
    offset[0, :, 0, 0], offset[0, :, 0, 1], offset[1, :, 0] = 1e9, -1e9, 0.0
    return features, offset, mask, weight, bias


@pytest.mark.parametrize("geometry", ONE_GROUP)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2)])
@pytest.mark.parametrize("cells", [1, 30, 4096])
def test_it_is_its_plain_twin(monkeypatch, geometry, kernel, cells):
    monkeypatch.setattr(deformable_kernels, "CELLS_PER_PRODUCT", cells)
    features, offset, mask, weight, bias = far_and_near(geometry, kernel)
    result = deform_conv_cpu(features, offset, mask, weight, bias, geometry.taps(weight))
    plain = _by_grid_sample(features, offset, mask, weight, geometry) + bias[:, None, None]
    torch.testing.assert_close(result, plain, atol=1e-5, rtol=1e-5)


def test_how_features_and_moves_lie_in_memory_and_how_many_threads_there_are_change_nothing():
    features, offset, mask, weight, _ = far_and_near(GEOMETRIES[0], size=(40, 30))
    taps, before = GEOMETRIES[0].taps(weight), torch.get_num_threads()
    last = [each.contiguous(memory_format=torch.channels_last) for each in (features, offset, mask)]
    result = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        result += [
            deform_conv_cpu(features, offset, mask, weight, None, taps),
            deform_conv_cpu(*last, weight, None, taps),
        ]
    torch.set_num_threads(before)
    assert all(torch.equal(each, result[0]) for each in result)


def test_what_is_rounded_to_bfloat16_is_told_as_plainly():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        features, offset, mask, weight, _ = far_and_near(GEOMETRIES[0])
        rounded = features.bfloat16(), (offset / 8).bfloat16(), mask.sigmoid().bfloat16()
        result = deform_conv_cpu(*rounded, weight, None, GEOMETRIES[0].taps(weight))
        plain = _by_grid_sample(*rounded, weight, GEOMETRIES[0])
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, plain, atol=0.1, rtol=0.02)


def test_a_move_that_is_no_number_reads_nothing_outside():
    features, offset, mask, weight, _ = far_and_near(GEOMETRIES[0])
    offset[:, :, 3, 3] = torch.nan
    result = deform_conv_cpu(features, offset, mask, weight, None, GEOMETRIES[0].taps(weight))
    assert torch.isfinite(result).all()


def test_it_is_used_where_nothing_is_learnt_and_only_there(monkeypatch):
    features, offset, mask, weight, bias = far_and_near(GEOMETRIES[0])
    assert cpu_supports(features, offset, mask, weight)
    assert not cpu_supports(features, offset, mask, weight.requires_grad_())
    with torch.no_grad():
        assert cpu_supports(features, offset, mask, weight)
    assert not cpu_supports(*(each.double() for each in (features, offset, mask)), weight)
    monkeypatch.setattr(deformable, "deform_conv_cpu", None)
    learning = modulated_deform_conv(features, offset, mask, weight, bias, GEOMETRIES[0])
    assert learning.requires_grad
    with torch.no_grad():  # groups of the convolution: plainly
        grouped = arguments(GEOMETRIES[1], dtype=torch.float32)
        assert torch.isfinite(modulated_deform_conv(*grouped, GEOMETRIES[1])).all()
