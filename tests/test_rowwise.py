"""The class table's row-wise Adam against torch's dense AdamW and the dense average."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from finefit.training.rowwise import RowwiseAdam


def both(steps: int, rows: int, per_step: int, rates: np.ndarray, decays: np.ndarray, size: float = 1.0):
    """Train one table both ways on the same gradients; gives ((table, average) dense, (table, average) row-wise)."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(rows, 8, generator=generator)
    dense = torch.nn.Parameter(start.clone())
    dense_average, average = start.clone(), start.clone()
    optimizer = torch.optim.AdamW([dense], lr=1.0, weight_decay=0.0)
    ours = torch.nn.Parameter(start.clone())
    table = RowwiseAdam(ours, average, rates, decays)
    for step in range(steps):
        chosen = torch.randperm(rows, generator=generator)[:per_step].sort().values
        target = size * torch.randn(per_step, 8, generator=generator)
        optimizer.param_groups[0]["lr"] = rates[step]
        (dense[chosen] * target).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        dense_average.lerp_(dense.detach(), 1 - decays[step])
        (table.window(chosen, step) * target).sum().backward()
        table.update(step)
    table.finish(steps)
    return (dense.detach(), dense_average), (ours.detach(), average)


@pytest.mark.parametrize("size", [1.0, 1e-7])  # gradients far above and near Adam's epsilon
@pytest.mark.parametrize("per_step", [1, 5])
def test_rows_that_wait_end_where_dense_adam_ends(per_step, size):
    """100 steps, a cosine schedule, 50 rows of which a step names a few, some none: both equal to 2e-6."""
    rates = 1e-2 * (1 + np.cos(np.pi * np.arange(100) / 100))
    decays = np.minimum(0.99, (1 + np.arange(100)) / (10 + np.arange(100)))
    dense, ours = both(100, 50, per_step, rates, decays, size)
    for expected, found in zip(dense, ours, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
    assert (dense[0] - dense[1]).abs().max() > 1e-4  # table and average are not one thing


def test_a_wait_longer_than_the_moments_last():
    """Named once, then not for 600 steps: the sums that end early still give dense Adam's row."""
    dense, ours = both(600, 600, 1, np.full(600, 1e-2), np.full(600, 0.999))
    for expected, found in zip(dense, ours, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_an_average_that_keeps_nothing_is_the_table():
    _, (table, average) = both(20, 10, 2, np.full(20, 1e-2), np.zeros(20))
    torch.testing.assert_close(average, table, rtol=0, atol=1e-6)


def test_taken_up_from_its_state_it_goes_on():
    rates, decays = np.full(10, 1e-2), np.full(10, 0.9)
    table, average = torch.nn.Parameter(torch.ones(4, 2)), torch.ones(4, 2)
    first = RowwiseAdam(table, average, rates, decays)
    for step in range(5):
        first.window(torch.tensor([step % 3]), step).sum().backward()
        first.update(step)
    again = (torch.nn.Parameter(table.detach().clone()), average.clone())
    second = RowwiseAdam(*again, rates, decays)
    second.load_state_dict(first.state_dict())
    for optimizer in (first, second):
        optimizer.window(torch.tensor([1, 3]), 7).sum().backward()
        optimizer.update(7)
        optimizer.finish(10)
    assert torch.equal(table, again[0]) and torch.equal(average, again[1])
