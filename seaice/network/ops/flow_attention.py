"""Flow attention: attention at a cost linear in the number of tokens, without a plain softmax.

Values flow from sources (keys) to sinks (queries) through capacities, the products of non-negative
queries and keys. What flows into every sink, and out of every source, is fixed at one, so that
sources compete for the sinks as a softmax would make them, and no L x S matrix is ever made.

Wu et al. 2022, "Flowformer: Linearizing Transformers with Conservation Flows", ICML,
arXiv:2202.06258; numbers and parameter names are those of thuml/Flowformer, general, causal and
vision version. Flows are computed in float32 at any precision: they are sums over all tokens.
"""

import torch
from torch import Tensor, nn

from seaice.network.ops.precision import unrounded

__all__ = [
    "CausalFlowAttention",
    "FlowAttention",
    "VisionFlowAttention",
    "causal_flow_attention",
    "flow_attention",
    "flows",
]

EPS = 1e-6
LARGEST = 1.0  #: what a source's conserved flow is clamped to, either sign, before it competes


def flows(
    query: Tensor, key: Tensor, eps: float = EPS, after: float = 0.0
) -> tuple[Tensor, Tensor]:
    """What fixes at one the flow into every sink, and out of every source.

    Parameters
    ----------
    query : (batch, head, sink, channel), not negative
    key : (batch, head, source, channel), not negative
    eps : added to both factors of every product
    after : added to every sum of products

    Returns
    -------
    reciprocals of the incoming flow, (batch, head, sink, 1), and of the outgoing one, (batch,
    head, source, 1)
    """
    incoming = _dot(query + eps, key.sum(2, keepdim=True) + eps) + after
    outgoing = _dot(key + eps, query.sum(2, keepdim=True) + eps) + after
    return 1 / incoming, 1 / outgoing


def flow_attention(
    query: Tensor, key: Tensor, value: Tensor, eps: float = EPS, after: float = 0.0
) -> Tensor:
    """Values shared out among sinks, linear in the number of tokens.

    Parameters
    ----------
    query, key, eps, after : as in `flows`
    value : (batch, head, source, channel')

    Returns
    -------
    (batch, head, sink, channel')
    """
    sinks, sources = query.shape[2], key.shape[2]
    into, out_of = flows(query, key, eps, after)
    sink = _dot(query + eps, (key * out_of).sum(2, keepdim=True) + eps) + after
    source = _dot(key + eps, (query * into).sum(2, keepdim=True) + eps) + after
    competition = source.clamp(-LARGEST, LARGEST).softmax(dim=2) * sources
    allocation = torch.sigmoid(sink * (sinks / sources))
    return (query * into) @ (key.transpose(2, 3) @ (value * competition)) * allocation


def causal_flow_attention(query: Tensor, key: Tensor, value: Tensor, eps: float = EPS) -> Tensor:
    """Values shared out among sinks that know only of sources up to their own position.

    Parameters
    ----------
    query, key : (batch, head, token, channel), not negative
    value : (batch, head, token, channel')
    eps : added to both factors of every product

    Returns
    -------
    (batch, head, token, channel')
    """
    count = torch.arange(1, query.shape[2] + 1, device=query.device, dtype=query.dtype)[:, None]
    into = count / _dot(query + eps, key.cumsum(2) + eps)
    out_of = count / _dot(key + eps, query.cumsum(2) + eps)
    sink = _dot(query + eps, (key * out_of).cumsum(2) + eps) / count
    source = _dot(key + eps, (query * into).cumsum(2) + eps) / count
    strength = source.clamp(-LARGEST, LARGEST).exp()
    competition = strength / strength.cumsum(2) * count
    given = (key[..., None] * (value * competition)[..., None, :]).cumsum(2)
    shares = (query * (into / count))[..., None, :] @ given
    return shares.squeeze(3) * torch.sigmoid(sink)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=-1, keepdim=True)


class FlowAttention(nn.Module):
    """The general version: queries, keys and values from anywhere."""

    def __init__(
        self, d_input: int, d_model: int, d_output: int, heads: int, dropout: float = 0.05
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query_projection = nn.Linear(d_input, d_model)
        self.key_projection = nn.Linear(d_input, d_model)
        self.value_projection = nn.Linear(d_input, d_model)
        self.out_projection = nn.Linear(d_model, d_output)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(batch, sink, d_input), twice (batch, source, d_input) -> (batch, sink, d_output)."""
        query, key, value = (
            _heads(projection(tokens), self.heads)
            for projection, tokens in (
                (self.query_projection, queries),
                (self.key_projection, keys),
                (self.value_projection, values),
            )
        )
        with unrounded(queries):
            told = self._flow(query.float().sigmoid(), key.float().sigmoid(), value.float())
        out: Tensor = self.dropout(self.out_projection(told.transpose(1, 2).flatten(2)))
        return out

    def _flow(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return flow_attention(query, key, value)


class CausalFlowAttention(FlowAttention):
    """The causal version: as many keys as queries, and none of them is told of later ones."""

    def _flow(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return causal_flow_attention(query, key, value)


class VisionFlowAttention(nn.Module):
    """The vision version: tokens attend to each other; a further constant beside every sum."""

    def __init__(self, dim: int, heads: int = 12) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, dim) -> the same."""
        told = self.qkv(tokens)
        with unrounded(tokens):
            query, key, value = (_heads(part, self.heads) for part in told.float().chunk(3, dim=2))
            told = flow_attention(query.sigmoid(), key.sigmoid(), value, after=EPS)
        out: Tensor = self.proj(told.transpose(1, 2).flatten(2))
        return out


def _heads(tokens: Tensor, heads: int) -> Tensor:
    """(batch, token, head * channel) -> (batch, head, token, channel)."""
    batch, length, _ = tokens.shape
    return tokens.reshape(batch, length, heads, -1).transpose(1, 2)
