"""Frames -> inverse depth: our own estimator, and transformers' DPT, Depth Anything and Depth Pro."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.models.depth_estimator import SIZE_MULTIPLE, DepthEstimator
from makeyourvideo.structure.depth import Units

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
BUNDLED_ESTIMATOR = Path(__file__).parent.parent / "bundled" / "experts" / "depth_estimator"


@dataclass(frozen=True)
class Estimator:
    """Anything that sees how far things are.

    Attributes:
        name: what it is, for manifests.
        units: "metric" where the inverse depth is in 1/metres.
        estimate: uint8 frames `(frames, height, width, 3)` -> inverse depth `(frames, height, width)`, near
            large; in relative units right only up to a scale and a shift of each frame.
    """

    name: str
    units: Units
    estimate: Callable[[Frames], Floats]


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures, as `preprocessor_config.json` says.

    Attributes:
        height, width: what the picture is resampled to.
        keep_aspect_ratio: whether both sides are scaled alike, by the factor that is nearer to 1.
        multiple: both sides are multiples of it.
        mean, std: of the three channels in [0, 1].
    """

    height: int
    width: int
    keep_aspect_ratio: bool
    multiple: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, settings: dict[str, Any]) -> "Preprocessing":
        """Take the entries of `preprocessor_config.json`; what is missing is as for the reference's MiDaS."""
        size = settings.get("size", 384)
        height, width = (size["height"], size["width"]) if isinstance(size, dict) else (size, size)
        return cls(
            height,
            width,
            settings.get("keep_aspect_ratio", False),
            settings.get("ensure_multiple_of", 1),
            tuple(settings.get("image_mean", (0.5, 0.5, 0.5))),
            tuple(settings.get("image_std", (0.5, 0.5, 0.5))),
        )

    def __call__(self, frames: Frames) -> Tensor:
        """Map uint8 frames `(f, h, w, 3)` to pictures `(f, 3, h', w')`."""
        height, width = frames.shape[1:3]
        scales = self.height / height, self.width / width
        if self.keep_aspect_ratio:
            scales = (min(scales, key=lambda scale: abs(1 - scale)),) * 2
        size = [
            max(round(side * scale / self.multiple), 1) * self.multiple
            for side, scale in zip((height, width), scales, strict=True)
        ]
        pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
        resampled = interpolate(pictures, size=size, mode="bicubic", antialias=True, align_corners=False)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (resampled.clamp(0, 1) - mean) / std


def load_estimator(source: str | Path | None = None) -> Estimator:
    """Load a depth estimator.

    Args:
        source: a folder that `makeyourvideo train depth` wrote, or a local folder or hub name of a network
            for depth estimation that transformers knows (DPT, Depth Anything, Depth Pro); without it,
            the bundled one.

    Raises:
        InputError: nothing there, or nothing that estimates depth.
    """
    folder = BUNDLED_ESTIMATOR if source is None else Path(source)
    config = folder / "config.json"
    if config.exists():
        with unreadable_unless(config, "a network's config in JSON"):
            if json.loads(config.read_text()).get("_class_name") == DepthEstimator.__name__:
                return Estimator("bundled" if source is None else str(source), "relative", _own(folder))
    return _foreign(str(source))


def _own(folder: Path, short_side: int = 128) -> Callable[[Frames], Floats]:
    """Our estimator, shown frames of about the size that it was trained on."""
    with unreadable_unless(folder, "a depth estimator"):
        network = DepthEstimator.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def estimate(frames: Frames) -> Floats:
        scale = short_side / min(frames.shape[1:3])
        height, width = (round(side * scale) for side in frames.shape[1:3])
        prepare = Preprocessing(height, width, False, SIZE_MULTIPLE, (0.5,) * 3, (0.5,) * 3)
        return _at_size(network(prepare(frames).to(network.device)), frames)

    return estimate


def _foreign(source: str) -> Estimator:
    from transformers import AutoModelForDepthEstimation

    try:
        network = AutoModelForDepthEstimation.from_pretrained(source).eval()
    except (OSError, ValueError, RuntimeError) as error:
        said = str(error).strip().splitlines()[0]
        raise InputError(source, "a depth estimator, as a folder or a hub name", said) from error
    settings = Path(source) / "preprocessor_config.json"
    if not settings.exists() and not Path(source).exists():
        from huggingface_hub import hf_hub_download

        settings = Path(hf_hub_download(source, settings.name))
    prepare = Preprocessing.read(json.loads(settings.read_text()) if settings.exists() else {})
    metric = getattr(network.config, "depth_estimation_type", "relative") == "metric"
    sees_focal_length = bool(getattr(network.config, "use_fov_model", False))

    @torch.no_grad()
    def estimate(frames: Frames) -> Floats:
        inverse = []
        for frame in frames:
            seen = network(pixel_values=prepare(frame[None]).to(network.device))
            depth = seen.predicted_depth
            if metric:
                depth = 1 / depth.clamp(min=1e-3)
            elif (
                sees_focal_length
            ):  # inverse depth at a focal length of one picture's width (arXiv 2410.02073, 3.1)
                depth = depth * (2 * torch.tan(torch.deg2rad(seen.field_of_view) / 2)).view(-1, 1, 1)
            inverse.append(_at_size(depth, frame[None]))
        return np.concatenate(inverse)

    return Estimator(source, "metric" if metric or sees_focal_length else "relative", estimate)


def _at_size(depth: Tensor, frames: Frames) -> Floats:
    resampled = interpolate(depth[:, None], size=frames.shape[1:3], mode="bilinear", align_corners=False)
    return np.asarray(resampled[:, 0].float().cpu().numpy(), np.float32)
