"""A scene as files: what people look at and what researchers load."""

from pathlib import Path

import numpy as np

from makeyourvideo.media import write_image, write_video
from makeyourvideo.outputs import written_whole
from makeyourvideo.pictures import strip
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.captions import caption
from makeyourvideo.world.render import flow, render
from makeyourvideo.world.scene import WorldConfig, sample_scene


def export_scene(seed: int, folder: Path, size: int = 128, num_frames: int = 16, force: bool = False) -> None:
    """Render scene `seed` into `folder`, whole or not at all.

    Files: `video.mp4`, `depth.npz` (a `DepthVideo` in metric units), `truth.npz` (`surfaces` int8
    `(f, h, w)`: -1 sky, 0 floor, then the objects; `flow` float32 `(f - 1, h, w, 2)` in pixels to the next
    frame; `visible` bool `(f - 1, h, w)`), `caption.txt` and `strip.png`.
    """
    config = WorldConfig()
    clip = render(sample_scene(seed, config, num_frames), size)
    depth = DepthVideo.from_metric_depth(clip.depth, source=f"world scene {seed}", fps=config.fps)
    moved, visible = flow(clip)
    with written_whole(folder, force) as partial:
        partial.mkdir()
        write_video(partial / "video.mp4", clip.frames, config.fps)
        depth.save(partial / "depth.npz")
        np.savez_compressed(partial / "truth.npz", surfaces=clip.surfaces, flow=moved, visible=visible)
        (partial / "caption.txt").write_text(caption(clip.scene, full=True) + "\n")
        write_image(partial / "strip.png", strip(depth, clip.frames))
