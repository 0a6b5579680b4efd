"""How far a video made in windows is from the same video in one pass, with the bundled model at 64x64."""

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.sampling import WindowDone
from makeyourvideo.settings import Options
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import sample_scene

SEED, SIDE, STEPS = 10_000_001, 64, 8


def change(frames: NDArray[np.uint8], before: list[int]) -> float:
    """Rms difference in 8-bit levels of some frames and those before them."""
    later, earlier = (frames[np.array(before) - back].astype(float) for back in (0, 1))
    return float(np.sqrt(((later - earlier) ** 2).mean(axis=(1, 2, 3))).mean())


def compare(pipe: MakeYourVideoPipeline, num_frames: int, shape: dict[str, int]) -> str:
    """One row: distance from one pass; change at seams and elsewhere, in windows and in one pass."""
    metric = render(sample_scene(SEED, num_frames=num_frames), SIDE).depth
    depth = DepthVideo.from_metric_depth(metric)
    asked = {"num_frames": num_frames, "height": SIDE, "width": SIDE}
    asked |= {"scheduler": "DDIMScheduler", "num_inference_steps": STEPS}
    asked |= {"guidance_scale": 5.0, "guidance_interval": (0.0, 1.0)}
    plan = pipe.plan("a red ball on sand", depth, "", Options(stream=True, **asked, **shape))
    events = pipe.stream(plan, depth, torch.Generator().manual_seed(0))
    windows = torch.cat([event.latents for event in events if isinstance(event, WindowDone)], dim=2)
    at_once = pipe.plan("a red ball on sand", depth, "", Options(stream=False, **asked))
    *_, last = pipe.denoise([at_once], [depth], [torch.Generator().manual_seed(0)])
    both = (windows, last.latents)
    sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
    decoded = (pipe.decode_latents(latents, [plan], [depth], sketches=sketches) for latents in both)
    videos = [to_uint8(video)[0] for video in decoded]
    distance = float((windows - last.latents).square().mean().sqrt())
    pixels = float(np.sqrt(((videos[0].astype(float) - videos[1]) ** 2).mean()))
    seams = [window.start for window in plan.windows[1:]]
    others = [frame for frame in range(1, num_frames) if frame not in seams]
    changes = [f"{change(video, seams):.2f} {change(video, others):.2f}" for video in videos]
    asked_for = f"{num_frames:6} {shape['window']:6} {shape['lookahead']:9}"
    return f"{asked_for} {distance:8.4f} {pixels:6.2f}  {'   '.join(changes)}"


def main() -> None:
    """Compare every length and shape of windows that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="*", type=int, default=[64, 256])
    given = parser.parse_args()
    pipe = MakeYourVideoPipeline.bundled()
    print("frames window lookahead distance pixels  seams, elsewhere: windows   one pass")
    for num_frames in given.frames:
        for window, lookahead in ((32, 8), (16, 8), (32, 0)):
            print(compare(pipe, num_frames, {"window": window, "lookahead": lookahead}), flush=True)


if __name__ == "__main__":
    main()
