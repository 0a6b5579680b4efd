"""Dense layers that run another way than the library's give what the library's give."""

import pytest
import torch
from diffusers.models.attention import FeedForward as LibraryFeedForward
from torch import nn

from makeyourvideo.models import dense
from makeyourvideo.models.dense import FeedForward, Linear, in_slices, slice_size


def test_a_linear_layer_and_its_gradients_are_the_librarys() -> None:
    torch.manual_seed(0)
    ours, theirs = Linear(24, 40), nn.Linear(24, 40)
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randn(2, 3, 5, 24, requires_grad=True)
    for layer in (ours, theirs):
        layer(tokens).square().sum().backward()
    torch.testing.assert_close(ours(tokens), theirs(tokens))
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


def test_long_sums_go_where_they_are_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = Linear(4096, 3), Linear(4095, 3)
    expected = [nn.functional.linear(torch.ones(5, layer.in_features), layer.weight, layer.bias)
                for layer in (long, short)]  # fmt: skip
    convolved: list[int] = []

    def counted(rows: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        convolved.append(rows.shape[1])
        return nn.functional.conv2d(rows, *others)

    monkeypatch.setattr(dense, "conv2d", counted)
    for mkl_is_fast, through_convolution in ((True, [4095]), (False, [4096, 4095])):
        monkeypatch.setattr(dense, "MKL_IS_FAST", mkl_is_fast)
        convolved.clear()
        for layer, wanted in zip((long, short), expected, strict=True):
            torch.testing.assert_close(layer(torch.ones(5, layer.in_features)), wanted)
        assert convolved == through_convolution


def test_tokens_in_any_order_of_memory() -> None:
    layer, tokens = Linear(8, 4, bias=False), torch.randn(8, 6, 5).permute(2, 1, 0)
    torch.testing.assert_close(layer(tokens), tokens @ layer.weight.T)


def test_the_feed_forward_is_the_librarys_with_its_names() -> None:
    theirs = LibraryFeedForward(16, activation_fn="geglu")
    ours = FeedForward(16)
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randn(3, 7, 16)
    torch.testing.assert_close(ours(tokens), theirs(tokens))


def test_slices_hold_what_they_may_and_are_whole_where_gradients_are_recorded() -> None:
    tokens = torch.randn(2, 10, 4)  # 4 bytes x 2 x 4: 32 bytes an index of axis 1
    seen: list[int] = []

    def layer(part: torch.Tensor) -> torch.Tensor:
        seen.append(part.shape[1])
        return 2 * part

    doubled = 2 * tokens
    assert slice_size(tokens, 1, 8, 3 * 8 * 32) == 10
    with torch.no_grad():
        assert torch.equal(in_slices(layer, tokens, 1, 3 * 8 * 32), doubled)
        assert slice_size(tokens, 1, 8, 1) == 1
    assert seen == [3, 3, 3, 1]
