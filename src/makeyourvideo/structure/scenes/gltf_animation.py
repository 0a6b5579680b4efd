"""glTF animations: what a track says at a time (glTF 2.0, 3.11 and appendix C)."""

from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes.gltf_accessors import read_floats
from makeyourvideo.structure.scenes.gltf_file import Document
from makeyourvideo.structure.scenes.gltf_form import Sampler

Floats = NDArray[np.float64]
Property = Literal["translation", "rotation", "scale", "weights"]
Interpolation = Literal["STEP", "LINEAR", "CUBICSPLINE"]


@dataclass(frozen=True, eq=False)
class Track:
    """Keyframes of one property of one node.

    Attributes:
        times: seconds, rising, `(k,)`.
        values: `(k, channels)`; of a cubic spline `(k, 3, channels)`: in-tangent, value, out-tangent.
        interpolation: how to go from one keyframe to the next.
        is_rotation: the channels are a unit quaternion x, y, z, w.
    """

    times: Floats
    values: Floats
    interpolation: Interpolation
    is_rotation: bool

    def at(self, seconds: float) -> Floats:
        """The value `(channels,)`; before the first and after the last keyframe, theirs."""
        spline = self.interpolation == "CUBICSPLINE"
        points = self.values[:, 1] if spline else self.values
        after = int(np.searchsorted(self.times, seconds, side="right"))
        if after == 0 or after == len(self.times):
            return self._unit(points[min(after, len(self.times) - 1)])
        before = after - 1
        if self.interpolation == "STEP":
            return self._unit(points[before])
        span = self.times[after] - self.times[before]
        share = (seconds - self.times[before]) / span
        if spline:
            tangents = span * self.values[before, 2], span * self.values[after, 0]
            return self._unit(hermite(points[before], points[after], *tangents, share))
        if self.is_rotation:
            return slerp(self._unit(points[before]), self._unit(points[after]), share)
        return points[before] + share * (points[after] - points[before])

    def _unit(self, value: Floats) -> Floats:
        length = np.linalg.norm(value)
        return value / length if self.is_rotation and length > 0 else value


def hermite(first: Floats, last: Floats, leaving: Floats, arriving: Floats, share: float) -> Floats:
    """The cubic from `first` to `last` with these tangents at its ends (glTF 2.0, appendix C.5)."""
    square, cube = share**2, share**3
    return (
        (2 * cube - 3 * square + 1) * first
        + (cube - 2 * square + share) * leaving
        + (3 * square - 2 * cube) * last
        + (cube - square) * arriving
    )


def slerp(first: Floats, last: Floats, share: float) -> Floats:
    """The rotation on the shorter way between two unit quaternions (glTF 2.0, appendix C.4)."""
    cosine = float(first @ last)
    if cosine < 0:
        last, cosine = -last, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:  # the sine vanishes, and so does the difference from a straight line
        blend = first + share * (last - first)
    else:
        blend = (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
    return blend / np.linalg.norm(blend)


def read_tracks(document: Document, name: str | None) -> dict[tuple[int, Property], Track]:
    """Read what moves, by node and property.

    Args:
        document: the file.
        name: of one of its animations; None plays them all, and of two that move the same thing the first.

    Raises:
        InputError: no animation of that name, or keyframes that make no sense.
    """
    animations = document.parts.animations
    names = [animation.name for animation in animations]
    if name is not None and name not in names:
        known = ", ".join(str(known) for known in names) or "no animations"
        raise InputError(document.path, f"one of its animations ({known})", repr(name))
    tracks: dict[tuple[int, Property], Track] = {}
    for animation in animations:
        if name is not None and animation.name != name:
            continue
        for channel in animation.channels:
            node, path = channel.target.node, channel.target.path
            if node is None or not _is_property(path) or (node, path) in tracks:
                continue  # an extension's target, or one that an earlier animation moves
            document.item(document.parts.nodes, node, "nodes")
            sampler = document.item(animation.samplers, channel.sampler, "animation's samplers")
            tracks[node, path] = _read_track(document, sampler, node, path)
    return tracks


def _is_property(path: str) -> TypeGuard[Property]:
    return path in get_args(Property)


def _read_track(document: Document, sampler: Sampler, node: int, path: Property) -> Track:
    what = f"the {path} of node {node}"
    interpolation: Any = sampler.interpolation
    if interpolation not in get_args(Interpolation):
        expected = f"{', '.join(get_args(Interpolation))} for {what}"
        raise InputError(document.path, expected, repr(interpolation))
    times = read_floats(document, sampler.input, "SCALAR")
    if (np.diff(times) <= 0).any():
        raise InputError(document.path, f"rising times for {what}", f"accessor {sampler.input}")
    kind = {"weights": "SCALAR", "rotation": "VEC4"}.get(path, "VEC3")
    values = read_floats(document, sampler.output, kind)
    each = len(times) * (3 if interpolation == "CUBICSPLINE" else 1)
    if len(values) % each or (path != "weights" and len(values) != each):
        raise InputError(document.path, f"{each} values for {what}", f"{len(values)}")
    values = values.reshape(each, -1)
    if interpolation == "CUBICSPLINE":
        values = values.reshape(len(times), 3, -1)
    return Track(times, values, interpolation, path == "rotation")
