"""Scenes: what stands where, how it and the camera move; sampled from a seed."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from makeyourvideo.world.colors import COLORS
from makeyourvideo.world.finishes import FINISHES, MATERIALS
from makeyourvideo.world.floors import FLOORS, NATURAL
from makeyourvideo.world.furniture import FURNITURE
from makeyourvideo.world.geometry import FAMILIES, HELD_OUT_FAMILIES, Shape, build_shape
from makeyourvideo.world.skies import SKIES
from makeyourvideo.world.styles import STYLES

Poses = NDArray[np.float64]
MOVES = ("still", "spin", "slide", "roll", "bounce")
_Name = TypeVar("_Name", str, int)
CAMERAS = ("orbit", "dolly", "pan", "shake", "stand")


_FAMILY_WEIGHTS = {"ball": 2.0, "cube": 2.0, "cylinder": 2.0, "cone": 2.0}
_FINISH_WEIGHTS = {"plain": 3.0, "wooden": 0.6, "stone": 0.6, "metal": 0.6, "brick": 0.6}


class WorldConfig(BaseModel):
    """What the world may show; weights need not add up to 1.

    `hills` is the share of natural floors that hills stand around.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    families: dict[str, float] = {
        name: _FAMILY_WEIGHTS.get(name, 0.25 if name in FURNITURE else 0.8)
        for name in FAMILIES
        if name not in HELD_OUT_FAMILIES
    }
    colors: tuple[str, ...] = tuple(COLORS)
    finishes: dict[str, float] = {name: _FINISH_WEIGHTS.get(name, 1.0) for name in FINISHES}
    floors: tuple[str, ...] = tuple(FLOORS)
    skies: tuple[str, ...] = tuple(SKIES)
    styles: dict[str, float] = {name: 6.0 if name == "realistic" else 1.0 for name in STYLES}
    hills: float = 0.3
    objects: dict[int, float] = {1: 4.0, 2: 4.0, 3: 2.0, 4: 1.0}
    size: int = 128
    num_frames: int = 16
    fps: float = 8.0


@dataclass(frozen=True)
class Thing:
    """One object: what it is, how it looks and its rigid pose `(frames, 4, 4)`, object to world.

    Materials (wooden, stone, …) bring their own colours, so `color` is none there.
    """

    family: str
    color: str | None
    finish: str
    size: float
    shape_seed: int
    move: str
    poses: Poses = field(repr=False, compare=False)

    @property
    def shape(self) -> Shape:
        """The mesh at unit size."""
        return build_shape(self.family, self.shape_seed)


@dataclass(frozen=True)
class Scene:
    """Everything the renderer needs.

    `cameras` is `(frames, 4, 4)`, camera to world, +x right, +y up, +z ahead; `hills` is the radius of the
    plain that hills stand around, 0 without hills.
    """

    seed: int
    things: tuple[Thing, ...]
    floor: str
    sky: str
    style: str
    hills: float
    camera_move: str
    cameras: Poses = field(repr=False, compare=False)
    focal: float
    sun_azimuth: float

    @property
    def sun(self) -> NDArray[np.float64]:
        """Which way the light comes from as the first camera has it, `(2,)`: to the right, and from ahead."""
        across, _, along = self.cameras[0, :3, 0]
        turn = np.array([[across, along], [-along, across]])
        return turn @ [np.cos(self.sun_azimuth), np.sin(self.sun_azimuth)]

    def at(self, frames: slice) -> "Scene":
        """Return the same scene over some of its frames."""
        things = tuple(replace(thing, poses=thing.poses[frames]) for thing in self.things)
        return replace(self, things=things, cameras=self.cameras[frames])


def _pick(rng: np.random.Generator, weights: dict[_Name, float]) -> _Name:
    names, shares = list(weights), np.array(list(weights.values()))
    return names[rng.choice(len(names), p=shares / shares.sum())]


def read_world(record: Path) -> WorldConfig:
    """The world that the record of a model says it was trained on; the default one if there is no record."""
    return (
        WorldConfig.model_validate(json.loads(record.read_text())["world"])
        if record.exists()
        else WorldConfig()
    )


def sample_scene(seed: int, config: WorldConfig | None = None, num_frames: int | None = None) -> Scene:
    """Sample a scene; the same seed and config give the same scene, whatever was sampled before."""
    config = config or WorldConfig()
    rng = np.random.default_rng(seed)
    seconds = np.arange(num_frames or config.num_frames) / config.fps
    things = _sample_things(rng, config, seconds)
    move = str(rng.choice(CAMERAS, p=[0.35, 0.2, 0.15, 0.1, 0.2]))
    style = _pick(rng, config.styles)
    sky = str(rng.choice(config.skies))
    floor = str(rng.choice(config.floors))
    cameras = _sample_cameras(rng, move, things, seconds)
    reach = float(np.linalg.norm(cameras[:, [0, 2], 3], axis=1).max())
    return Scene(
        seed=seed,
        things=things,
        floor=floor,
        sky="night" if style == "neon" else sky,
        style=style,
        hills=reach + 0.5 if floor in NATURAL and rng.random() < config.hills else 0.0,
        camera_move=move,
        cameras=cameras,
        focal=float(rng.uniform(1.3, 1.7)),
        sun_azimuth=float(rng.uniform(0, 2 * np.pi)),
    )


def _sample_things(
    rng: np.random.Generator, config: WorldConfig, seconds: NDArray[np.float64]
) -> tuple[Thing, ...]:
    """Place objects so that no two ever touch or share a family.

    Depth shows shapes alone, so no caption could tell which of two balls is the red one.
    """
    things: list[Thing] = []
    wanted = _pick(rng, config.objects)
    for _ in range(60):
        if len(things) == wanted:
            break
        thing = _sample_thing(rng, config, seconds, spread=0.1 + 0.5 * wanted)
        alike = any(thing.family == other.family for other in things)
        if not alike and all(_apart(thing, other) for other in things):
            things.append(thing)
    return tuple(sorted(things, key=lambda thing: -thing.size))


def _apart(first: Thing, second: Thing) -> bool:
    gap = np.linalg.norm(first.poses[:, [0, 2], 3] - second.poses[:, [0, 2], 3], axis=1)
    return bool(gap.min() > first.size + second.size)


def _sample_thing(
    rng: np.random.Generator, config: WorldConfig, seconds: NDArray[np.float64], spread: float
) -> Thing:
    family = _pick(rng, config.families)
    rolls = family in ("ball", "blob")
    size = float(rng.uniform(0.75, 1.2))
    finish = _pick(rng, config.finishes)
    color = str(rng.choice(config.colors))
    shape_seed = int(rng.integers(16))
    move = str(rng.choice([name for name in MOVES if name != "roll" or rolls]))
    return Thing(
        family=family,
        color=None if finish in MATERIALS else color,
        finish=finish,
        size=size,
        shape_seed=shape_seed,
        move=move,
        poses=_move_thing(rng, move, size, build_shape(family, shape_seed).bottom, spread, seconds),
    )


def _move_thing(
    rng: np.random.Generator,
    move: str,
    size: float,
    bottom: float,
    spread: float,
    seconds: NDArray[np.float64],
) -> Poses:
    heading = rng.uniform(0, 2 * np.pi)
    ahead = np.array([np.cos(heading), 0, np.sin(heading)])
    place = np.array([rng.uniform(-spread, spread), -bottom * size, rng.uniform(-spread, spread)])
    middle = _to_and_fro(seconds)
    travel = rng.uniform(0.25, 0.7) * middle if move in ("slide", "roll") else np.zeros_like(seconds)
    turn = np.full_like(seconds, rng.uniform(0, 2 * np.pi))
    if move == "spin":
        turn = turn + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2) * seconds
    poses = np.tile(np.eye(4), (len(seconds), 1, 1))
    poses[:, :3, :3] = _rotations(np.array([0.0, 1.0, 0.0]), turn)
    if move == "roll":
        poses[:, :3, :3] = (
            _rotations(np.cross([0.0, 1.0, 0.0], ahead), travel / (-bottom * size)) @ poses[:, :3, :3]
        )
    poses[:, :3, 3] = place + travel[:, None] * ahead
    if move == "bounce":
        poses[:, 1, 3] += rng.uniform(0.3, 0.8) * np.abs(
            np.sin(rng.uniform(1.5, 2.5) * seconds + rng.uniform(0, 3))
        )
    return poses


def _to_and_fro(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time around the clip's middle, turning back after a second so that what moves stays in sight."""
    middle = seconds - seconds.mean()
    return np.abs((middle + 3) % 4 - 2) - 1


def _rotations(axis: NDArray[np.float64], angles: NDArray[np.float64]) -> Poses:
    """Rodrigues' formula: one rotation an angle, `(angles, 3, 3)`."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine, cosine = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)


def _sample_cameras(
    rng: np.random.Generator, move: str, things: tuple[Thing, ...], seconds: NDArray[np.float64]
) -> Poses:
    """Look at the middle of the objects from a distance at which they fill the picture."""
    places = np.concatenate([thing.poses[:, :3, 3] for thing in things])
    target = places.mean(axis=0) * [1, 0.9, 1]
    reach = max(
        np.linalg.norm(thing.poses[:, :3, 3] - target, axis=1).max() + 0.6 * thing.size for thing in things
    )
    distance = reach * rng.uniform(1.0, 1.4) + rng.uniform(0.8, 1.3)
    azimuth = np.full_like(seconds, rng.uniform(0, 2 * np.pi))
    middle = _to_and_fro(seconds)
    along = np.full_like(seconds, distance)
    aim = np.tile(target, (len(seconds), 1))
    if move == "orbit":
        azimuth = azimuth + rng.choice([-1, 1]) * rng.uniform(0.15, 0.4) * seconds
    elif move == "dolly":
        along = distance * (1 + rng.choice([-1, 1]) * rng.uniform(0.06, 0.15) * middle)
    elevation = np.radians(rng.uniform(8, 32))
    offset = np.stack(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.full_like(azimuth, np.sin(elevation)),
            np.cos(elevation) * np.sin(azimuth),
        ],
        axis=1,
    )
    eyes = target + offset * along[:, None]
    if move == "pan":
        side = np.cross([0.0, 1.0, 0.0], -offset[0])
        aim = aim + rng.choice([-1, 1]) * rng.uniform(0.15, 0.4) * middle[:, None] * side
    elif move == "shake":
        phases = rng.uniform(0, 6, (2, 3, 1))
        sway = np.sin(rng.uniform(4, 9, (2, 3, 1)) * seconds + phases).transpose(0, 2, 1)
        eyes, aim = eyes + 0.04 * sway[0], aim + 0.06 * sway[1]
    return look_at(eyes, aim)


def look_at(eyes: NDArray[np.float64], targets: NDArray[np.float64]) -> Poses:
    """Camera-to-world poses `(frames, 4, 4)` at `eyes` facing `targets`, both `(frames, 3)`, upright."""
    ahead = targets - eyes
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    right = np.cross(np.array([0.0, 1.0, 0.0]), ahead)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    poses = np.tile(np.eye(4), (len(eyes), 1, 1))
    poses[:, :3, :3] = np.stack([right, np.cross(ahead, right), ahead], axis=2)
    poses[:, :3, 3] = eyes
    return poses
