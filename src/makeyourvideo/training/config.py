"""One file a stage says everything about its run; unknown keys are refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from makeyourvideo.errors import InputError
from makeyourvideo.world.dataset import DatasetConfig


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OptimizerConfig(_Strict):
    """Linear warm-up and a cosine down to `final_share` of the learning rate.

    `muon` takes matrices and kernels by `Muon`; AdamW takes the rest, and everything without it.
    """

    muon: bool = False
    learning_rate: float
    warmup_steps: int = 200
    final_share: float = 0.05
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    ema_decay: float = 0.999


class StageConfig(_Strict):
    """What every stage has.

    Attributes:
        stage: which stage this is.
        steps: optimiser steps in all.
        batch_size: pictures, or clips in the stages video and camera, a step.
        data: data sets by name, rendered when missing.
        mixed_precision: "bf16" runs matrix products and convolutions in bfloat16 (weights, sums and attention
            stay float32): faster where the processor has it, far slower where it lacks it.
        seed: seeds weights, order and noise.
        save_minutes: how often the state is written.
    """

    stage: str
    steps: int
    batch_size: int
    optimizer: OptimizerConfig
    data: dict[str, DatasetConfig]
    mixed_precision: Literal["no", "bf16"] = "no"
    seed: int = 0
    save_minutes: float = 4.0


class AutoencoderConfig(StageConfig):
    """Stage 0: `vae` holds the keyword arguments of diffusers' `AutoencoderKL`."""

    stage: Literal["autoencoder"]
    vae: dict[str, Any]
    kl_weight: float = 1e-5
    gradient_weight: float = 1.0


class DecoderConfig(StageConfig):
    """The decoder of a whole model, trained further behind its frozen encoder.

    Latents get normal noise of a spread drawn up to `latent_noise` times their own, a stand-in for what a
    diffusion model leaves in them.
    """

    stage: Literal["decoder"]
    gradient_weight: float = 1.0
    latent_noise: float = 0.0


class DiffusionConfig(StageConfig):
    """What stages 1 and 2 share: their noise schedule, and how often prompt or depth is dropped.

    Without a `scheduler` it is that of the model that the stage builds on. `sampling` are the defaults that
    the model is to be sampled with, arguments of `MakeYourVideoPipeline`. Dropped depth is neutral, 0
    everywhere, so that the model can also do without. Where an object is, the loss weighs
    `1 + object_weight` times as much as elsewhere. In the share `pixel_weight` of the loss, 0 to 1, an error
    of the latents counts as far as it shows in pixels; in the rest, alike in every direction.
    """

    scheduler: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    min_snr_gamma: float = 5.0
    prompt_dropout: float = 0.1
    depth_dropout: float = 0.0
    object_weight: float = 0.0
    pixel_weight: float = 0.0


class ImageConfig(DiffusionConfig):
    """Stage 1: everything spatial and the text encoder.

    Keyword arguments of `VideoUNet` and transformers' `CLIPTextConfig`, and which parts are trained.
    """

    stage: Literal["image"]
    unet: dict[str, Any]
    text_encoder: dict[str, Any]
    vocabulary_size: int = 1024
    trains: tuple[str, ...] = ("unet", "text_encoder")


class VideoConfig(DiffusionConfig):
    """Stage 2: the spatial layers come from stage 1 and stay frozen.

    `unet` overrides what concerns the temporal layers alone, as `causal` or `temporal_convolution`.
    """

    stage: Literal["video"]
    window: int = 16
    unet: dict[str, Any] = {}


class RefinerConfig(DiffusionConfig):
    """The refiner of a whole model: keyword arguments of `Refiner`.

    Its pictures are noised to timesteps from the first of `timesteps` up to the second. The share `sketched`
    of them, 0 to 1, are what the model's sketcher makes of their depth and text, unless the depth is dropped.
    """

    stage: Literal["refiner"]
    refiner: dict[str, Any] = {}
    timesteps: tuple[int, int] = (100, 500)
    sketched: float = 0.0
    gradient_weight: float = 1.0


class SketcherConfig(StageConfig):
    """The sketcher of a whole model: keyword arguments of `Sketcher`, and how often the prompt is dropped.

    For each sentence that is read with its picture, `readings` are read alone. The errors of the picture, of
    where on its object each point lies and of what covers it count `picture_weight`, `point_weight` and
    `cover_weight` times as much as those of what was seen and read, and that of the picture on objects
    `1 + object_weight` times as much as elsewhere.
    """

    stage: Literal["sketcher"]
    sketcher: dict[str, Any] = {}
    prompt_dropout: float = 0.1
    readings: int = 4
    picture_weight: float = 4.0
    point_weight: float = 4.0
    cover_weight: float = 4.0
    object_weight: float = 3.0
    gradient_weight: float = 1.0


class CoveringConfig(StageConfig):
    """The reading and coverings of a whole model's sketcher, and how often the prompt is dropped.

    Each surface is asked at so many `points`; its squared error is divided by the square root of how much the
    true albedo, in [-1, 1], varies over it, and that taken for at least about `faintest`. What is read of it
    counts `read_weight` times as much. What covers the sky is to stay, is asked at `held_points` and counts
    `held_weight` times as much. The share `unnamed` of captions calls a thing by no name of its own, and what
    is seen of it is drawn with a spread of its logits between the ends of `sharpness`.
    """

    stage: Literal["covering"]
    prompt_dropout: float = 0.05
    points: int = 512
    faintest: float = 0.02
    read_weight: float = 0.1
    unnamed: float = 0.25
    sharpness: tuple[float, float] = (1.0, 4.0)
    held_points: int = 64
    held_weight: float = 20.0


class ShadingConfig(StageConfig):
    """How a whole model's sketcher shades, and how often the prompt is dropped.

    The error of pictures counts on objects `1 + object_weight` times as much as elsewhere.
    """

    stage: Literal["shading"]
    prompt_dropout: float = 0.05
    object_weight: float = 3.0
    gradient_weight: float = 1.0


class SunConfig(StageConfig):
    """Where sentences have the light come from, taught to a whole model; `batch_size` of them a step.

    Each of `words` gets a token of its own. The share `prompt_dropout` of sentences is empty. Of captions the
    share `whole` leaves nothing out. In the share `short` of sentences a name stands in the place of the
    caption, and the share `misleading` says nothing of where the light comes from, but sounds like it. Of
    those that say it the share `light_first` begins with it, which moves all that is read after it. What is
    read beside counts `held_weight` times as much.
    """

    stage: Literal["sun"]
    words: tuple[Annotated[str, Field(pattern="^[a-z]+$")], ...]
    prompt_dropout: float = 0.02
    whole: float = 0.6
    short: float = 0.1
    misleading: float = 0.25
    light_first: float = 0.3
    held_weight: float = 4.0


class CameraConfig(StageConfig):
    """The camera estimator of a whole model: keyword arguments of `CameraEstimator`.

    It sees `window` frames of a clip. The errors of the floor's flow from frame to frame, and of each answer
    by itself, count `flow_weight` and `answer_weight` times as much as those of where the floor is.
    """

    stage: Literal["camera"]
    camera: dict[str, Any] = {}
    window: int = 16
    flow_weight: float = 40.0
    answer_weight: float = 0.3


class DepthConfig(StageConfig):
    """The depth estimator; `imagenet` starts its encoder from ImageNet weights."""

    stage: Literal["depth"]
    imagenet: bool = True
    gradient_weight: float = 0.5


class JudgesConfig(StageConfig):
    """The classifiers that the suite asks: keyword arguments of the `Judge` of each.

    Of the `batch_size` pictures of a step all objects are asked about, and `scene_batch_size` as a whole.
    """

    stage: Literal["judges"]
    objects: dict[str, Any] = {}
    scenes: dict[str, Any] = {}
    scene_batch_size: int = 8


_CONFIGS: dict[str, type[StageConfig]] = {
    "autoencoder": AutoencoderConfig,
    "image": ImageConfig,
    "video": VideoConfig,
    "decoder": DecoderConfig,
    "refiner": RefinerConfig,
    "sketcher": SketcherConfig,
    "covering": CoveringConfig,
    "shading": ShadingConfig,
    "sun": SunConfig,
    "camera": CameraConfig,
    "depth": DepthConfig,
    "judges": JudgesConfig,
}


def read_config(path: Path, stage: str) -> StageConfig:
    """Read a stage's YAML file; what it leaves out comes from the file that its `extends` names, if any.

    Raises:
        InputError: the file cannot be read, a key is unknown, missing or of the wrong type.
    """
    try:
        content = _extended(path)
        return _CONFIGS[stage].model_validate(content)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(path, "a readable YAML file", str(error).splitlines()[0]) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(path, f"a {stage} config with a valid {key}", first["msg"].lower()) from error


def _extended(path: Path) -> Any:
    content = yaml.safe_load(path.read_text())
    if isinstance(content, dict) and "extends" in content:
        return _extended(path.parent / content.pop("extends")) | content
    return content
