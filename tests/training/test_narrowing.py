"""A narrower text encoder says what the whole one said, where captions leave some of it unused."""

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from makeyourvideo.training.narrowing import narrow, relative_error

WIDTH, USED = 64, 24


@pytest.fixture
def encoder() -> CLIPTextModel:
    """One whose feed-forward layers have `USED` hidden units of their own; the others repeat them."""
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=99, hidden_size=32, intermediate_size=WIDTH, num_hidden_layers=2, num_attention_heads=2
    )
    encoder = CLIPTextModel(config).eval()
    with torch.no_grad():
        for layer in encoder.encoder.layers:
            own = torch.arange(WIDTH) % USED
            for weight in (layer.mlp.fc1.weight, layer.mlp.fc1.bias, layer.mlp.fc2.weight):
                weight.normal_(std=0.5)
            layer.mlp.fc1.weight.copy_(layer.mlp.fc1.weight[own])
            layer.mlp.fc1.bias.copy_(layer.mlp.fc1.bias[own])
    return encoder


def tokens(count: int, seed: int) -> torch.Tensor:
    return torch.randint(99, (count, 12), generator=torch.Generator().manual_seed(seed))


def test_units_that_only_repeat_others_cost_nothing(encoder: CLIPTextModel) -> None:
    small = narrow(encoder, tokens(300, 0), USED)
    assert relative_error(encoder, small, tokens(50, 1)) < 1e-3
    assert {layer.mlp.fc1.out_features for layer in small.encoder.layers} == {USED}
    assert small.config.intermediate_size == USED
    assert encoder.config.intermediate_size == WIDTH


def test_fewer_units_than_there_is_to_say_cost_more_and_more(encoder: CLIPTextModel) -> None:
    seen, unseen = tokens(300, 0), tokens(50, 1)
    errors = [relative_error(encoder, narrow(encoder, seen, width), unseen) for width in (20, 12, 4)]
    assert 1e-3 < errors[0] < errors[1] < errors[2] < 1


def test_it_is_better_than_leaving_out_the_smallest(encoder: CLIPTextModel) -> None:
    seen, unseen, width = tokens(300, 0), tokens(50, 1), 16
    naive = narrow(encoder, seen, width)
    with torch.no_grad():
        for whole, layer in zip(encoder.encoder.layers, naive.encoder.layers, strict=True):
            kept = whole.mlp.fc2.weight.norm(dim=0).topk(width).indices
            layer.mlp.fc1.weight.copy_(whole.mlp.fc1.weight[kept])
            layer.mlp.fc1.bias.copy_(whole.mlp.fc1.bias[kept])
            layer.mlp.fc2.weight.copy_(whole.mlp.fc2.weight[:, kept])
            layer.mlp.fc2.bias.copy_(whole.mlp.fc2.bias)
    ours = relative_error(encoder, narrow(encoder, seen, width), unseen)
    assert ours < 0.7 * relative_error(encoder, naive, unseen)
