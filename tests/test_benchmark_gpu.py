"""What is measured on a graphics card is counted rightly, and runs without one."""

import pytest
import torch

from benchmarks.gpu import Moved, rows


def test_a_copy_moves_twice_what_it_copies_and_a_view_nothing():
    inputs = torch.ones(6, 5)
    with torch.no_grad(), Moved() as moved:
        inputs.t().reshape(-1, 3)[:4] + 1  # the reshape copies: 30 numbers; the sum has 12
    assert moved.total == 4 * (30 + 30 + 12 + 12)


@pytest.mark.slow
def test_every_part_runs_on_a_processor():
    told = list(rows(1))
    assert [row.subject for row in told] == ["gpu"] * 5
    for row in told:
        assert row.ours.wall > 0
        assert row.peer is not None or row.limit > 0
