"""DropKey in attention against the numbers of the paper's formulae."""

import pytest
import torch
import torch.nn.functional as F

from seaice.models.layers.dropout import additive_mask
from tests.support.golden_cases import assert_golden, folders, read


@pytest.mark.parametrize("name", folders("dropkey"))
def test_attention_without_the_dropped_keys(name):
    io = read("dropkey", name).io
    q, k, v = (io[f"input_{part}"] for part in "qkv")
    mask = additive_mask(io["input_drop_mask"].bool(), q)
    assert_golden(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), io["output"])
    assert_golden(F.scaled_dot_product_attention(q, k, v), io["output_eval_no_drop"])


def test_the_example_done_by_hand():
    """Logits [[0, ln 2], [ln 3, 0]]; the first query loses the second key."""
    logits = torch.log(torch.tensor([[1.0, 2.0], [3.0, 1.0]]))
    mask = additive_mask(torch.tensor([[False, True], [False, False]]), logits)
    values = torch.tensor([[4.0], [8.0]])
    assert_golden((logits + mask).softmax(-1) @ values, torch.tensor([[4.0], [5.0]]))
