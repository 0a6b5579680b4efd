"""What makes it a video model: pseudo-3D convolution and causal attention over frames.

Every module here is a `TemporalLayer`, ends in a zero-initialised projection and is added to its input, so
that a fresh video model is its image model, frame by frame.
"""

import torch
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from makeyourvideo.models.dense import FeedForward, Linear, channels_first, in_slices, pixels_first, plus
from makeyourvideo.models.spatial import Convolution, zeroed
from makeyourvideo.models.winograd import convolve_frames, pays


class TemporalLayer(nn.Module):
    """Marks a layer, and with it all its parameters, as temporal; every other parameter is spatial."""

    def silence(self) -> None:
        """Set the last projection to zero, so that the layer passes on what it is given."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Draw all parameters afresh, as in a new layer."""
        for module in self.modules():
            reset = getattr(module, "reset_parameters", None)
            if module is not self and callable(reset):
                reset()
        self.silence()


class FramesGroupNorm(nn.GroupNorm):
    """GroupNorm whose statistics run over the frames of a clip, too."""

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:  # type: ignore[override]
        """Map `(b f) c h w` to the same."""
        if torch.is_grad_enabled() and self.weight.requires_grad and not hidden.requires_grad:
            # PyTorch 2.13 crashes in the backward pass of a channels-last GroupNorm whose input needs no
            # gradient, as at the first temporal layer above frozen ones.
            hidden = hidden.detach().requires_grad_()
        frames, _, height, width = hidden.shape
        clips = pixels_first(hidden).reshape(frames // num_frames, num_frames * height, width, -1)
        normed = super().forward(channels_first(clips))
        return channels_first(pixels_first(normed).reshape(frames, height, width, -1))


_LEAST_FRAMES = 4
"""Of fewer frames tiles of four would be mostly wasted."""

CONVOLUTION_WIDENING = 3
"""What a convolution holds at once: its slice, that padded, and the result; more where it is filtered."""


class FramesConv(nn.Conv2d):
    """Convolution with a kernel of (3, 1, 1) over (frames, height, width), first and last frame repeated."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (3, 1))

    def forward(self, hidden: Tensor, num_frames: int, slice_bytes: int) -> Tensor:  # type: ignore[override]
        """Map `(b f) c h w` to the same, some positions at a time; see `in_slices`."""
        frames, channels, height, width = hidden.shape
        clips = pixels_first(hidden).reshape(-1, num_frames, height * width, channels)
        convolved = in_slices(self._convolve, clips, 2, slice_bytes, CONVOLUTION_WIDENING)
        return channels_first(convolved.reshape(frames, height, width, channels))

    def _convolve(self, clips: Tensor) -> Tensor:
        if self.bias is not None and clips.shape[1] >= _LEAST_FRAMES and pays(clips, self.weight):
            return convolve_frames(clips, self.weight, self.bias)
        padded = torch.cat([clips[:, :1], clips, clips[:, -1:]], dim=1)
        return pixels_first(super().forward(channels_first(padded)))


class PixelsConv(Convolution):
    """Convolution with a kernel of (1, 3, 3) over (frames, height, width), zero-padded."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(  # type: ignore[override]
        self,
        hidden: Tensor,
        num_frames: int,  # noqa: ARG002
        slice_bytes: int,
    ) -> Tensor:
        """Map `(b f) c h w` to the same, some frames at a time; see `in_slices`."""
        return in_slices(super().forward, hidden, 0, slice_bytes, CONVOLUTION_WIDENING)


class TemporalConvolution(TemporalLayer):
    """Five stages of norm, SiLU, dropout and convolution (the temporal half of the paper's STRB)."""

    def __init__(self, channels: int, groups: int, dropout: float) -> None:
        super().__init__()
        kernels = (FramesConv, PixelsConv, FramesConv, FramesConv, FramesConv)
        self.norms = nn.ModuleList(FramesGroupNorm(groups, channels, eps=1e-5) for _ in kernels)
        self.convs = nn.ModuleList(kernel(channels) for kernel in kernels)
        self.dropout = nn.Dropout(dropout)
        self.silence()

    def silence(self) -> None:
        """Set the last convolution to zero."""
        zeroed(self.convs[-1])

    def forward(self, hidden: Tensor, num_frames: int, slice_bytes: int) -> Tensor:
        """Map `(b f) c h w` to the same; what is convolved goes in slices, the norms see all of a clip."""
        residual = hidden
        for stage, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            residual = norm(residual, num_frames)  # one name, so that nothing outlives its use
            residual = silu(residual, inplace=not torch.is_grad_enabled())
            residual = conv(residual if stage == 0 else self.dropout(residual), num_frames, slice_bytes)
        return plus(hidden, residual)


def relative_attention(
    query: Tensor, key: Tensor, value: Tensor, key_table: Tensor, value_table: Tensor, window: int | None
) -> Tensor:
    """Attend over frames with relative positions and, given a window, the causal attention mask (CAM).

    `score(i, j) = (q_i·k_j + q_i·Rk[j-i]) / sqrt(d)`, `out_i = sum_j p_ij (v_j + Rv[j-i])`, where frame i
    sees frames max(0, i - window + 1) … i, or every frame where `window` is None. The weights p are needed
    twice, which `scaled_dot_product_attention` does not offer. Queries go in blocks of frames, each against
    the keys that it can see, all blocks at once: cost and memory grow linearly with the frames.

    Args:
        query, key, value: `n heads f d`.
        key_table, value_table: Rk and Rv, `2 * reach + 1` rows of d; offsets are clipped to ±reach.
        window: how many frames a frame sees, itself included.

    Returns:
        `n heads f d`.
    """
    num_frames, reach = query.shape[2], key_table.shape[0] // 2
    block = min(window or num_frames, num_frames)
    earlier = 0 if window is None or block == num_frames else window - 1  # what a block sees beside its own
    missing = -num_frames % block
    query = pad(query * query.shape[-1] ** -0.5, (0, 0, 0, missing)).unflatten(2, (-1, block))
    key, value = (
        pad(seen, (0, 0, earlier, missing)).unfold(2, earlier + block, block) for seen in (key, value)
    )
    steps = torch.arange(-earlier, block, device=query.device)
    offsets = steps[None, :] - torch.arange(block, device=query.device)[:, None]
    rows = offsets.clamp(-reach, reach) + reach
    scores = query @ key + einsum(query, key_table[rows], "n heads b i d, i j d -> n heads b i j")
    if window is not None:
        scores = scores.masked_fill((offsets > 0) | (offsets <= -window), float("-inf"))
        scores[:, :, 0, :, :earlier] = float("-inf")  # before the first frame there is none
    weights = scores.softmax(dim=-1)
    positions = einsum(weights, value_table[rows], "n heads b i j, i j d -> n heads b i d")
    attended = weights @ value.transpose(-1, -2) + positions
    return attended.flatten(2, 3)[:, :, :num_frames]


class TemporalAttention(nn.Module):
    """Self-attention over the frames at each spatial position."""

    def __init__(self, channels: int, head_dim: int, reach: int, window: int | None) -> None:
        super().__init__()
        self.head_dim, self.window = head_dim, window
        self.to_q = Linear(channels, channels, bias=False)
        self.to_k = Linear(channels, channels, bias=False)
        self.to_v = Linear(channels, channels, bias=False)
        self.to_out = nn.ModuleList([Linear(channels, channels)])
        self.relative_key = nn.Parameter(torch.empty(2 * reach + 1, head_dim))
        self.relative_value = nn.Parameter(torch.empty(2 * reach + 1, head_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the tables of relative positions afresh."""
        nn.init.xavier_uniform_(self.relative_key)
        nn.init.xavier_uniform_(self.relative_value)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `b f n c`, n spatial positions, to the same."""
        query, key, value = (
            rearrange(projected, "b f n (heads d) -> (b n) heads f d", d=self.head_dim)
            for projected in (self.to_q(tokens), self.to_k(tokens), self.to_v(tokens))
        )
        attended = relative_attention(query, key, value, self.relative_key, self.relative_value, self.window)
        return self.to_out[0](rearrange(attended, "(b n) heads f d -> b f n (heads d)", b=tokens.shape[0]))


class TemporalTransformerLayer(nn.Module):
    """Two self-attentions over frames and a feed-forward; each a residual."""

    def __init__(self, channels: int, head_dim: int, reach: int, window: int | None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = TemporalAttention(channels, head_dim, reach, window)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = TemporalAttention(channels, head_dim, reach, window)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `b f n c`, n spatial positions, to the same."""
        tokens = tokens + self.attn1(self.norm1(tokens))
        tokens = tokens + self.attn2(self.norm2(tokens))
        return tokens + self.ff(self.norm3(tokens))


class TemporalTransformer(TemporalLayer):
    """Transformer over frames at each spatial position, its norm over the whole clip."""

    def __init__(
        self, channels: int, head_dim: int, layers: int, reach: int, window: int | None, groups: int
    ) -> None:
        super().__init__()
        self.norm = FramesGroupNorm(groups, channels, eps=1e-6)
        self.proj_in = Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            TemporalTransformerLayer(channels, head_dim, reach, window) for _ in range(layers)
        )
        self.proj_out = Linear(channels, channels)
        self.silence()

    def silence(self) -> None:
        """Set the last projection to zero."""
        zeroed(self.proj_out)

    def forward(self, hidden: Tensor, num_frames: int, slice_bytes: int) -> Tensor:
        """Map `(b f) c h w` to the same; positions go in slices, the norm sees all of a clip."""
        normed = rearrange(self.norm(hidden, num_frames), "(b f) c h w -> b f (h w) c", f=num_frames)
        residual = in_slices(self._residual, normed, 2, slice_bytes)
        return plus(hidden, rearrange(residual, "b f (h w) c -> (b f) c h w", h=hidden.shape[2]))

    def _residual(self, normed: Tensor) -> Tensor:
        tokens = self.proj_in(normed)
        for layer in self.transformer_blocks:
            tokens = layer(tokens)
        return self.proj_out(tokens)
