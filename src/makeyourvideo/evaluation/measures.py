"""Which measures the suite takes of a clip, and of which objects."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from makeyourvideo.evaluation.experts import Experts
from makeyourvideo.evaluation.metrics import (
    boundary_f1,
    color_is_right,
    depth_error,
    object_masks,
    psnr,
    visible_things,
    warping_error,
)
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.render import FLOOR, SKY, Clip
from makeyourvideo.world.styles import COLORLESS

_OBJECT, _FINISH, _SURROUNDINGS = 0.02, 0.04, 0.08  # least share of the picture that can be judged

MEASURES: Mapping[str, str] = {
    "color": "named colour right, of each object that has one",
    "both colors": "both right, of two objects whose named colours differ",
    "finish": "pattern or material right, of each object",
    "floor": "floor right",
    "sky": "sky right",
    "style": "style right",
    "boundary F1": "silhouette of each object against its exact mask",
    "depth error": "si-RMSE of the depth estimated on the video",
    "other depth error": "the same against another scene's depth",
    "warping error": "8-bit levels, by exact flow over unoccluded pixels",
    "psnr": "dB against the ground truth",
}


def measure(
    frames: NDArray[np.uint8], clip: Clip, other_depth: NDArray[np.float32], experts: Experts
) -> dict[str, list[float]]:
    """Take every measure of a clip; those that cannot be asked of this scene stay empty.

    Args:
        frames: the video of the scene.
        clip: the scene's truth.
        other_depth: metric depth of another scene.
        experts: the trained eyes.
    """
    scene, (seen, judged) = clip.scene, (visible_things(clip, least) for least in (_OBJECT, _FINISH))
    colored = [] if scene.style in COLORLESS else [thing for thing in seen if scene.things[thing].color]
    right = {thing: float(color_is_right(frames, clip, thing)) for thing in colored}
    pair = colored[:2] if len({scene.things[thing].color for thing in colored[:2]}) == 2 else []
    shown = experts.scene(frames)
    floor_seen = scene.style not in COLORLESS and (clip.surfaces == FLOOR).mean() > _SURROUNDINGS
    sky_seen = scene.style not in (*COLORLESS, "neon") and (clip.surfaces == SKY).mean() > _SURROUNDINGS
    estimated = experts.inverse_depth(frames)
    return {
        "color": list(right.values()),
        "both colors": [min(right[thing] for thing in pair)] if pair else [],
        "finish": [
            float(experts.finish(frames, object_masks(clip, thing)) == scene.things[thing].finish)
            for thing in judged
        ],
        "floor": [float(shown["floor"] == scene.floor)] if floor_seen else [],
        "sky": [float(shown["sky"] == scene.sky)] if sky_seen else [],
        "style": [float(shown["style"] == scene.style)],
        "boundary F1": [boundary_f1(frames, clip, thing) for thing in seen],
        "depth error": [depth_error(estimated, DepthVideo.from_metric_depth(clip.depth).values)],
        "other depth error": [depth_error(estimated, DepthVideo.from_metric_depth(other_depth).values)],
        "warping error": [warping_error(frames, clip)],
        "psnr": [psnr(frames, clip.frames)],
    }
