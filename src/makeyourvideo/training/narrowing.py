"""A text encoder made smaller without training: it loses the hidden units that others can stand in for."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from scipy.linalg import qr
from torch import Tensor, nn
from transformers import CLIPTextModel

_RIDGE = 1e-7
_TOGETHER = 256


@torch.no_grad()
def narrow(encoder: CLIPTextModel, tokens: Tensor, width: int) -> CLIPTextModel:
    """Give every feed-forward layer `width` hidden units in place of what it has.

    Those stay that come first in a QR decomposition with column pivoting of what all of them add for some
    captions. The layer behind them is then fitted, by least squares, to what it gave in the whole encoder:
    so a layer makes good what the ones before it lost, too.

    Args:
        encoder: stays as it is; in single precision.
        tokens: of captions as the encoder is going to see them, `(captions, length)`: hundreds at least.
        width: how many hidden units stay in each layer.
    """
    small = copy.deepcopy(encoder)
    for whole, layer in zip(_feed_forwards(encoder), _feed_forwards(small), strict=True):
        with _recorded(whole.fc2) as (_, wanted), _recorded(layer.fc2) as (hidden, _):
            for some in tokens.split(_TOGETHER):
                encoder(some)
                small(some)
        units, outputs = (torch.cat(seen).flatten(0, 1).double() for seen in (hidden, wanted))
        kept = _independent(units * layer.fc2.weight.double().norm(dim=0), width)
        fitted = _least_squares(units[:, kept], outputs)
        layer.fc1 = _linear(layer.fc1.weight[kept], layer.fc1.bias[kept])
        layer.fc2 = _linear(fitted[:-1].T.float(), fitted[-1].float())
    small.config.intermediate_size = width
    return small


@torch.no_grad()
def relative_error(encoder: CLIPTextModel, other: CLIPTextModel, tokens: Tensor) -> float:
    """How far the embeddings of another encoder are off, as a share of their standard deviation."""
    ours, theirs = (one(tokens).last_hidden_state for one in (encoder, other))
    return float((theirs - ours).square().mean().sqrt() / ours.std())


def _feed_forwards(encoder: CLIPTextModel) -> list[Any]:
    return [layer.mlp for layer in encoder.encoder.layers]


@contextmanager
def _recorded(layer: nn.Module) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """What a layer is given and what it gives, a tensor a call."""
    given: list[Tensor] = []
    gives: list[Tensor] = []

    def note(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given.append(inputs[0])
        gives.append(output)

    handle = layer.register_forward_hook(note)
    try:
        yield given, gives
    finally:
        handle.remove()


def _independent(columns: Tensor, count: int) -> Tensor:
    """The columns of `(n, m)` that tell the most beside those before them, in order of their place."""
    gram = columns.T @ columns
    gram.diagonal().add_(1e-9 * gram.diagonal().mean())
    _, _, order = qr(torch.linalg.cholesky(gram).T.numpy(), mode="economic", pivoting=True)
    return torch.from_numpy(order[:count]).sort().values


def _least_squares(inputs: Tensor, outputs: Tensor) -> Tensor:
    """What takes `(n, m)` and a 1 to `(n, k)`: weights `(m + 1, k)`, the last row the bias."""
    rows = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    gram = rows.T @ rows
    gram.diagonal().add_(_RIDGE * gram.diagonal().mean())
    return torch.linalg.solve(gram, rows.T @ outputs)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
