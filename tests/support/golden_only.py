"""Code that only fixtures of official implementations need: no network of the package uses it."""

from collections.abc import Mapping
from math import isqrt

import torch
from einops import rearrange
from torch import Tensor

from seaice.models.layers.attention import COMPETITION_CLAMP as CLAMP
from seaice.models.layers.attention import FLOW_EPS as EPS
from seaice.models.layers.attention import FlowAttention


def _product(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=-1, keepdim=True)


def causal_flow_attention(query: Tensor, key: Tensor, value: Tensor, eps: float = EPS) -> Tensor:
    """Flow attention of sinks to sources up to their own position only.

    Parameters
    ----------
    query, key : (batch, head, token, channel), >= 0
    value : (batch, head, token, channel')
    eps : added to both factors of every product

    Returns
    -------
    (batch, head, token, channel')
    """
    count = torch.arange(1, query.shape[2] + 1, device=query.device, dtype=query.dtype)[:, None]
    into = count / _product(query + eps, key.cumsum(2) + eps)
    out_of = count / _product(key + eps, query.cumsum(2) + eps)
    sink = _product(query + eps, (key * out_of).cumsum(2) + eps) / count
    source = _product(key + eps, (query * into).cumsum(2) + eps) / count
    strength = source.clamp(-CLAMP, CLAMP).exp()
    competition = strength / strength.cumsum(2) * count
    flow = (key[..., None] * (value * competition)[..., None, :]).cumsum(2)
    outputs = (query * (into / count))[..., None, :] @ flow
    return outputs.squeeze(3) * torch.sigmoid(sink)


class CausalFlowAttention(FlowAttention):
    """The causal version, for as many keys as queries."""

    def _flow(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return causal_flow_attention(query, key, value)


#: names of timm's layers by those of a lucidrains block
LUCIDRAINS = {
    "0.norm": "norm1",
    "0.fn.0": "mlp_tokens.fc1",
    "0.fn.3": "mlp_tokens.fc2",
    "1.norm": "norm2",
    "1.fn.0": "mlp_channels.fc1",
    "1.fn.3": "mlp_channels.fc2",
}


def from_lucidrains(state: Mapping[str, Tensor], in_channels: int) -> dict[str, Tensor]:
    """Weights of lucidrains/mlp-mixer-pytorch with the names and the layout of `MlpMixerEncoder`.

    That network is a sequence: patches, a linear layer, blocks, a normalization, a mean and a
    head. In its patches channels vary fastest, in a convolution slowest; it mixes patches by 1x1
    convolutions, which are linear layers here. `expansion_factor` is for the mixing of
    patches, `expansion_factor_token` for that of channels, and its normalizations have an eps
    of 1e-5; `MlpMixerSizes` must have it.

    Parameters
    ----------
    state : the official `state_dict()`
    in_channels : of the image
    """
    depth = max(int(key.split(".")[0]) for key in state) - 4
    names = {"1": "stem.proj", f"{depth + 2}": "norm", f"{depth + 4}": "head"}
    for block in range(depth):
        names |= {f"{block + 2}.{k}": f"blocks.{block}.{name}" for k, name in LUCIDRAINS.items()}
    converted = {}
    for key, value in state.items():
        layer, suffix = key.rsplit(".", 1)
        converted[f"{names[layer]}.{suffix}"] = value.squeeze(-1) if value.ndim == 3 else value
    flat = converted["stem.proj.weight"]
    patch = isqrt(flat.shape[1] // in_channels)
    order = "out (y x c) -> out c y x"
    converted["stem.proj.weight"] = rearrange(flat, order, y=patch, x=patch).contiguous()
    return converted
