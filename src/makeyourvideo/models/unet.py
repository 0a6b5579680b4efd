"""VideoUNet: the figure of the paper (section 3, "Make-Your-Video", arXiv 2306.00943)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.utils import BaseOutput
from einops import rearrange
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import silu

from makeyourvideo.models.levels import Clip, DownLevel, LayerOptions, MiddleLevel, UpLevel
from makeyourvideo.models.spatial import zeroed
from makeyourvideo.models.temporal import TemporalLayer

SLICE_BYTES = 2**25
"""What a layer may hold at once, unless it is told otherwise: the fastest."""


@dataclass
class VideoUNetOutput(BaseOutput):
    """What the network predicts.

    Args:
        sample: `b c f h w`.
    """

    sample: Tensor


class VideoUNet(ModelMixin, ConfigMixin):
    """The denoising network: an image U-Net whose layers are followed by temporal ones.

    The defaults are the sizes of the released model. With `temporal_enabled` false, and likewise before any
    training of the temporal layers, it is the image model, frame by frame. `slice_bytes` bounds what a layer
    holds at once, more or less; it changes results by no more than rounding.

    Args:
        in_channels: latents, then `depth_patch_size**2` channels of depth.
        out_channels: latents.
        block_out_channels: width of each level.
        layers_per_block: residual blocks a level on the way down; one more on the way up.
        attention_levels: which levels have transformers; the middle always has.
        attention_head_dim: width of a head, of all levels or of each.
        transformer_layers: layers of each transformer, spatial and temporal.
        cross_attention_dim: width of the text embeddings.
        norm_num_groups: groups of every GroupNorm.
        dropout: in the residual blocks.
        temporal_length: reach of the tables of relative positions, in frames.
        causal_window: how many frames a frame sees, itself included.
        temporal_dropout: in the temporal convolutions.
        temporal_convolution: whether there are any.
        temporal_attention: whether there are temporal transformers.
        causal: false lets every frame see every other.
        depth_normalization: whether depth is min-max normalised by frame or over the clip.
        depth_patch_size: side of the depth patch folded into each latent pixel.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        in_channels: int = 5,
        out_channels: int = 4,
        block_out_channels: Sequence[int] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        attention_levels: Sequence[bool] = (True, True, True, False),
        attention_head_dim: int | Sequence[int] = 64,
        transformer_layers: int = 1,
        cross_attention_dim: int = 1024,
        norm_num_groups: int = 32,
        dropout: float = 0.0,
        temporal_length: int = 16,
        causal_window: int = 16,
        temporal_dropout: float = 0.1,
        temporal_convolution: bool = True,
        temporal_attention: bool = True,
        causal: bool = True,
        depth_normalization: Literal["frame", "clip"] = "frame",  # noqa: ARG002  (for whoever makes the depth)
        depth_patch_size: int = 1,  # noqa: ARG002  (likewise)
    ) -> None:
        super().__init__()
        self.temporal_enabled = True
        self.slice_bytes = SLICE_BYTES
        widths = list(block_out_channels)
        head_dims = _head_dims(widths, attention_levels, attention_head_dim)
        options = LayerOptions(
            time_channels=4 * widths[0],
            groups=norm_num_groups,
            dropout=dropout,
            transformer_layers=transformer_layers,
            context_channels=cross_attention_dim,
            temporal_convolution=temporal_convolution,
            temporal_attention=temporal_attention,
            temporal_dropout=temporal_dropout,
            temporal_reach=temporal_length,
            causal_window=causal_window if causal else None,
        )
        self.time_proj = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(widths[0], options.time_channels)
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)

        self.down_blocks = nn.ModuleList()
        skips = [widths[0]]
        for level, width in enumerate(widths):
            entering = [skips[-1]] + [width] * (layers_per_block - 1)
            heads = [head_dims[level]] * layers_per_block if attention_levels[level] else []
            last = level == len(widths) - 1
            self.down_blocks.append(DownLevel(options, entering, width, heads, last))
            skips += [width] * (layers_per_block + (not last))

        self.mid_block = MiddleLevel(options, [widths[-1]] * 2, widths[-1], [head_dims[-1]])

        self.up_blocks = nn.ModuleList()
        below = widths[-1]
        for level, width in reversed(list(enumerate(widths))):
            hidden = [below] + [width] * layers_per_block
            entering = [channels + skips.pop() for channels in hidden]
            heads = [head_dims[level]] * (layers_per_block + 1) if attention_levels[level] else []
            self.up_blocks.append(UpLevel(options, entering, width, heads, last=level == 0))
            below = width

        self.conv_norm_out = nn.GroupNorm(norm_num_groups, widths[0], eps=1e-5)
        self.conv_out = zeroed(nn.Conv2d(widths[0], out_channels, 3, padding=1))

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        return_dict: bool = True,
    ) -> VideoUNetOutput | tuple[Tensor]:
        """Predict, in the `prediction_type` that the weights were trained for.

        Args:
            sample: `b c f h w`, noisy latents and depth; height and width divide by 2 once a level but one.
            timestep: one, or one a clip.
            encoder_hidden_states: text embeddings `b n d`.
            return_dict: false returns a plain tuple.

        Raises:
            ValueError: the sample's height or width cannot be halved that often.
        """
        batch, _, num_frames, height, width = sample.shape
        if height % self.size_multiple or width % self.size_multiple:
            raise ValueError(f"height and width divisible by {self.size_multiple}, got {height} x {width}")
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(batch)
        time_embedding = self.time_embedding(self.time_proj(timesteps).to(sample.dtype))
        clip = Clip(
            time_embedding, encoder_hidden_states, num_frames, self.temporal_enabled, self.slice_bytes
        )

        frames = rearrange(sample, "b c f h w -> (b f) c h w").contiguous(memory_format=torch.channels_last)
        tensors = [self.conv_in(frames)]
        for down_block in self.down_blocks:
            tensors += down_block(tensors[-1], clip)
        tensors.append(self.mid_block(tensors[-1], clip))
        for up_block in self.up_blocks:
            up_block(tensors, clip)
        hidden = self.conv_out(silu(self.conv_norm_out(tensors.pop())))

        prediction = rearrange(hidden, "(b f) c h w -> b c f h w", f=num_frames)
        return VideoUNetOutput(prediction) if return_dict else (prediction,)

    @property
    def size_multiple(self) -> int:
        """What a sample's height and width must be divisible by."""
        return 2 ** (len(self.down_blocks) - 1)

    def temporal_parameters(self) -> Iterator[Parameter]:
        """The parameters that stage 2 trains: those of every `TemporalLayer`."""
        for module in self.modules():
            if isinstance(module, TemporalLayer):
                yield from module.parameters()

    def spatial_parameters(self) -> Iterator[Parameter]:
        """The parameters of the image model: all others."""
        temporal = {id(parameter) for parameter in self.temporal_parameters()}
        return (parameter for parameter in self.parameters() if id(parameter) not in temporal)


def _head_dims(
    widths: Sequence[int], attention_levels: Sequence[bool], head_dim: int | Sequence[int]
) -> list[int]:
    head_dims = [head_dim] * len(widths) if isinstance(head_dim, int) else list(head_dim)
    if not len(widths) == len(attention_levels) == len(head_dims):
        raise ValueError(
            f"as many attention_levels and head widths as levels, got {attention_levels} and {head_dims} "
            f"for block_out_channels {widths}"
        )
    attending = [*attention_levels[:-1], True]  # the middle block always attends, at the last level's width
    for width, attends, head_dim_here in zip(widths, attending, head_dims, strict=True):
        if attends and width % head_dim_here:
            raise ValueError(
                f"block_out_channels divisible by attention_head_dim {head_dim_here}, got {width}"
            )
    return head_dims
