"""The camera estimator, trained on the depth of clips and on what the world's cameras are known to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from makeyourvideo.models.camera import CameraEstimator, Cameras, looked_at, turned
from makeyourvideo.training.config import CameraConfig
from makeyourvideo.training.data import depth_of, draw_clips, open_data, step_generator
from makeyourvideo.training.record import write_part
from makeyourvideo.training.start import take_over
from makeyourvideo.world.render import FLOOR
from makeyourvideo.world.scene import Scene

_POINTS = 16
"""Rows and columns of points at which the floor is compared."""
_FARTHEST = 10.0
"""In metres; what is farther off is not compared."""
_SPREADS = {"focal": 0.08, "height": 0.3, "pitch": 0.12, "heading": 0.2, "place": 0.4}
"""What errors of each answer are measured in; of the first two, of their logarithms."""


class CameraStage:
    """Everything but the camera estimator stays as it is."""

    def __init__(self, config: CameraConfig, data: Path, model: Path, start: Path | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model, self.start = config, model, start
        self.data = open_data(config, data)
        self.camera: CameraEstimator = CameraEstimator(**config.camera)
        if start:
            take_over(self.camera, start, "camera")
        self.camera.train().to(memory_format=torch.channels_last)
        self.modules = nn.ModuleDict({"camera": self.camera})
        self.known: dict[tuple[str, int], Cameras] = {}

    def loss(self, step: int) -> Tensor:
        """Return the weighted errors of the floor, of its flow from frame to frame, and of the answers."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, self.config.window)
        backward, mirrored = (torch.from_numpy(rng.random((len(drawn), 1)) < 0.5) for _ in range(2))
        shown = np.stack([self.data[name].surfaces[scene][frames] for name, scene, frames in drawn])
        parts = [depth_of(self.data, drawn), torch.from_numpy(shown)]
        for some, axis in ((backward, 1), (mirrored, 3)):
            parts = [torch.where(some[..., None, None], part.flip(axis), part) for part in parts]
        depth, surfaces = (part.to(self.camera.device) for part in parts)
        told = Cameras.joined([self._cameras(name, scene).at(frames) for name, scene, frames in drawn])
        true = _from_first(_reordered(told, backward, mirrored)).mapped(lambda value: value.to(depth.device))
        found = self.camera(depth)
        placed, crawling = _misplaced(found, true, surfaces == FLOOR)
        answered = _misanswered(found, true)
        return placed + self.config.flow_weight * crawling + self.config.answer_weight * answered

    def finish(self, model: Path) -> None:
        """Write the whole model, with the camera estimator."""
        write_part(model, self.model, "camera", self.camera, self.config, self.start)

    def _cameras(self, name: str, scene: int) -> Cameras:
        if (name, scene) not in self.known:
            self.known[name, scene] = cameras_of(self.data[name].scene(scene))
        return self.known[name, scene]


def cameras_of(scene: Scene) -> Cameras:
    """The cameras of a scene, a batch of one, on the world's floor: x to the right, z ahead."""
    right, _, ahead, eye = torch.from_numpy(scene.cameras[None, :, :3]).float().unbind(dim=-1)
    return Cameras(
        focal=torch.full(eye.shape[:2], scene.focal),
        pitch=-torch.asin(ahead[..., 1]),
        height=eye[..., 1],
        heading=torch.atan2(-right[..., 2], right[..., 0]),
        place=eye[..., [0, 2]],
    )


def _reordered(cameras: Cameras, backward: Tensor, mirrored: Tensor) -> Cameras:
    """Turn time around, left and right, or both, in some clips."""
    ordered = cameras.mapped(
        lambda value: torch.where(backward.unflatten(1, (1,) * (value.ndim - 1)), value.flip(1), value)
    )
    side = torch.where(mirrored, -1.0, 1.0)
    place = torch.stack([ordered.place[..., 0] * side, ordered.place[..., 1]], dim=-1)
    return replace(ordered, heading=ordered.heading * side, place=place)


def _from_first(cameras: Cameras) -> Cameras:
    """The same on the floor as `Cameras` has it: where the first camera looks, and as it looks."""
    first = cameras.at(slice(1))
    heading = cameras.heading - first.heading
    place = turned(cameras.place - first.place, -first.heading)
    ahead = place[..., 1] - looked_at(first.height, first.pitch)
    place = torch.stack([place[..., 0], ahead], dim=-1)
    return replace(cameras, heading=torch.atan2(heading.sin(), heading.cos()), place=place)


def _misplaced(found: Cameras, true: Cameras, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far points of the floor are off, by how far away they are, and how far their flow is.

    The flow, in halves of the shorter side, is what makes patterns of the floor crawl. It does not mind how
    high the camera is said to be, as long as its steps are said to be as much longer.

    Args:
        found, true: the cameras of `b` clips of `f` frames.
        floor: where the floor is seen, `b f y x`, of at least as many rows as are compared.
    """
    each = floor.shape[2] // _POINTS
    floor = floor[..., each // 2 :: each, each // 2 :: each]
    size = floor.shape[2:]
    theirs = true.floor(*size)
    away = (theirs - true.place[..., None, None]).norm(dim=2)
    near = floor & (away < _FARTHEST)
    weight = near / away.clamp(min=0.5)
    placed = ((found.floor(*size) - theirs).norm(dim=2) * weight).sum() / weight.sum().clamp(min=1)
    crawling = (found.flow(*size) - true.flow(*size)).norm(dim=2)
    return placed, (crawling * near[:, :-1]).sum() / near[:, :-1].sum().clamp(min=1)


def _misanswered(found: Cameras, true: Cameras) -> Tensor:
    """Return the summed errors of the answers, each in its spread."""
    errors = []
    for name, spread in _SPREADS.items():
        ours, theirs = getattr(found, name), getattr(true, name)
        if name in ("focal", "height"):
            ours, theirs = ours.log(), theirs.log()
        errors.append((ours - theirs).abs().mean() / spread)
    return torch.stack(errors).sum()
