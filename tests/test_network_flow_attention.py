"""Flow attention: what flows is conserved, and nothing is lost by never making the matrix."""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from seaice.models.layers.attention import (
    VisionFlowAttention,
    flow_attention,
    flow_normalizers,
)
from tests.support.golden_only import CausalFlowAttention, causal_flow_attention

SINKS, SOURCES = 7, 11


@pytest.fixture
def given():
    """Capacities of 7 sinks and 11 sources, and values, in double precision."""
    draw = torch.Generator().manual_seed(4)
    query, key, value = (
        torch.randn(2, 3, n, 5, dtype=torch.float64, generator=draw)
        for n in (SINKS, SOURCES, SOURCES)
    )
    return query.sigmoid(), key.sigmoid(), value


def test_what_flows_into_a_sink_and_out_of_a_source_is_one(given):
    query, key, _ = given
    into, out_of = flow_normalizers(query, key, eps=0)
    torch.testing.assert_close((query * into @ key.mT).sum(3), torch.ones(2, 3, SINKS).double())
    torch.testing.assert_close((key * out_of @ query.mT).sum(3), torch.ones(2, 3, SOURCES).double())


def test_nothing_is_lost_on_the_way(given):
    """Sinks receive in all what sources send, one each, and the other way round."""
    query, key, _ = given
    into, out_of = flow_normalizers(query, key, eps=0)
    received = (query @ (key * out_of).mT).sum(3)
    sent = (key @ (query * into).mT).sum(3)
    torch.testing.assert_close(received.sum(2), torch.full((2, 3), float(SOURCES)).double())
    torch.testing.assert_close(sent.sum(2), torch.full((2, 3), float(SINKS)).double())


def test_it_equals_the_quadratic_form(given):
    """Every pair's capacity written down, and rows and columns of the matrix summed."""
    query, key, value = given
    capacity = torch.einsum("bhic,bhjc->bhij", query, key)
    received = (capacity / capacity.sum(2, keepdim=True)).sum(3)
    sent = (capacity / capacity.sum(3, keepdim=True)).sum(2)
    strength = sent.clamp(-1, 1).exp()
    competition = SOURCES * strength / strength.sum(2, keepdim=True)
    weights = capacity / capacity.sum(3, keepdim=True) * competition[:, :, None]
    expected = weights @ value / (1 + torch.exp(-received * SINKS / SOURCES))[..., None]
    torch.testing.assert_close(flow_attention(query, key, value, eps=0), expected)


def test_the_causal_form_equals_its_quadratic_one(given):
    _, key, value = given
    query = key.flip(1)
    past = torch.ones(SOURCES, SOURCES, dtype=torch.float64).tril()
    count = past.sum(1)
    capacity = torch.einsum("bhic,bhjc->bhij", query, key)
    into = count / (capacity * past).sum(3)
    out_of = count / (capacity * past.T).sum(2)
    received = (capacity * out_of[:, :, None] * past).sum(3) / count
    sent = (capacity * into[..., None] * past.T).sum(2) / count
    strength = sent.clamp(-1, 1).exp()
    competition = strength / strength.cumsum(2) * count
    weights = capacity * past * competition[:, :, None] * (into / count)[..., None]
    expected = weights @ value * received.sigmoid()[..., None]
    torch.testing.assert_close(causal_flow_attention(query, key, value, eps=0), expected)


def test_the_order_of_sources_does_not_matter(given):
    query, key, value = given
    order = torch.randperm(SOURCES)
    shuffled = flow_attention(query, key[:, :, order], value[:, :, order])
    torch.testing.assert_close(shuffled, flow_attention(query, key, value))


def test_sources_that_are_equal_are_averaged(given):
    query, key, value = given
    alike = key[:, :, :1]
    capacity = (query * alike).sum(3, keepdim=True)
    fraction = capacity / capacity.sum(2, keepdim=True)
    expected = value.mean(2, keepdim=True) * torch.sigmoid(SINKS * fraction)
    torch.testing.assert_close(flow_attention(query, alike.expand_as(key), value, eps=0), expected)


def test_later_tokens_tell_earlier_ones_nothing():
    unit = CausalFlowAttention(4, 8, 4, heads=2).eval()
    tokens = torch.randn(1, 9, 4)
    changed = tokens.clone()
    changed[:, 6:] += 1
    with torch.inference_mode():
        before, after = (unit(given, given, given) for given in (tokens, changed))
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert (before[:, 6:] - after[:, 6:]).abs().min() > 0


class Largest(TorchFunctionMode):
    """Remembers the size of the largest tensor made."""

    size = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.size = max([self.size, *(part.numel() for part in flat(result))])
        return result


def flat(made):
    parts = made if isinstance(made, tuple | list) else [made]
    return [part for part in parts if isinstance(part, torch.Tensor)]


def test_no_tensor_grows_with_the_square_of_tokens():
    unit = VisionFlowAttention(12, heads=3)
    sizes = []
    for length in (500, 1000):
        with Largest() as largest, torch.inference_mode():
            unit(torch.randn(1, length, 12))
        sizes.append(largest.size)
    assert sizes == [500 * 36, 1000 * 36]
