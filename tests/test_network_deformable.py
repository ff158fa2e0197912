"""Laws of modulated deformable convolution beyond the official numbers."""

import pytest
import torch
from torch.autograd import gradcheck

from seaice.models.layers.deformable import (
    ConvGeometry,
    ModulatedDeformConvPack,
    modulated_deform_conv,
)

GEOMETRIES = [
    ConvGeometry(deformable_groups=2),
    ConvGeometry(stride=(2, 1), padding=(0, 2), dilation=(1, 2), groups=2, deformable_groups=4),
]


def arguments(geometry, kernel=(3, 3), size=(6, 7), dtype=torch.float64):
    random = torch.Generator().manual_seed(3)
    steps = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            size, kernel, geometry.stride, geometry.padding, geometry.dilation, strict=True
        )
    ]
    taps, groups = kernel[0] * kernel[1], geometry.deformable_groups
    shapes = [
        (2, 4, *size),
        (2, 2 * groups * taps, *steps),
        (2, groups * taps, *steps),
        (4, 4 // geometry.groups, *kernel),
        (4,),
    ]
    return [torch.randn(shape, generator=random, dtype=dtype) for shape in shapes]


def by_loops(features, offset, mask, weight, bias, geometry):
    """The definition, one sample at a time."""
    batch, channels, rows, columns = features.shape
    out = torch.zeros(batch, weight.shape[0], *offset.shape[2:], dtype=features.dtype)
    ky, kx = weight.shape[2:]
    per_move = channels // geometry.deformable_groups
    per_group, per_out = weight.shape[1], weight.shape[0] // geometry.groups

    def sample(plane, y, x):
        total = 0.0
        for row in (int(y // 1), int(y // 1) + 1):
            for column in (int(x // 1), int(x // 1) + 1):
                if 0 <= row < rows and 0 <= column < columns:
                    total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
        return total

    for b, o, i, j in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        value = bias[o]
        for c in range(per_group):
            channel = o // per_out * per_group + c
            move = channel // per_move * ky * kx
            for k in range(ky * kx):
                dy, dx = offset[b, 2 * (move + k) : 2 * (move + k) + 2, i, j].tolist()
                y = i * geometry.stride[0] - geometry.padding[0] + k // kx * geometry.dilation[0]
                x = j * geometry.stride[1] - geometry.padding[1] + k % kx * geometry.dilation[1]
                seen = sample(features[b, channel], y + dy, x + dx)
                value = value + weight[o, c, k // kx, k % kx] * mask[b, move + k, i, j] * seen
        out[b, o, i, j] = value
    return out


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2)])
def test_it_is_its_definition(geometry, kernel):
    options = arguments(geometry, kernel, size=(4, 5))
    result = modulated_deform_conv(*options, geometry)
    torch.testing.assert_close(result, by_loops(*options, geometry), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_gradients_are_those_of_finite_differences(geometry):
    options = [value.requires_grad_() for value in arguments(geometry, size=(3, 4))]
    assert gradcheck(lambda *values: modulated_deform_conv(*values, geometry), options)


def test_autocast_moves_the_taps_as_far_as_float32_does():
    """In bfloat16 the places of a 600-cell map would be wrong by up to two cells."""
    geometry = ConvGeometry()
    weight = torch.zeros(1, 1, 3, 3)
    weight[..., 1, 1] = 1
    ramp = torch.arange(600.0).expand(1, 1, 4, 600).contiguous()
    offset = torch.full((1, 18, 4, 600), 0.25)
    mask = torch.ones(1, 9, 4, 600)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        moved = modulated_deform_conv(ramp / 600, offset, mask, weight, None, geometry)
    expected = (ramp + 0.25) / 600
    assert (moved - expected)[..., 1:-1, :-1].abs().max() < 2**-8


def test_a_fresh_pack_samples_in_place_at_half_weight():
    geometry = ConvGeometry(deformable_groups=2)
    pack = ModulatedDeformConvPack(4, 6, (3, 3), geometry)
    features = torch.randn(1, 4, 8, 9)
    plain = torch.nn.functional.conv2d(features, pack.weight / 2, pack.bias, padding=1)
    torch.testing.assert_close(pack(features), plain, atol=1e-5, rtol=1e-5)
