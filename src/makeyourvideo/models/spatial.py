"""What the image model has: layers that see one frame at a time.

Hidden states are `(b f) c h w` in channels-last memory, where regrouping frames, pixels and channels is a
view. Modules carry the names of diffusers' `UNet2DConditionModel`, so its weights load as they are.
"""

from typing import TypeVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

from makeyourvideo.models.dense import (
    FeedForward,
    Linear,
    by_frames,
    channels_first,
    in_slices,
    pixels_first,
    slice_size,
)
from makeyourvideo.models.winograd import convolve_pixels, pays

Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """Set the parameters of a residual branch's last layer to zero, so that the branch starts silent."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention of `b heads n d`; under a CPU's autocast in float32, faster to train."""
    if not torch.is_autocast_enabled("cpu"):
        return scaled_dot_product_attention(query, key, value)
    with torch.autocast("cpu", enabled=False):
        return scaled_dot_product_attention(query.float(), key.float(), value.float())


class Convolution(nn.Conv2d):
    """A convolution by three by three, zero-padded, as it is computed fastest."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `n c h w` to as many pictures of `out_channels`."""
        if self.bias is None or any(side % 2 for side in hidden.shape[2:]) or not pays(hidden, self.weight):
            return super().forward(hidden)
        pixels = rearrange(hidden, "n c h w -> n h w c")
        return convolve_pixels(pixels, self.weight, self.bias).permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Two convolutions with the timestep added between them (the spatial half of the paper's STRB)."""

    def __init__(
        self, in_channels: int, out_channels: int, time_channels: int, groups: int, dropout: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=1e-5)
        self.conv1 = Convolution(in_channels, out_channels)
        self.time_emb_proj = Linear(time_channels, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=1e-5)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(Convolution(out_channels, out_channels))
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(
        self, hidden: Tensor, time_embedding: Tensor, slice_bytes: int, skip: Tensor | None = None
    ) -> Tensor:
        """Map `(b f) c h w` to as many frames of `out_channels`, some frames at a time.

        Args:
            hidden: the hidden state.
            time_embedding: `b d`, one a clip.
            slice_bytes: roughly what may be held at once.
            skip: more channels of the same frames; joined a slice at a time, so never all at once.
        """
        shift = self.time_emb_proj(silu(time_embedding))
        shift = shift.repeat_interleave(hidden.shape[0] // shift.shape[0], dim=0)[:, :, None, None]
        widening = 3 if skip is None else 3 * (1 + skip.shape[1] / hidden.shape[1])
        size = slice_size(hidden, 0, widening, slice_bytes)
        return by_frames(self._residual, size, hidden, shift, *([] if skip is None else [skip]))

    def _residual(self, hidden: Tensor, shift: Tensor, skip: Tensor | None = None) -> Tensor:
        if skip is not None:
            hidden = torch.cat([hidden, skip], dim=1)
        in_place = not torch.is_grad_enabled()
        residual = self.conv1(silu(self.norm1(hidden), in_place)) + shift
        residual = self.conv2(self.dropout(silu(self.norm2(residual), in_place)))
        return residual + (hidden if self.conv_shortcut is None else self.conv_shortcut(hidden))


class Attention(nn.Module):
    """Multi-head attention of `b n c` tokens to themselves or to a context `b m d`."""

    def __init__(self, channels: int, head_dim: int, context_channels: int | None = None) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.to_q = Linear(channels, channels, bias=False)
        self.to_k = Linear(context_channels or channels, channels, bias=False)
        self.to_v = Linear(context_channels or channels, channels, bias=False)
        self.to_out = nn.ModuleList([Linear(channels, channels)])

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend to the tokens themselves; return `b n c`."""
        return self.attend(tokens, *self.project(tokens))

    def project(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `b heads m d` of what is attended to."""
        return self._split(self.to_k(context)), self._split(self.to_v(context))

    def attend(self, tokens: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend to keys and values of `project`; return `b n c`."""
        attended = attend(self._split(self.to_q(tokens)), key, value)
        return self.to_out[0](rearrange(attended, "b heads n d -> b n (heads d)"))

    def _split(self, projected: Tensor) -> Tensor:
        return rearrange(projected, "b n (heads d) -> b heads n d", d=self.head_dim)


class SpatialTransformerLayer(nn.Module):
    """Self-attention within a frame, cross-attention to the text, feed-forward; each a residual."""

    def __init__(self, channels: int, head_dim: int, context_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, head_dim)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, head_dim, context_channels)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, tokens: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Map `b f n c` to the same; keys and values are the text's, from `attn2.project`, once a clip.

        All frames of a clip ask the same text, so they are laid out as one long row of queries.
        """
        frames = tokens.flatten(0, 1)
        frames = frames + self.attn1(self.norm1(frames))
        tokens = frames.view_as(tokens)
        queries = self.norm2(tokens).flatten(1, 2)
        tokens = tokens + self.attn2.attend(queries, key, value).view_as(tokens)
        return tokens + self.ff(self.norm3(tokens))


class SpatialTransformer(nn.Module):
    """Transformer over the pixels of each frame, conditioned on the text."""

    def __init__(self, channels: int, head_dim: int, layers: int, context_channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            SpatialTransformerLayer(channels, head_dim, context_channels) for _ in range(layers)
        )
        self.proj_out = zeroed(Linear(channels, channels))

    def forward(self, hidden: Tensor, context: Tensor, slice_bytes: int) -> Tensor:
        """Map `(b f) c h w` to the same, some frames at a time; `context` is `b m d`, one a clip.

        They may be written over `hidden`: the caller must be done with it.
        """
        asked = []
        for layer in self.transformer_blocks:
            assert isinstance(layer, SpatialTransformerLayer)
            asked.append(layer.attn2.project(context))

        def transformed(part: Tensor) -> Tensor:
            normed = self.norm(channels_first(part.flatten(0, 1)[:, None]))
            tokens = self.proj_in(pixels_first(normed).view_as(part))
            for layer, (key, value) in zip(self.transformer_blocks, asked, strict=True):
                tokens = layer(tokens, key, value)
            return part + self.proj_out(tokens)

        tokens = rearrange(hidden, "(b f) c h w -> b f (h w) c", b=context.shape[0])
        tokens = in_slices(transformed, tokens, 1, slice_bytes)
        return rearrange(tokens, "b f (h w) c -> (b f) c h w", h=hidden.shape[2])


class Downsample(nn.Module):
    """Halve height and width by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `(b f) c h w` to half the size."""
        return self.conv(hidden)


class Upsample(nn.Module):
    """Double height and width: nearest neighbours, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels)

    def forward(self, hidden: Tensor, slice_bytes: int) -> Tensor:
        """Map `(b f) c h w` to twice the size, some frames at a time."""
        return by_frames(self._upsample, slice_size(hidden, 0, 8, slice_bytes), hidden)

    def _upsample(self, hidden: Tensor) -> Tensor:
        return self.conv(interpolate(hidden, scale_factor=2.0, mode="nearest"))
