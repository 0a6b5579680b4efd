"""3D scenes and block-outs -> exact depth, by ray casting on the CPU.

`film_scene` and `film_blockout` open a file and give a `Shot`: `.depth()` is its `DepthVideo`, `.stream()`
one frame after the other, `.preview()` shaded pictures of the same.
"""

from makeyourvideo.structure.scenes.blockout import film_blockout
from makeyourvideo.structure.scenes.scene import SCENE_SUFFIXES, film_scene, scene_cameras
from makeyourvideo.structure.scenes.shot import Shot

__all__ = ["SCENE_SUFFIXES", "Shot", "film_blockout", "film_scene", "scene_cameras"]
