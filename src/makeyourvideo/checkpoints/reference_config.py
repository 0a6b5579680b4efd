"""The reference's own configuration: its parameter names, what ours can honour, and what it means here.

What a configuration leaves out is as in the released model.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from makeyourvideo.errors import InputError

VOCABULARY, HEADS = 49408, 16  # OpenCLIP ViT-H/14; the number of heads shows in no shape
SCALING_FACTOR = 0.18215


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DenoiserSection(_Section):
    """The denoising network. A `Literal` is an option of which ours has just that choice."""

    in_channels: PositiveInt = 5
    out_channels: PositiveInt = 4
    model_channels: PositiveInt = 320
    channel_mult: list[PositiveInt] = [1, 2, 4, 4]
    num_res_blocks: PositiveInt = 2
    attention_resolutions: list[PositiveInt] = [4, 2, 1]
    num_heads: int = -1
    num_head_channels: int = 64
    transformer_depth: PositiveInt = 1
    context_dim: PositiveInt = 1024
    dropout: float = Field(default=0.0, ge=0, lt=1)
    temporal_conv: bool = True
    temporal_attention: bool = True
    temporal_length: PositiveInt = 16
    use_causal_attention: bool = True
    use_linear: bool = True  # or 1x1 convolutions, which are the same
    use_checkpoint: bool = False  # saves memory in training; no result depends on it
    tempspatial_aware: Literal[True] = True
    temporal_selfatt_only: Literal[True] = True
    use_relative_position: Literal[True] = True
    causal_block_size: Literal[1] = 1
    addition_attention: Literal[False] = False
    dims: Literal[2] = 2
    conv_resample: Literal[True] = True
    resblock_updown: Literal[False] = False
    use_scale_shift_norm: Literal[False] = False

    def network_config(self) -> dict[str, Any]:
        """Arguments of `VideoUNet`.

        Raises:
            ValueError: the head widths do not follow.
        """
        widths = [self.model_channels * multiplier for multiplier in self.channel_mult]
        if self.num_head_channels > 0:
            head_dim: int | list[int] = self.num_head_channels
        elif self.num_heads > 0:
            head_dim = [width // self.num_heads for width in widths]
        else:
            raise ValueError("num_head_channels or num_heads is to be positive")
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "block_out_channels": widths,
            "layers_per_block": self.num_res_blocks,
            "attention_levels": [2**level in self.attention_resolutions for level in range(len(widths))],
            "attention_head_dim": head_dim,
            "transformer_layers": self.transformer_depth,
            "cross_attention_dim": self.context_dim,
            "dropout": self.dropout,
            "temporal_length": self.temporal_length,
            "temporal_convolution": self.temporal_conv,
            "temporal_attention": self.temporal_attention,
            "causal": self.use_causal_attention,
            "depth_normalization": "frame",
        }


class AutoencoderSection(_Section):
    """The autoencoder, Stable Diffusion's."""

    double_z: Literal[True] = True
    z_channels: PositiveInt = 4
    resolution: PositiveInt = 256
    in_channels: PositiveInt = 3
    out_ch: PositiveInt = 3
    ch: PositiveInt = 128
    ch_mult: list[PositiveInt] = [1, 2, 4, 4]
    num_res_blocks: PositiveInt = 2
    attn_resolutions: list[PositiveInt] = []
    dropout: float = Field(default=0.0, ge=0, le=0)

    def network_config(self) -> dict[str, Any]:
        """Arguments of `AutoencoderKL`."""
        levels = range(len(self.ch_mult))
        attends = [self.resolution // 2**level in self.attn_resolutions for level in levels]
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_ch,
            "down_block_types": ["AttnDownEncoderBlock2D" if a else "DownEncoderBlock2D" for a in attends],
            "up_block_types": [
                "AttnUpDecoderBlock2D" if a else "UpDecoderBlock2D" for a in reversed(attends)
            ],
            "block_out_channels": [self.ch * multiplier for multiplier in self.ch_mult],
            "layers_per_block": self.num_res_blocks,
            "latent_channels": self.z_channels,
            "sample_size": self.resolution,
            "scaling_factor": SCALING_FACTOR,
        }


class TextEncoderSection(_Section):
    """OpenCLIP's text tower."""

    width: PositiveInt = 1024
    layers: int = Field(default=24, ge=2)
    heads: PositiveInt = HEADS
    vocab: int = Field(default=VOCABULARY, ge=514)  # 256 bytes, each also at a word's end, and two marks
    context_length: int = Field(default=77, ge=2)

    def network_config(self) -> dict[str, Any]:
        """Arguments of `CLIPTextConfig`: the last layer is not run, so it is left out."""
        return {
            "vocab_size": self.vocab,
            "hidden_size": self.width,
            "intermediate_size": 4 * self.width,
            "projection_dim": self.width,
            "num_hidden_layers": self.layers - 1,
            "num_attention_heads": self.heads,
            "max_position_embeddings": self.context_length,
            "hidden_act": "gelu",
            "bos_token_id": self.vocab - 2,
            "eos_token_id": self.vocab - 1,
            "pad_token_id": 0,
        }


class ReferenceConfig(_Section):
    """Sizes of the three networks."""

    unet: DenoiserSection = DenoiserSection()
    first_stage: AutoencoderSection = AutoencoderSection()
    cond_stage: TextEncoderSection = TextEncoderSection()


def read_reference_config(path: Path) -> ReferenceConfig:
    """Read a configuration in JSON.

    Raises:
        InputError: unreadable, or an option that is unknown or that ours cannot honour.
    """
    try:
        return ReferenceConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(path, "a configuration in JSON", error.strerror or "nothing readable") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "all of it"
        found = f"{where} = {str(first['input'])[:80]!r} ({first['msg']})"
        raise InputError(path, "options that the network can honour", found) from error
