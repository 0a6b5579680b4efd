"""Attention over frames against its definition, written out pair by pair."""

import pytest
import torch
from torch import Tensor

from makeyourvideo.models.temporal import relative_attention


def by_definition(
    query: Tensor, key: Tensor, value: Tensor, key_table: Tensor, value_table: Tensor, window: int | None
) -> Tensor:
    num_frames, width = query.shape[2:]
    reach = len(key_table) // 2
    out = torch.zeros_like(query)
    for i in range(num_frames):
        seen = range(num_frames) if window is None else range(max(0, i - window + 1), i + 1)
        scores, values = [], []
        for j in seen:
            row = max(-reach, min(reach, j - i)) + reach
            scores.append((query[:, :, i] * (key[:, :, j] + key_table[row])).sum(-1) / width**0.5)
            values.append(value[:, :, j] + value_table[row])
        weights = torch.stack(scores, dim=-1).softmax(dim=-1)
        out[:, :, i] = (weights[..., None] * torch.stack(values, dim=-2)).sum(-2)
    return out


@pytest.mark.parametrize("window", [1, 4, 16, None])
@pytest.mark.parametrize("num_frames", [1, 3, 4, 16, 37])
@pytest.mark.parametrize("reach", [2, 16])
def test_matches_the_definition(window: int | None, num_frames: int, reach: int) -> None:
    generator = torch.Generator().manual_seed(num_frames)
    query, key, value = (
        torch.randn(2, 3, num_frames, 8, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    tables = [torch.randn(2 * reach + 1, 8, generator=generator, dtype=torch.float64) for _ in range(2)]
    ours = relative_attention(query, key, value, *tables, window)
    torch.testing.assert_close(ours, by_definition(query, key, value, *tables, window))


def test_a_frame_sees_the_window_and_nothing_after() -> None:
    clip = torch.randn(1, 1, 40, 4, requires_grad=True)
    table = torch.zeros(33, 4)
    attended = relative_attention(clip.detach(), clip.detach(), clip, table, table, 16)
    attended[0, 0, 25].sum().backward()
    touched = clip.grad[0, 0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert touched == list(range(10, 26))
