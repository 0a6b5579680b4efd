"""Dense layers, put to the processor as it computes them fastest, and work done in slices."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu

MKL_IS_FAST = torch.backends.cpu.get_cpu_capability() == "AVX2"
"""Whether products in MKL are as fast as in oneDNN: wider instructions it uses of one maker's alone."""
_LONG = 4096
"""At 5,120 products oneDNN's convolution of one pixel takes three times as long, at 2,560 no longer."""


def pixels_first(hidden: Tensor) -> Tensor:
    """View `n c h w` as `n h w c`, the order of channels-last memory."""
    return hidden.permute(0, 2, 3, 1)


def channels_first(hidden: Tensor) -> Tensor:
    """View `n h w c` as `n c h w`; of a batch of one, too, the layers can tell that channels are last.

    (einops regroups a batch of one to the same numbers with strides that look like another layout.)
    """
    return hidden.permute(0, 3, 1, 2)


class Linear(nn.Linear):
    """`nn.Linear` that on a CPU in float32 runs as a convolution of one pixel, where that is the faster way.

    Convolutions go to oneDNN, products of matrices to MKL, which on other makers' processors leaves the
    widest instructions out: there this is twice as fast, elsewhere as fast, but for long sums.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `... in_features` to `... out_features`."""
        is_single = tokens.device.type == "cpu" and tokens.dtype == torch.float32
        is_long = MKL_IS_FAST and self.in_features >= _LONG
        if not is_single or is_long or torch.is_autocast_enabled("cpu"):
            return super().forward(tokens)
        rows = tokens.reshape(1, -1, 1, self.in_features).permute(0, 3, 1, 2)  # channels last, nothing moves
        product = conv2d(rows, self.weight[:, :, None, None], self.bias)
        return product.permute(0, 2, 3, 1).reshape(*tokens.shape[:-1], self.out_features)


class GatedProjection(nn.Module):
    """GEGLU: a projection times the GELU of another (Shazeer 2020, equation 6)."""

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__()
        self.proj = Linear(channels, 2 * hidden_channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `... channels` to `... hidden_channels`."""
        value, gate = self.proj(tokens).chunk(2, dim=-1)
        return value * gelu(gate)


class FeedForward(nn.Module):
    """Two layers with a gated hidden state four times as wide; named as diffusers names its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.ModuleList(
            [GatedProjection(channels, 4 * channels), nn.Identity(), Linear(4 * channels, channels)]
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `... channels` to the same."""
        for layer in self.net:
            tokens = layer(tokens)
        return tokens


def plus(hidden: Tensor, residual: Tensor) -> Tensor:
    """Their sum; written over the residual where that is no matter: the caller must be done with it."""
    if torch.is_grad_enabled() or residual.dtype != hidden.dtype:
        return hidden + residual
    return residual.add_(hidden)


def slice_size(hidden: Tensor, axis: int, widening: float, slice_bytes: int) -> int:
    """How many indices of `axis` a layer may take at once.

    Args:
        hidden: what the layer is given.
        axis: which of its axes is cut.
        widening: how many times as much as it is given the layer holds at once.
        slice_bytes: what it may hold, more or less. Where gradients are recorded there is no bound: what is
            computed stays anyway.
    """
    length = hidden.shape[axis]
    if torch.is_grad_enabled():
        return length
    bytes_each = int(widening * hidden.numel() / length * hidden.element_size())
    return min(length, max(1, slice_bytes // bytes_each))


def in_slices(
    layer: Callable[[Tensor], Tensor], tokens: Tensor, axis: int, slice_bytes: int, widening: float = 8
) -> Tensor:
    """`layer(tokens)`, for a layer that treats every index of `axis` alone, a slice at a time.

    Where there is more than one slice, they are written over `tokens`: the caller must be done with them. By
    default the layer is a transformer's, whose feed-forward is eight times as wide before its gate.
    """
    size = slice_size(tokens, axis, widening, slice_bytes)
    if size == tokens.shape[axis]:
        return layer(tokens)
    for part in tokens.split(size, axis):
        part.copy_(layer(part))
    return tokens


def by_frames(layer: Callable[..., Tensor], size: int, *tensors: Tensor) -> Tensor:
    """`layer(*tensors)`, for a layer that treats every index of the first axis alone, `size` at a time.

    The results are written into one tensor as they come, so that they are never there twice.
    """
    length = len(tensors[0])
    if size == length:
        return layer(*tensors)
    parts = zip(range(0, length, size), *(tensor.split(size) for tensor in tensors), strict=True)
    whole: Tensor | None = None
    for start, *part in parts:
        result = layer(*part)
        if whole is None:
            shape, layout = (length, *result.shape[1:]), torch.channels_last
            whole = torch.empty(shape, dtype=result.dtype, device=result.device, memory_format=layout)
        whole[start : start + size] = result
    assert whole is not None, "there is at least one slice"
    return whole
