"""The renderer: a scene -> frames with exact depth, masks, flow and the buffers to shade them anew.

Embree finds what each ray meets; the rest is array arithmetic. One ray a pixel, four more where neighbouring
pixels differ, so that edges are smooth and depth stays exact (it is the pixel centre's, never blended).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.structure.raycast import RayCaster
from makeyourvideo.world.scene import Scene
from makeyourvideo.world.surfaces import FLOORS, SKIES, Sky, linear_to_srgb, paint, sky_color

Floats = NDArray[np.float32]
SKY, FLOOR = -1, 0  # surface numbers; thing k has number k + 1
_EXTENT = 60.0
_FOG = 1 / 35
_GRAIN = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], dtype=np.float32)


@dataclass(frozen=True)
class Samples:
    """What a bundle of rays met.

    `points` are in the surface's own frame in units of its size (the world's for the floor); `light` is the
    irradiance that multiplies the albedo, `gloss` what is added to it.
    """

    surface: NDArray[np.int32]
    points: Floats
    depth: Floats
    light: Floats
    gloss: Floats
    directions: Floats


@dataclass(frozen=True)
class Clip:
    """A rendered scene: frames, height and width lead every array.

    Attributes:
        frames: uint8 sRGB `(f, h, w, 3)`.
        depth: metric z along the optical axis `(f, h, w)`, infinite in the sky.
        surfaces: int8 `(f, h, w)`: -1 sky, 0 floor, k + 1 for thing k.
        points: where each pixel's centre lies on its surface, in the surface's own frame `(f, h, w, 3)`.
        light: irradiance `(f, h, w, 3)`; albedo times light is the linear picture, gloss and fog aside.
    """

    scene: Scene
    frames: NDArray[np.uint8]
    depth: Floats
    surfaces: NDArray[np.int8]
    points: Floats
    light: Floats


def render(scene: Scene, size: int = 128) -> Clip:
    """Render every frame of `scene` as a square of `size` pixels."""
    sky = SKIES[scene.sky]
    centres = (
        np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2).astype(np.float32)
    )
    rendered = []
    caster, posed = None, None
    for index in range(len(scene.cameras)):
        poses = np.stack([thing.poses[index] for thing in scene.things])
        if caster is None or posed is None or not np.array_equal(poses, posed):
            caster, posed = _build_caster(scene, index), poses
        samples = _cast(scene, index, caster, sky, centres, size)
        linear = _shade(scene, samples, sky)
        ragged = _ragged(linear.reshape(size, size, 3), samples.surface.reshape(size, size))
        if len(ragged):
            finer = (centres[ragged][:, None] + _GRAIN).reshape(-1, 2)
            finer_linear = _shade(scene, _cast(scene, index, caster, sky, finer, size), sky)
            linear[ragged] = np.minimum(finer_linear, 1).reshape(-1, 4, 3).mean(axis=1)
        rendered.append((samples, linear))
    picture = np.stack([linear_to_srgb(linear) for _, linear in rendered]).reshape(-1, size, size, 3)

    def gather(name: str) -> Floats:
        stacked = np.stack([getattr(samples, name) for samples, _ in rendered])
        return stacked.reshape(len(rendered), size, size, *stacked.shape[2:])

    return Clip(
        scene=scene,
        frames=(picture * 255 + 0.5).astype(np.uint8),
        depth=gather("depth"),
        surfaces=gather("surface").astype(np.int8),
        points=gather("points"),
        light=gather("light"),
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


def _build_caster(scene: Scene, index: int) -> RayCaster:
    corner = _EXTENT * np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], dtype=np.float32)
    soups = [corner[[[0, 2, 1], [0, 3, 2]]]]
    for thing in scene.things:
        pose = thing.poses[index]
        soups.append((thing.shape.corners @ pose[:3, :3].T * thing.size + pose[:3, 3]).astype(np.float32))
    return RayCaster(soups)


def _cast(scene: Scene, index: int, caster: RayCaster, sky: Sky, pixels: Floats, size: int) -> Samples:
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
    normals[:, 1] = 1
    for number, thing in enumerate(scene.things, start=1):
        mask = np.flatnonzero(hits.mesh == number)
        pose = thing.poses[index].astype(np.float32)
        points[mask] = (world[mask] - pose[:3, 3]) @ pose[:3, :3] / thing.size
        corners = thing.shape.normals[hits.triangle[mask]]
        u, v = hits.u[mask, None], hits.v[mask, None]
        normals[mask] = ((1 - u - v) * corners[:, 0] + u * corners[:, 1] + v * corners[:, 2]) @ pose[:3, :3].T
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    light, gloss = _illuminate(scene, caster, sky, world, normals, units, met, hits.mesh)
    return Samples(hits.mesh, points, hits.distance, light, gloss, units)


def _sun_direction(scene: Scene, sky: Sky) -> Floats:
    height, turn = np.radians(sky.elevation), scene.sun_azimuth
    ray = [np.cos(height) * np.cos(turn), np.sin(height), np.cos(height) * np.sin(turn)]
    return np.array(ray, dtype=np.float32)


def _illuminate(
    scene: Scene,
    caster: RayCaster,
    sky: Sky,
    world: Floats,
    normals: Floats,
    units: Floats,
    met: NDArray[np.bool_],
    surface: NDArray[np.int32],
) -> tuple[Floats, Floats]:
    """Lambert's law with a hard shadow, ambient light from above, and a Blinn-Phong highlight on things."""
    sun = _sun_direction(scene, sky)
    facing = np.maximum(normals @ sun, 0)
    asked = np.flatnonzero(met & (facing > 0))
    shadowed = caster.occluded(
        world[asked] + 2e-3 * normals[asked], np.broadcast_to(sun, (len(asked), 3)).copy()
    )
    facing[asked[shadowed]] = 0
    above = 0.75 + 0.25 * normals[:, 1]
    light = facing[:, None] * sky.sun + above[:, None] * sky.ambient
    halfway = sun - units
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    shine = np.where(
        (facing > 0) & (surface > FLOOR), np.maximum((normals * halfway).sum(axis=1), 0) ** 40, 0
    )
    return light.astype(np.float32), (0.35 * shine[:, None] * sky.sun).astype(np.float32)


def _shade(scene: Scene, samples: Samples, sky: Sky) -> Floats:
    """Return the linear picture `(rays, 3)`."""
    linear = sky_color(samples.directions, sky)
    ground = np.flatnonzero(samples.surface == FLOOR)
    albedo = FLOORS[scene.floor](samples.points[ground][:, [0, 2]])
    lit = albedo * samples.light[ground]
    haze = np.minimum((samples.depth[ground] * _FOG)[:, None] ** 2, 1)
    linear[ground] = lit + (sky.horizon - lit) * haze
    for number, thing in enumerate(scene.things, start=1):
        mask = np.flatnonzero(samples.surface == number)
        albedo = paint(samples.points[mask], thing.color, thing.pattern)
        linear[mask] = albedo * samples.light[mask] + samples.gloss[mask]
    return linear


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
