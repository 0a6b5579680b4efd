"""The depth estimator, trained on single frames of the world."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from makeyourvideo.models.depth_estimator import DepthEstimator
from makeyourvideo.training.config import DepthConfig
from makeyourvideo.training.data import depth_of, draw_clips, open_data, pictures_of, step_generator
from makeyourvideo.training.record import write_record

_CLOSEST = 0.5
"""The least share of a picture's height and width that is enlarged."""


class DepthStage:
    """Modules and loss of the stage; the loss is that of MiDaS (arXiv 1907.01341, section 5)."""

    def __init__(self, config: DepthConfig, data: Path) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.data = open_data(config, data)
        estimator = DepthEstimator()
        if config.imagenet:
            estimator.load_imagenet()
        self.estimator = estimator.to(memory_format=torch.channels_last).train()
        self.modules = nn.ModuleDict({"depth_estimator": estimator})

    def loss(self, step: int) -> Tensor:
        """Return the mean loss over the pictures of a step."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        pictures, target = closer(pictures_of(self.data, drawn), depth_of(self.data, drawn)[:, 0], rng)
        pictures = _varied(pictures, rng)
        if rng.random() < 0.5:
            pictures, target = pictures.flip(-1), target.flip(-1)
        device = self.estimator.device
        predicted = self.estimator(pictures.to(device).contiguous(memory_format=torch.channels_last))
        return invariant_loss(predicted.float(), target.to(device), self.config.gradient_weight)

    def finish(self, model: Path) -> None:
        """Write `depth_estimator/`."""
        self.estimator.save_pretrained(model / "depth_estimator")
        write_record(model, None, self.config)


def invariant_loss(predicted: Tensor, target: Tensor, gradient_weight: float) -> Tensor:
    """Mean error of inverse depth `b h w`, each picture's scale and shift taken out of both sides.

    Plus the error of its differences at four scales, so that silhouettes are sharp (MiDaS, equations 5, 6 and
    11). A least-squares fit of the scale (equation 4) would not do: it starts near 0, where no gradient is.
    """
    residual = standardized(predicted) - standardized(target)
    edges = torch.zeros((), device=residual.device)
    for scale in range(4):
        coarse = avg_pool2d(residual[:, None], 2**scale) if scale else residual[:, None]
        edges = edges + coarse.diff(dim=-1).abs().mean() + coarse.diff(dim=-2).abs().mean()
    return residual.abs().mean() + gradient_weight * edges


def standardized(inverse: Tensor) -> Tensor:
    """Give each picture `b h w` mean 0 and mean absolute deviation 1."""
    centred = inverse - inverse.mean(dim=(1, 2), keepdim=True)
    return centred / centred.abs().mean(dim=(1, 2), keepdim=True).clamp(min=1e-3)


def closer(pictures: Tensor, depth: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Enlarge a part of every other picture `b 3 h w`, and of its depth `b h w`: films have closer views.

    The part is at least `_CLOSEST` as high and as wide. Depth is not blended, so that its edges stay sharp.
    """
    pictures, depth = pictures.clone(), depth.clone()
    sides = np.array(depth.shape[1:])
    for picture, inverse in zip(pictures[::2], depth[::2], strict=True):
        part = (sides * rng.uniform(_CLOSEST, 1)).astype(int)
        (top, left), (rows, columns) = rng.integers(sides - part + 1), part
        seen = slice(top, top + rows), slice(left, left + columns)
        picture[:] = interpolate(picture[None, :, *seen], size=inverse.shape, mode="bilinear")[0]
        inverse[:] = interpolate(inverse[None, None, *seen], size=inverse.shape, mode="nearest-exact")[0, 0]
    return pictures, depth


def _varied(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change sharpness, gain, gamma and colour balance of each picture: cameras differ, depth does not."""
    shape = (len(pictures), 1, 1, 1)
    soft = avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = torch.lerp(pictures, soft, torch.from_numpy(rng.random(shape)).float())
    gamma = torch.from_numpy(np.exp(rng.normal(0, 0.25, shape))).float()
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.12, (len(pictures), 3, 1, 1)))).float()
    noise = torch.randn_like(pictures) * 0.02
    return (((pictures / 2 + 0.5).clamp(0, 1) ** gamma * gain + noise).clamp(0, 1) * 2 - 1).float()
