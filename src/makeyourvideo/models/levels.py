"""The layers at one resolution: the paper's blocks, repeated, and the way to the next resolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from makeyourvideo.models.spatial import Downsample, ResidualBlock, SpatialTransformer, Upsample
from makeyourvideo.models.temporal import TemporalConvolution, TemporalTransformer


@dataclass(frozen=True)
class Clip:
    """What every layer is told besides the hidden state.

    Args:
        time_embedding: `b d`, one a clip.
        context: text embeddings `b n d`, one a clip.
        num_frames: f; batch and frames share the first axis of the hidden state.
        temporal: whether temporal layers run.
        slice_bytes: roughly what a layer may hold at once beside what it is given and gives.
    """

    time_embedding: Tensor
    context: Tensor
    num_frames: int
    temporal: bool
    slice_bytes: int


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
        depth, groups = options.transformer_layers, options.groups
        self.resnets = nn.ModuleList(
            ResidualBlock(width, channels, options.time_channels, groups, options.dropout)
            for width in in_channels
        )
        self.attentions = nn.ModuleList(
            SpatialTransformer(channels, head_dim, depth, options.context_channels, groups)
            for head_dim in head_dims
        )
        self.temporal_convs = nn.ModuleList(
            TemporalConvolution(channels, groups, options.temporal_dropout)
            for _ in in_channels
            if options.temporal_convolution
        )
        self.temporal_attentions = nn.ModuleList(
            TemporalTransformer(
                channels, head_dim, depth, options.temporal_reach, options.causal_window, groups
            )
            for head_dim in head_dims
            if options.temporal_attention
        )
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Callable[..., Tensor]  # set by `enable_gradient_checkpointing`

    def layer(self, index: int, entering: list[Tensor], clip: Clip) -> Tensor:
        """Run one layer on `(b f) c h w`, recomputing it in the backward pass where that was asked for.

        Args:
            index: which layer.
            entering: the hidden state and, on the way up, a skip connection. The list is emptied, so that
                neither is kept alive while the rest of the layer runs.
            clip: what it is told besides.
        """
        if self.gradient_checkpointing and torch.is_grad_enabled():

            def layer(*given: Tensor) -> Tensor:
                return self._layer(index, list(given), clip)

            return self._gradient_checkpointing_func(layer, *entering)
        return self._layer(index, entering, clip)

    def _layer(self, index: int, entering: list[Tensor], clip: Clip) -> Tensor:
        hidden, *skip = entering
        entering.clear()
        hidden = self.resnets[index](hidden, clip.time_embedding, clip.slice_bytes, *skip)
        del skip
        if clip.temporal and index < len(self.temporal_convs):
            hidden = self.temporal_convs[index](hidden, clip.num_frames, clip.slice_bytes)
        if index < len(self.attentions):
            hidden = self.attentions[index](hidden, clip.context, clip.slice_bytes)
        if clip.temporal and index < len(self.temporal_attentions):
            hidden = self.temporal_attentions[index](hidden, clip.num_frames, clip.slice_bytes)
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
            hidden = self.layer(index, [hidden], clip)
            given.append(hidden)
        for downsample in self.downsamplers:
            given.append(downsample(hidden))
        return given


class MiddleLevel(Level):
    """The bottom of the network."""

    def forward(self, hidden: Tensor, clip: Clip) -> Tensor:
        """Map `(b f) c h w` to the same."""
        for index in range(len(self.resnets)):
            hidden = self.layer(index, [hidden], clip)
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

    def forward(self, tensors: list[Tensor], clip: Clip) -> None:
        """Take the hidden state `(b f) c h w` and skips off the end of the list; put the new state there."""
        for index in range(len(self.resnets)):
            tensors.append(self.layer(index, [tensors.pop(), tensors.pop()], clip))
        for upsample in self.upsamplers:
            tensors.append(upsample(tensors.pop(), clip.slice_bytes))
