"""What training knows of the world's stills: what stands where, what it looks like, and under which light."""

from collections.abc import Mapping
from functools import cache
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from makeyourvideo.models.camera import Cameras
from makeyourvideo.training.camera import cameras_of
from makeyourvideo.training.data import depth_of, pictures_of
from makeyourvideo.world.colors import COLORS
from makeyourvideo.world.dataset import Dataset
from makeyourvideo.world.finishes import FINISHES
from makeyourvideo.world.floors import FLOORS
from makeyourvideo.world.geometry import FAMILIES
from makeyourvideo.world.scene import Scene
from makeyourvideo.world.skies import SKIES
from makeyourvideo.world.styles import STYLES

SEEN = ("floor", *FAMILIES, "sky")
"""What depth alone can tell of a place."""
LOOKS = {
    "color": (None, *COLORS),  # materials bring their own
    "finish": FINISHES,
    "floor": tuple(FLOORS),
    "sky": tuple(SKIES),
    "style": tuple(STYLES),
}
"""What the text may say of it."""
UNKNOWN = -100
PLACE = 8
"""Side in pixels of what the sketcher reads about."""
_COVERED = 0.35
"""The share of a place that an object must cover for the place to be its own."""

Drawn = list[tuple[str, int, slice]]


class Standing(NamedTuple):
    """How a camera stands, and how the objects do before it.

    Attributes:
        camera: one of one frame.
        poses: of the objects against a camera that looks level, `(objects, 3, 3)`: to the right, up, ahead.
        sun: which way the light comes from, to the right and ahead, `(2,)`.
    """

    camera: Cameras
    poses: NDArray[np.float64]
    sun: Tensor


class Placed(NamedTuple):
    """Where everything in stills is.

    Attributes:
        points: where on its object each pixel lies, `(b, 3, h, w)`.
        wanted: the same as `Sketcher.located` is to tell it: to the right, up and ahead of the camera.
        floor: where on the floor, at half the size, `(b, 2, h/2, w/2)`.
        surfaces: which object it is, `(b, 1, h, w)`.
        sun: which way the light comes from, to the right and ahead of them, `(b, 2)`.
    """

    points: Tensor
    wanted: Tensor
    floor: Tensor
    surfaces: Tensor
    sun: Tensor

    def mirrored(self, some: Tensor) -> "Placed":
        """Change left and right in `some` stills, `(b, 1, 1, 1)`: patterns are then their mirror images."""
        points, wanted, floor, surfaces = (torch.where(some, part.flip(3), part) for part in self[:4])
        side = torch.where(some, -1.0, 1.0)[:, 0, 0]
        wanted = torch.cat([wanted[:, :1] * side[..., None, None], wanted[:, 1:]], dim=1)
        sun = torch.cat([self.sun[:, :1] * side, self.sun[:, 1:]], dim=1)
        return Placed(points, wanted, floor, surfaces, sun)


class Batch(NamedTuple):
    """Some stills, each as it is or its mirror image.

    Attributes:
        depth: `(b, 1, h, w)`, in [-1, 1].
        pictures: `(b, 3, h, w)`, in [-1, 1].
        labels: what is at each place, and its looks, `(b, 1 + 5, h/8, w/8)`.
        placed: where everything is.
    """

    depth: Tensor
    pictures: Tensor
    labels: Tensor
    placed: Placed


class Stills:
    """Stills of open data sets, which are told by the name of their set and their number."""

    def __init__(self, data: Mapping[str, Dataset]) -> None:
        self.data = data
        self.answers = cache(lambda name, scene: answers_of(data[name].scene(scene)))
        self._stood: dict[tuple[str, int, int], Standing] = {}

    def batch(self, rng: np.random.Generator, drawn: Drawn, device: torch.device) -> Batch:
        """Open stills that were drawn; half of them, as `rng` decides, are mirrored."""
        labels = torch.from_numpy(np.stack([self.labels(name, scene) for name, scene, _ in drawn]))
        mirrored = torch.from_numpy(rng.random(len(drawn)) < 0.5)[:, None, None, None]
        placed = self.placed(drawn).mirrored(mirrored)
        depth, pictures, labels = (
            torch.where(mirrored, part.flip(3), part).to(device)
            for part in (depth_of(self.data, drawn), pictures_of(self.data, drawn), labels)
        )
        return Batch(depth, pictures, labels, Placed(*(part.to(device) for part in placed)))

    def placed(self, drawn: Drawn) -> Placed:
        """Tell where everything in some stills is."""
        points, wanted, floors, surfaces, suns = [], [], [], [], []
        for name, scene, frames in drawn:
            data = self.data[name]
            points.append(data.points[scene][frames][0].astype(np.float32))
            surfaces.append(data.surfaces[scene][frames][0])
            camera, poses, sun = self._standing(name, scene, frames)
            each = np.concatenate([np.eye(3)[None], poses]).astype(np.float32)
            wanted.append(each[np.maximum(surfaces[-1], 0)] @ points[-1][..., None])
            floors.append(camera.floor(*(side // 2 for side in surfaces[-1].shape))[0])
            suns.append(sun)
        return Placed(
            torch.from_numpy(np.stack(points)).movedim(-1, 1),
            torch.from_numpy(np.stack(wanted)[..., 0]).movedim(-1, 1),
            torch.cat(floors),
            torch.from_numpy(np.stack(surfaces))[:, None],
            torch.stack(suns),
        )

    def _standing(self, name: str, scene: int, frames: slice) -> Standing:
        key = name, scene, frames.start
        if key not in self._stood:
            self._stood[key] = standing_in(self.data[name].scene(scene).at(frames))
        return self._stood[key]

    def labels(self, name: str, scene: int) -> NDArray[np.int64]:
        """Number what is at each place of a still, and its looks: `(1 + 5, h, w)`."""
        answers = self.answers(name, scene)
        surfaces = torch.from_numpy(self.data[name].surfaces[scene][:1].copy())
        covered = torch.cat([surfaces == number for number in range(-1, len(answers) - 1)]).float()
        shares = avg_pool2d(covered, PLACE)
        shares[2:] *= shares[2:] > _COVERED
        shares[2:] += shares[2:] > 0  # whatever else is there
        return np.moveaxis(answers[shares.argmax(dim=0).numpy()], -1, 0)


def _upright_turns(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices that do what `upright` does, `(angles, 3, 3)`."""
    sine, cosine, none = np.sin(angles), np.cos(angles), np.zeros_like(angles)
    rows = ([cosine, none, sine], [none, none + 1, none], [-sine, none, cosine])
    return np.moveaxis(np.array(rows), 2, 0)


def standing_in(scene: Scene) -> Standing:
    """How things stand in the first frame of a scene."""
    camera = cameras_of(scene).at(slice(1))
    heading = camera.heading[0]
    return Standing(
        camera,
        poses=_upright_turns(-heading.double().numpy()) @ [thing.poses[0, :3, :3] for thing in scene.things],
        sun=torch.from_numpy(scene.sun).float(),
    )


def answers_of(scene: Scene) -> NDArray[np.int64]:
    """Number what each surface is, and its looks: sky, floor, then the objects; `(2 + objects, 1 + 5)`."""
    style = {"style": scene.style}
    surfaces: list[tuple[str, dict[str, str | None]]] = [
        ("sky", {"sky": scene.sky, **style}),
        ("floor", {"floor": scene.floor, **style}),
        *((thing.family, {"color": thing.color, "finish": thing.finish, **style}) for thing in scene.things),
    ]
    return np.array([[SEEN.index(what), *map(_answer, LOOKS, repeat(looks))] for what, looks in surfaces])


def _answer(question: str, looks: Mapping[str, str | None]) -> int:
    known: tuple[str | None, ...] = LOOKS[question]
    return known.index(looks[question]) if question in looks else UNKNOWN
