"""`makeyourvideo generate`: a prompt and depth become a video."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from makeyourvideo.cli import app


@app.command()
def generate(
    prompt: Annotated[str, Option(help="What the video shows.")],
    depth: Annotated[Path, Option(help="Grey video, .npy/.npz, or a folder of PNG, TIFF or EXR.")],
    output: Annotated[Path, Option("--output", "-o", help=".mp4, .gif, .webp, or a folder of PNG.")],
    model: Annotated[Path | None, Option(help="Model folder; without it, the bundled model.")] = None,
    negative_prompt: Annotated[str, Option(help="What the guidance moves away from.")] = "",
    depth_kind: Annotated[
        Literal["inverse", "metric"], Option(help="Whether large values are near (inverse) or far (metric).")
    ] = "inverse",
    inverted: Annotated[bool, Option("--inverted", help="Inverse depth stored with near as black.")] = False,
    depth_normalization: Annotated[
        Literal["clip", "frame"] | None,
        Option(help="Range of the depth; without it, as the model was trained."),
    ] = None,
    depth_strength: Annotated[float, Option(help="1 follows the depth, 0 the prompt alone.")] = 1,
    num_frames: Annotated[int | None, Option(help="Frames of the video.")] = None,
    frame_stride: Annotated[
        int, Option(help="Use every so many depth frames; -1 spreads over them all.")
    ] = 1,
    height: Annotated[int | None, Option(help="Height in pixels.")] = None,
    width: Annotated[int | None, Option(help="Width in pixels.")] = None,
    steps: Annotated[int | None, Option(help="Steps of the scheduler.")] = None,
    guidance_scale: Annotated[float | None, Option(help="Weight of the prompt.")] = None,
    eta: Annotated[float | None, Option(help="Noise added on the way, 0 to 1 (DDIM).")] = None,
    scheduler: Annotated[
        str | None, Option(help="A diffusers scheduler, such as EulerDiscreteScheduler.")
    ] = None,
    seed: Annotated[int, Option(help="Of the noise; the same seed makes the same video.")] = 0,
    fps: Annotated[float | None, Option(help="Frames a second of the video.")] = None,
    threads: Annotated[int | None, Option(help="Processor threads.")] = None,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would happen.")] = False,
) -> None:
    """Make a video from a sentence and per-frame depth.

    Beside the video stand a manifest (.json), from which `replay` makes it again, and a strip of frames
    (.png) that shows the depth over the result.
    """
    from makeyourvideo.cli.running import follow, prepare_aloud, report
    from makeyourvideo.run import check_outputs, run
    from makeyourvideo.settings import parse_settings

    check_outputs(output, force)
    settings = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "depth": depth,
        "depth_kind": depth_kind,
        "inverted": inverted,
        "depth_normalization": depth_normalization,
        "depth_strength": depth_strength,
        "model": model,
        "num_frames": num_frames,
        "frame_stride": frame_stride,
        "height": height,
        "width": width,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "eta": eta,
        "scheduler": scheduler,
        "seed": seed,
        "fps": fps,
        "threads": threads,
    }
    job = prepare_aloud(parse_settings(settings))
    if dry_run:
        from makeyourvideo.cli.dry_run import describe

        describe(job, output, force)
    else:
        report(follow(run(job, output, force=force)))
