"""The renderer: a scene -> frames with exact depth, masks, flow and the buffers to shade them anew.

Embree finds what each ray meets; the rest is array arithmetic. One ray a pixel, four more where neighbouring
pixels differ, so that edges are smooth and depth stays exact (it is the pixel centre's, never blended).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.raycast import RayCaster
from makeyourvideo.world.colors import linear_to_srgb
from makeyourvideo.world.finishes import paint, shine
from makeyourvideo.world.floors import FLOORS
from makeyourvideo.world.geometry import Shape, build_hills
from makeyourvideo.world.scene import Scene
from makeyourvideo.world.skies import SKIES, Sky, sky_color
from makeyourvideo.world.styles import STYLES

Floats = NDArray[np.float32]
SKY, FLOOR = -1, 0  # surface numbers; thing k has number k + 1
_EXTENT = 60.0
_FOG = 1 / 35
_GRAIN = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], dtype=np.float32)


@dataclass(frozen=True)
class Samples:
    """What a bundle of rays met.

    `points` are in the surface's own frame in units of its size (the world's for the floor); `light` is the
    irradiance that multiplies the albedo, `gloss` what is added to it, `rim` 0 where the surface faces the
    camera and 1 where it is seen edge-on.
    """

    surface: NDArray[np.int32]
    points: Floats
    depth: Floats
    normals: Floats
    light: Floats
    gloss: Floats
    rim: Floats
    directions: Floats


@dataclass(frozen=True)
class Clip:
    """A rendered scene: frames, height and width lead every array.

    Attributes:
        frames: uint8 sRGB `(f, h, w, 3)`.
        depth: metric z along the optical axis `(f, h, w)`, infinite in the sky.
        surfaces: int8 `(f, h, w)`: -1 sky, 0 floor, k + 1 for thing k.
        points: where each pixel's centre lies on its surface, in the surface's own frame `(f, h, w, 3)`.
        light, gloss, rim: what shades them, `(f, h, w, 3)`, `(f, h, w, 3)` and `(f, h, w, 1)`.
        ink: the share of lines that the style draws over them, `(f, h, w, 1)`.
    """

    scene: Scene
    frames: NDArray[np.uint8]
    depth: Floats
    surfaces: NDArray[np.int8]
    points: Floats
    light: Floats
    gloss: Floats
    rim: Floats
    ink: Floats

    def at(self, frames: slice) -> "Clip":
        """Return the same clip over some of its frames."""
        arrays = {name: getattr(self, name)[frames] for name in vars(self) if name != "scene"}
        return Clip(self.scene.at(frames), **arrays)

    def repaint(self, inside: NDArray[np.bool_], color: str, finish: str) -> NDArray[np.uint8]:
        """Return the pixels `inside` `(f, h, w)` as if they were of `color` and `finish`."""
        albedo = paint(self.points[inside], color, finish)
        style = STYLES[self.scene.style]
        linear = style.grade(style.shade(albedo, self.light[inside], self.gloss[inside], self.rim[inside]))
        linear = style.draw_over(linear, self.ink[inside])
        return (linear_to_srgb(linear) * 255 + 0.5).astype(np.uint8)


def render(scene: Scene, size: int = 128) -> Clip:
    """Render every frame of `scene` as a square of `size` pixels."""
    sky, style = SKIES[scene.sky], STYLES[scene.style]
    ground = _ground(scene)
    centres = (
        np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2).astype(np.float32)
    )
    rendered = []
    caster, posed = None, None
    for index in range(len(scene.cameras)):
        poses = np.stack([thing.poses[index] for thing in scene.things])
        if caster is None or posed is None or not np.array_equal(poses, posed):
            caster, posed = _build_caster(scene, ground, index), poses
        samples = _cast(scene, index, caster, ground, centres, size)
        linear = _shade(scene, samples, sky)
        ragged = _ragged(linear.reshape(size, size, 3), samples.surface.reshape(size, size))
        if len(ragged):
            finer = (centres[ragged][:, None] + _GRAIN).reshape(-1, 2)
            finer_linear = _shade(scene, _cast(scene, index, caster, ground, finer, size), sky)
            linear[ragged] = np.minimum(finer_linear, 1).reshape(-1, 4, 3).mean(axis=1)
        ink = np.zeros((size, size), np.float32) if style.outline is None else _lines(samples, size)
        rendered.append((samples, style.draw_over(linear, ink.reshape(-1, 1)), ink))
    picture = np.stack([linear_to_srgb(linear) for _, linear, _ in rendered]).reshape(-1, size, size, 3)

    def gather(name: str) -> Floats:
        stacked = np.stack([getattr(samples, name) for samples, *_ in rendered])
        return stacked.reshape(len(rendered), size, size, *stacked.shape[2:])

    return Clip(
        scene=scene,
        frames=(picture * 255 + 0.5).astype(np.uint8),
        depth=gather("depth"),
        surfaces=gather("surface").astype(np.int8),
        points=gather("points"),
        light=gather("light"),
        gloss=gather("gloss"),
        rim=gather("rim"),
        ink=np.stack([ink for *_, ink in rendered])[..., None],
    )


def project(scene: Scene, index: int, points: Floats, size: int) -> tuple[Floats, Floats]:
    """Project world `points` `(n, 3)` into frame `index`: pixel coordinates `(n, 2)` and z `(n,)`."""
    camera = scene.cameras[index]
    seen = (points - camera[:3, 3]) @ camera[:3, :3]
    scale = scene.focal * size / 2
    pixels = seen[:, :2] / seen[:, 2:] * [scale, -scale] + (size - 1) / 2
    return pixels.astype(np.float32), seen[:, 2].astype(np.float32)


def flow(clip: Clip) -> tuple[Floats, NDArray[np.bool_]]:
    """Exact optical flow to the next frame, and where it is visible there.

    Returns:
        `(f - 1, h, w, 2)` in pixels (x right, y down) and `(f - 1, h, w)`: true where the point is
        unoccluded and inside the next frame.
    """
    scene, size = clip.scene, clip.frames.shape[1]
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32)
    flows, seen = [], []
    for index in range(len(scene.cameras) - 1):
        surface = clip.surfaces[index]
        world = clip.points[index].copy()
        for number, thing in enumerate(scene.things, start=1):
            pose, mask = thing.poses[index + 1], surface == number
            world[mask] = world[mask] * thing.size @ pose[:3, :3].T + pose[:3, 3]
        far = surface == SKY  # directions: points at infinity move with the camera's turn alone
        world[far] = world[far] * 1e6 + scene.cameras[index + 1][:3, 3]
        pixels, z = project(scene, index + 1, world.reshape(-1, 3), size)
        pixels, z = pixels.reshape(size, size, 2), z.reshape(size, size)
        target = np.rint(pixels).astype(np.int64)
        inside = ((pixels >= 0) & (pixels <= size - 1)).all(axis=-1) & (z > 0)
        x, y = (np.clip(target[..., axis], 0, size - 1) for axis in (0, 1))
        there = clip.depth[index + 1][y, x]
        same = (clip.surfaces[index + 1][y, x] == surface) & (far | (np.abs(there - z) < 0.05 * z))
        flows.append(pixels - grid)
        seen.append(inside & same)
    return np.stack(flows), np.stack(seen)


def _ground(scene: Scene) -> Shape:
    """A plain up to the horizon, with hills around where the scene has them; in world coordinates."""
    corner = _EXTENT * np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], dtype=np.float32)
    plain = Shape(
        corner[[[0, 2, 1], [0, 3, 2]]], np.tile(np.array([0, 1, 0], dtype=np.float32), (2, 3, 1)), bottom=0.0
    )
    if not scene.hills:
        return plain
    hills = build_hills(scene.seed, inner=scene.hills, outer=0.6 * _EXTENT)
    return Shape(
        np.concatenate([plain.corners, hills.corners]),
        np.concatenate([plain.normals, hills.normals]),
        bottom=0.0,
    )


def _build_caster(scene: Scene, ground: Shape, index: int) -> RayCaster:
    soups = [ground.corners]
    for thing in scene.things:
        pose = thing.poses[index]
        soups.append((thing.shape.corners @ pose[:3, :3].T * thing.size + pose[:3, 3]).astype(np.float32))
    return RayCaster(soups)


def _cast(scene: Scene, index: int, caster: RayCaster, ground: Shape, pixels: Floats, size: int) -> Samples:
    """Follow one ray through each of `pixels` `(n, 2)`, and one more from there to the sun."""
    camera = scene.cameras[index].astype(np.float32)
    scale = scene.focal * size / 2
    lens = (pixels - (size - 1) / 2) / [scale, -scale]
    ahead = np.concatenate([lens, np.ones((len(lens), 1))], axis=1).astype(np.float32)
    directions = ahead @ camera[:3, :3].T  # of unit z, so that the distance is the depth
    origins = np.broadcast_to(camera[:3, 3], directions.shape).copy()
    hits = caster.intersect(origins, directions)
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    met = hits.mesh >= 0
    world = np.where(met[:, None], origins + np.where(met, hits.distance, 0)[:, None] * directions, units)
    points, normals = world.copy(), np.zeros_like(world)
    for number in range(len(scene.things) + 1):
        mask = np.flatnonzero(hits.mesh == number)
        corners = (scene.things[number - 1].shape if number else ground).normals[hits.triangle[mask]]
        u, v = hits.u[mask, None], hits.v[mask, None]
        normals[mask] = (1 - u - v) * corners[:, 0] + u * corners[:, 1] + v * corners[:, 2]
        if number:
            thing = scene.things[number - 1]
            pose = thing.poses[index].astype(np.float32)
            points[mask] = (world[mask] - pose[:3, 3]) @ pose[:3, :3] / thing.size
            normals[mask] = normals[mask] @ pose[:3, :3].T
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    facing = -(normals * units).sum(axis=1, keepdims=True)
    normals = np.where(facing < -0.2, -normals, normals)  # sheets of furniture are seen from both sides
    light, gloss = _illuminate(scene, caster, world, normals, units, hits.mesh)
    rim = np.where(hits.mesh[:, None] > FLOOR, 1 - np.clip(np.abs(facing), 0, 1), 0)
    return Samples(hits.mesh, points, hits.distance, normals, light, gloss, rim.astype(np.float32), units)


def _sun_direction(scene: Scene, sky: Sky) -> Floats:
    height, turn = np.radians(sky.elevation), scene.sun_azimuth
    ray = [np.cos(height) * np.cos(turn), np.sin(height), np.cos(height) * np.sin(turn)]
    return np.array(ray, dtype=np.float32)


def _illuminate(
    scene: Scene,
    caster: RayCaster,
    world: Floats,
    normals: Floats,
    units: Floats,
    surface: NDArray[np.int32],
) -> tuple[Floats, Floats]:
    """Light: Lambert's law, hard shadows, ambient from above. Gloss: Blinn-Phong, and the sky in metal."""
    sky = SKIES[scene.sky]
    sun = _sun_direction(scene, sky)
    facing = np.maximum(normals @ sun, 0)
    asked = np.flatnonzero((surface > SKY) & (facing > 0))
    shadowed = caster.occluded(
        world[asked] + 2e-3 * normals[asked], np.broadcast_to(sun, (len(asked), 3)).copy()
    )
    facing[asked[shadowed]] = 0
    above = 0.75 + 0.25 * normals[:, 1]
    light = facing[:, None] * sky.sun + above[:, None] * sky.ambient
    halfway = sun - units
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    shininess = np.where(facing > 0, np.maximum((normals * halfway).sum(axis=1), 0) ** 40, 0)
    gloss = np.zeros_like(light)
    for number, thing in enumerate(scene.things, start=1):
        mask = np.flatnonzero(surface == number)
        finish = shine(thing.finish)
        gloss[mask] = finish.highlight * shininess[mask, None] * sky.sun
        if finish.mirror:
            outgoing = (
                units[mask] - 2 * (units[mask] * normals[mask]).sum(axis=1, keepdims=True) * normals[mask]
            )
            below = np.clip(0.5 - 4 * outgoing[:, 1:2], 0, 1)
            seen = sky_color(outgoing, sky) * (1 - below) + 0.25 * sky.ambient * below
            gloss[mask] += finish.mirror * seen
    return light.astype(np.float32), gloss.astype(np.float32)


def _shade(scene: Scene, samples: Samples, sky: Sky) -> Floats:
    """Return the linear picture `(rays, 3)`, lines aside."""
    style = STYLES[scene.style]
    linear = sky_color(samples.directions, sky)
    for number in range(len(scene.things) + 1):
        mask = np.flatnonzero(samples.surface == number)
        points = samples.points[mask]
        if number == FLOOR:
            albedo = FLOORS[scene.floor](points[:, [0, 2]])
        else:
            thing = scene.things[number - 1]
            albedo = paint(points, thing.color, thing.finish)
        lit = style.shade(albedo, samples.light[mask], samples.gloss[mask], samples.rim[mask])
        if number == FLOOR:
            lit = lit + (sky.horizon - lit) * np.minimum((samples.depth[mask] * _FOG)[:, None] ** 2, 1)
        linear[mask] = lit
    return style.grade(linear)


def _lines(samples: Samples, size: int) -> Floats:
    """Share of ink in each pixel `(size, size)`: along borders between surfaces and folds of things."""
    surface = samples.surface.reshape(size, size)
    depth, normals = samples.depth.reshape(size, size), samples.normals.reshape(size, size, 3)
    ink = np.zeros((size, size), dtype=np.float32)
    for axis in (0, 1):
        first, second = (slice(0, -1), slice(None)), (slice(1, None), slice(None))
        if axis:
            first, second = first[::-1], second[::-1]
        thing = (surface[first] > FLOOR) & (surface[second] > FLOOR)
        with np.errstate(invalid="ignore"):
            jump = np.abs(depth[first] - depth[second]) > 0.06 * np.minimum(depth[first], depth[second])
        fold = (normals[first] * normals[second]).sum(axis=-1) < 0.5
        line = (surface[first] != surface[second]) | (thing & (jump | fold))
        ink[first] = np.maximum(ink[first], line)
        ink[second] = np.maximum(ink[second], line)
    padded = np.pad(ink, 1, mode="edge")
    blurred = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 8 + ink / 2
    return (0.9 * blurred).astype(np.float32)


def _ragged(linear: Floats, surface: NDArray[np.int32]) -> NDArray[np.intp]:
    """Find pixels that differ from a neighbour in surface or visibly in brightness."""
    tone = np.sqrt(np.minimum(linear.mean(axis=-1), 1))
    rough = np.zeros(surface.shape, dtype=bool)
    for axis in (0, 1):
        step = (np.diff(surface, axis=axis) != 0) | (np.abs(np.diff(tone, axis=axis)) > 0.08)
        before, after = ((slice(0, -1), slice(None)), (slice(1, None), slice(None)))
        if axis:
            before, after = before[::-1], after[::-1]
        rough[before] |= step
        rough[after] |= step
    return np.flatnonzero(rough)
