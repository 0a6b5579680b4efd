"""VideoUNet: the figure of the paper (section 3, "Make-Your-Video", arXiv 2306.00943)."""

from collections.abc import Callable, Iterator, Sequence
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

from makeyourvideo.models.spatial import Downsample, ResidualBlock, SpatialTransformer, Upsample, zeroed
from makeyourvideo.models.temporal import TemporalConvolution, TemporalLayer, TemporalTransformer


@dataclass
class VideoUNetOutput(BaseOutput):
    """What the network predicts.

    Args:
        sample: `b c f h w`.
    """

    sample: Tensor


@dataclass(frozen=True)
class Clip:
    """What every layer is told besides the hidden state.

    Args:
        time_embedding: `b d`, one a clip.
        context: text embeddings `b n d`, one a clip.
        num_frames: f; batch and frames share the first axis of the hidden state.
        temporal: whether temporal layers run.
    """

    time_embedding: Tensor
    context: Tensor
    num_frames: int
    temporal: bool


@dataclass(frozen=True)
class LayerOptions:
    """What the layers of all levels have in common."""

    time_channels: int
    groups: int
    dropout: float
    transformer_layers: int
    context_channels: int
    temporal_convolution: bool
    temporal_attention: bool
    temporal_dropout: float
    temporal_reach: int
    causal_window: int | None

    def resnet(self, in_channels: int, out_channels: int) -> ResidualBlock:
        """Two convolutions that know the time."""
        return ResidualBlock(in_channels, out_channels, self.time_channels, self.groups, self.dropout)

    def temporal_conv(self, channels: int) -> TemporalConvolution:
        """Pseudo-3D convolution."""
        return TemporalConvolution(channels, self.groups, self.temporal_dropout)

    def attention(self, channels: int, head_dim: int) -> SpatialTransformer:
        """Attention within frames and to the text."""
        return SpatialTransformer(
            channels, head_dim, self.transformer_layers, self.context_channels, self.groups
        )

    def temporal_transformer(self, channels: int, head_dim: int) -> TemporalTransformer:
        """Attention over frames."""
        return TemporalTransformer(
            channels, head_dim, self.transformer_layers, self.temporal_reach, self.causal_window, self.groups
        )


class Level(nn.Module):
    """The layers at one resolution: resnet, temporal convolution, spatial and temporal transformer, repeated.

    Args:
        options: what all levels share.
        in_channels: into each resnet, skip connection included; as many as there are layers.
        channels: out of each layer.
        head_dims: width of an attention head in each layer that has transformers, from the first on.
    """

    def __init__(
        self, options: LayerOptions, in_channels: Sequence[int], channels: int, head_dims: Sequence[int]
    ) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(options.resnet(width, channels) for width in in_channels)
        self.attentions = nn.ModuleList(options.attention(channels, head_dim) for head_dim in head_dims)
        self.temporal_convs = nn.ModuleList(
            options.temporal_conv(channels) for _ in in_channels if options.temporal_convolution
        )
        self.temporal_attentions = nn.ModuleList(
            options.temporal_transformer(channels, head_dim)
            for head_dim in head_dims
            if options.temporal_attention
        )
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Callable[..., Tensor]  # set by `enable_gradient_checkpointing`

    def layer(self, index: int, hidden: Tensor, clip: Clip) -> Tensor:
        """Run one layer on `(b f) c h w`, recomputing it in the backward pass where that was asked for."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return self._gradient_checkpointing_func(self._layer, index, hidden, clip)
        return self._layer(index, hidden, clip)

    def _layer(self, index: int, hidden: Tensor, clip: Clip) -> Tensor:
        hidden = self.resnets[index](hidden, clip.time_embedding)
        if clip.temporal and index < len(self.temporal_convs):
            hidden = self.temporal_convs[index](hidden, clip.num_frames)
        if index < len(self.attentions):
            hidden = self.attentions[index](hidden, clip.context)
        if clip.temporal and index < len(self.temporal_attentions):
            hidden = self.temporal_attentions[index](hidden, clip.num_frames)
        return hidden


class DownLevel(Level):
    """A level of the way down; keeps what each layer gives for the way up."""

    def __init__(
        self,
        options: LayerOptions,
        in_channels: Sequence[int],
        channels: int,
        head_dims: Sequence[int],
        last: bool,
    ) -> None:
        super().__init__(options, in_channels, channels, head_dims)
        self.downsamplers = nn.ModuleList([] if last else [Downsample(channels)])

    def forward(self, hidden: Tensor, clip: Clip) -> list[Tensor]:
        """Map `(b f) c h w` to what each layer gives, the last one the smallest."""
        given = []
        for index in range(len(self.resnets)):
            hidden = self.layer(index, hidden, clip)
            given.append(hidden)
        for downsample in self.downsamplers:
            given.append(downsample(hidden))
        return given


class MiddleLevel(Level):
    """The bottom of the network."""

    def forward(self, hidden: Tensor, clip: Clip) -> Tensor:
        """Map `(b f) c h w` to the same."""
        for index in range(len(self.resnets)):
            hidden = self.layer(index, hidden, clip)
        return hidden


class UpLevel(Level):
    """A level of the way up; takes a skip connection before each layer."""

    def __init__(
        self,
        options: LayerOptions,
        in_channels: Sequence[int],
        channels: int,
        head_dims: Sequence[int],
        last: bool,
    ) -> None:
        super().__init__(options, in_channels, channels, head_dims)
        self.upsamplers = nn.ModuleList([] if last else [Upsample(channels)])

    def forward(self, hidden: Tensor, skips: list[Tensor], clip: Clip) -> Tensor:
        """Map `(b f) c h w` to the size of the level above, taking skips off the end of the list."""
        for index in range(len(self.resnets)):
            hidden = self.layer(index, torch.cat([hidden, skips.pop()], dim=1), clip)
        for upsample in self.upsamplers:
            hidden = upsample(hidden)
        return hidden


class VideoUNet(ModelMixin, ConfigMixin):
    """The denoising network: an image U-Net whose layers are followed by temporal ones.

    The defaults are the sizes of the released model. With `temporal_enabled` false, and likewise before any
    training of the temporal layers, it is the image model, frame by frame.

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
        clip = Clip(time_embedding, encoder_hidden_states, num_frames, self.temporal_enabled)

        frames = rearrange(sample, "b c f h w -> (b f) c h w").contiguous(memory_format=torch.channels_last)
        skips = [self.conv_in(frames)]
        for down_block in self.down_blocks:
            skips += down_block(skips[-1], clip)
        hidden = self.mid_block(skips[-1], clip)
        for up_block in self.up_blocks:
            hidden = up_block(hidden, skips, clip)
        hidden = self.conv_out(silu(self.conv_norm_out(hidden)))

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
