"""3D scenes and block-outs -> exact depth, by ray casting on the CPU.

`scene_depth` and `blockout_depth` give a `DepthVideo`, the `stream_…` functions one frame after the other,
the `preview_…` functions shaded pictures of the same.
"""

from makeyourvideo.structure.scenes.blockout import blockout_depth, preview_blockout, stream_blockout_depth
from makeyourvideo.structure.scenes.scene import (
    SCENE_SUFFIXES,
    preview_scene,
    scene_cameras,
    scene_depth,
    stream_scene_depth,
)

__all__ = [
    "SCENE_SUFFIXES",
    "blockout_depth",
    "preview_blockout",
    "preview_scene",
    "scene_cameras",
    "scene_depth",
    "stream_blockout_depth",
    "stream_scene_depth",
]
