"""What depth alone says of the light on a surface: which way it faces, and whether the sun is hidden from it.

Of inverse depth a plane is a plane, so normals are exact; shadows are those of what is in sight. Ours: the
paper has no such part.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, pad

from makeyourvideo.models.mixing import in_full, slope_within
from makeyourvideo.models.parallax import FOCAL, floor_line, up_and_right

RELIEF = 9
"""How many numbers tell of a point: see `relief`."""
_ELEVATIONS = (19.0, 50.0)
"""How high a sun of length 1 stands, in degrees: as the world's does at dawn and sunset, and else."""
_SHORTEST = 1e-12
"""What a direction has at least."""
_SHININESS = 40
"""The exponent of highlights (Blinn 1977)."""
_FARTHEST = 0.02
"""The least inverse depth that has a place in space."""
_NEAREST = 1e-3
"""How far ahead of the camera a point is at least."""
_USUAL_SIDE = 128
"""Of pictures whose slopes are taken from pixel to pixel; of larger ones, in steps, over more."""
_SHARES = (0.02, 0.9)
"""From where to where towards the sun it is looked for what hides it, as shares of a point's distance."""
_STEPS = 32
_TOGETHER = 16
"""How many steps are taken at once: of small pictures, one by one, they take longer to begin than to do."""
_BIAS = 0.015
"""How far inside an object a ray must be to be held up, as a share of its distance; fully by twice that."""
_THINNEST = 0.03
"""How thick objects are at least, as a share of their distance."""


def relief(depth: Tensor, sun: Tensor, objects: Tensor) -> Tensor:
    """Tell how surfaces stand to camera and sun.

    Args:
        depth: inverse depth `(b, 1, h, w)` of -1, at infinity, to 1; h and w are even.
        sun: which way the light comes from, `(b, 2)`, to the right and from ahead: of length 1, or less
            to have it stand higher than it usually does, 0 for straight above.
        objects: what may hide it, `(b, objects, h/2, w/2)`, from `segmented`.

    Returns:
        `(b, RELIEF, h/2, w/2)` in single precision, all in [-1, 1]: where surfaces face, to the right, up and
        ahead; how straight they face the camera; how far up what they mirror is; and for each of two
        heights of the sun how much of its light they get (Lambert's law, shadows), and how they shine.
    """
    with in_full(depth.device):
        near = (depth.float() + 1) / 2
        pitch = floor_line(near).seen_with(FOCAL)[0][..., None, None]
        up, right = up_and_right(near.shape[2], near.shape[3], near.device)
        rays = torch.broadcast_tensors(right / FOCAL, up[:, None] / FOCAL, right.new_ones(()))
        rays = torch.stack(rays)[None]
        facing = _levelled(_normals(near, rays), pitch)
        views = _unit(_levelled(rays, pitch))
        frontal = -(facing * views).sum(dim=1, keepdim=True)
        mirrored = (views + 2 * frontal * facing)[:, 1:2]
        facing, frontal, mirrored, views = (
            avg_pool2d(part, 2) for part in (facing, frontal, mirrored, views)
        )
        near, rays = near[..., ::2, ::2], rays[..., ::2, ::2]
        facing = _unit(facing)
        told = [facing, frontal, mirrored]
        backs = _backs(near, objects)
        for degrees in _ELEVATIONS:
            towards = _direction(sun.float(), math.radians(degrees))
            hidden = _hidden(near, backs, rays, _levelled(towards, -pitch))
            sunny = (facing * towards).sum(dim=1, keepdim=True).clamp(min=0)
            halfway = _unit(towards - views)
            shine = (facing * halfway).sum(dim=1, keepdim=True).clamp(min=0) ** _SHININESS
            told += [(1 - hidden) * part for part in (sunny, shine * (sunny > 0))]
    return torch.cat(told, dim=1)


def _direction(sun: Tensor, elevation: float) -> Tensor:
    """Where the sun stands, `(b, 3, 1, 1)`: to the right, up and ahead."""
    across, along = (sun * math.cos(elevation)).unbind(dim=1)
    rise = torch.full_like(across, math.sin(elevation))
    return _unit(torch.stack([across, rise, along], dim=1)[..., None, None])


def _unit(directions: Tensor) -> Tensor:
    """Directions, `b 3 h w`, of length 1: `normalize` sums numbers that lie far apart one by one."""
    right, up, ahead = directions.split(1, dim=1)
    return directions / (right * right + up * up + ahead * ahead).sqrt().clamp(min=_SHORTEST)


def _levelled(directions: Tensor, pitch: Tensor) -> Tensor:
    """Directions, `b 3 h w`, as a camera sees them that looks down by `pitch`, to right, up and ahead."""
    right, up, ahead = directions.split(1, dim=1)
    up, ahead = up * pitch.cos() - ahead * pitch.sin(), up * pitch.sin() + ahead * pitch.cos()
    return torch.cat([right.expand_as(up), up, ahead], dim=1)


def _normals(near: Tensor, rays: Tensor) -> Tensor:
    """Where surfaces face as the camera sees it, `(b, 3, h, w)`: inverse depth of a plane is linear."""
    side = min(near.shape[2:]) * FOCAL / 2
    reach = max(1, min(near.shape[2:]) // _USUAL_SIDE)
    across, down = (slope_within(near, axis, reach) * side for axis in (3, 2))
    ahead = near - rays[:, :1] * across + rays[:, 1:2] * down
    return -_unit(torch.cat([across, -down, ahead], dim=1))


def _backs(near: Tensor, objects: Tensor) -> Tensor:
    """How far away the backs of objects are, `(b, 1, h, w)`, were they as round behind as they are in front.

    What is no object has its back where its front is: it hides nothing.
    """
    distance = 1 / near.clamp(min=_FARTHEST)
    farthest = (objects * distance).amax(dim=(2, 3), keepdim=True)
    backs = torch.maximum(2 * farthest - distance, distance * (1 + _THINNEST))
    return torch.maximum((objects * backs).sum(dim=1, keepdim=True), distance)


def _hidden(near: Tensor, backs: Tensor, rays: Tensor, sun: Tensor) -> Tensor:
    """How far objects hide the `sun`, `(b, 3, 1, 1)` as the camera sees it: `(b, 1, h, w)`, 0 to 1.

    Rays to the sun are followed over the picture (Sousa et al. 2011, screen-space ray tracing).
    """
    rows, columns = near.shape[2:]
    side = min(rows, columns)
    distance, seen = 1 / near.clamp(min=_FARTHEST), torch.cat([near, 1 / backs], dim=1)
    least = _BIAS * distance
    hidden = torch.zeros_like(near)
    for shares in torch.from_numpy(np.geomspace(*_SHARES, _STEPS)).to(near).split(_TOGETHER):
        towards = rays[:, :, None] + shares.view(-1, 1, 1) * sun[:, :, None]  # b 3 steps h w
        across, up, away = (distance[:, :, None] * towards).unbind(dim=1)
        away = away.clamp(min=_NEAREST)
        right, down = (FOCAL * part / away for part in (across, -up))
        spots = torch.stack([right * side / columns, down * side / rows], dim=-1)
        met = grid_sample(seen, spots.flatten(1, 2), "nearest", align_corners=False)
        front, back = (1 / met.clamp(min=_FARTHEST)).unflatten(2, (-1, rows)).unbind(dim=1)
        held = ((away - front) / least - 1).clamp(0, 1) * ((back - away) / least).clamp(0, 1)
        hidden = torch.maximum(hidden, held.amax(dim=1, keepdim=True))
    return avg_pool2d(pad(hidden, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
