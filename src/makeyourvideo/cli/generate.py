"""`makeyourvideo generate`: a prompt and depth become a video."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from makeyourvideo.cli import app
from makeyourvideo.presets import Precision, Quality, TimestepSpacing


@app.command()
def generate(
    prompt: Annotated[str, Option(help="What the video shows.")],
    output: Annotated[Path, Option("--output", "-o", help=".mp4, .gif, .webp, or a folder of PNG.")],
    depth: Annotated[
        Path | None, Option(help="Depth: grey video, .npy/.npz, or a folder of PNG, TIFF or EXR.")
    ] = None,
    video: Annotated[Path | None, Option(help="Or a plain video, whose depth is estimated.")] = None,
    scene: Annotated[
        Path | None, Option(help="Or a 3D scene (glTF, OBJ, PLY, STL), or a block-out in YAML.")
    ] = None,
    camera: Annotated[
        str | None,
        Option(help="Of the scene: a .json of keyframes, orbit, dolly, crane, fly-through, its own."),
    ] = None,
    start: Annotated[
        float | None, Option(help="Second of the scene at which to begin; without it, 0.")
    ] = None,
    animation: Annotated[str | None, Option(help="Play this animation of the scene alone.")] = None,
    keyframes: Annotated[
        str | None, Option(help="Or depth at some frames: 0:a.png,8:b.png,15:c.png.")
    ] = None,
    estimator: Annotated[
        str | None, Option(help="Of the video's depth: a folder or hub name; without it, the bundled one.")
    ] = None,
    model: Annotated[Path | None, Option(help="Model folder; without it, the bundled model.")] = None,
    negative_prompt: Annotated[str, Option(help="What the guidance moves away from.")] = "",
    depth_kind: Annotated[
        Literal["inverse", "metric"] | None,
        Option(help="Whether large values are near (inverse) or far (metric); without it, inverse."),
    ] = None,
    inverted: Annotated[bool, Option("--inverted", help="Inverse depth stored with near as black.")] = False,
    depth_near: Annotated[
        float | None, Option(help="Metres of the near end of integer samples and grey levels.")
    ] = None,
    depth_far: Annotated[float | None, Option(help="Metres of their far end.")] = None,
    depth_normalization: Annotated[
        Literal["clip", "frame"] | None,
        Option(help="Range of the depth; without it, as the model was trained."),
    ] = None,
    depth_strength: Annotated[
        str, Option(help="1 follows the depth, 0 the prompt alone; or a file of lines FRAME, STRENGTH.")
    ] = "1",
    depth_mask: Annotated[
        Path | None, Option(help="Grey video or picture: white follows the depth, black the prompt alone.")
    ] = None,
    num_frames: Annotated[int | None, Option(help="Frames of the video.")] = None,
    stream: Annotated[
        bool | None,
        Option(
            "--stream/--no-stream",
            help="Make the video window by window, in constant memory; without it, above 128 frames.",
        ),
    ] = None,
    window: Annotated[int | None, Option(help="New frames of each window.")] = None,
    frame_stride: Annotated[
        int | None, Option(help="Use every so many frames of the depth or video; -1 spreads over them all.")
    ] = None,
    height: Annotated[int | None, Option(help="Height in pixels.")] = None,
    width: Annotated[int | None, Option(help="Width in pixels.")] = None,
    quality: Annotated[
        Quality | None,
        Option(
            help="Solver, steps, guidance, refining at once; without it, the model's. Options beside it win."
        ),
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of the scheduler.")] = None,
    timestep_spacing: Annotated[
        TimestepSpacing | None, Option(help="Where on the schedule they are.")
    ] = None,
    guidance_scale: Annotated[float | None, Option(help="Weight of the prompt.")] = None,
    guidance_interval: Annotated[
        tuple[float, float] | None,
        Option(help="Where it counts, from noise: 0 0.4 is the first 40 % of the schedule."),
    ] = None,
    eta: Annotated[float | None, Option(help="Noise added on the way, 0 to 1 (DDIM).")] = None,
    sketch_share: Annotated[
        float | None, Option(help="How much of the schedule the model's sketch stands for; 0 none, 1 all.")
    ] = None,
    refine: Annotated[
        bool | None,
        Option("--refine/--no-refine", help="Sharpen decoded frames, if the model can; so by default."),
    ] = None,
    antialias: Annotated[
        bool | None,
        Option("--antialias/--no-antialias", help="Average the sketch's fine patterns; so by default."),
    ] = None,
    scheduler: Annotated[
        str | None, Option(help="A diffusers scheduler, such as EulerDiscreteScheduler.")
    ] = None,
    seed: Annotated[int, Option(help="Of the noise; the same seed makes the same video.")] = 0,
    fps: Annotated[float | None, Option(help="Frames a second of the video.")] = None,
    device: Annotated[str, Option(help="Where PyTorch computes, such as cuda or mps.")] = "cpu",
    precision: Annotated[
        Precision, Option(help="Of weights and what is computed; half takes half the memory.")
    ] = "float32",
    compiled: Annotated[
        bool,
        Option("--compile", help="Compile the network: minutes at first, faster steps then."),
    ] = False,
    threads: Annotated[int | None, Option(help="Processor threads.")] = None,
    memory_limit: Annotated[
        str | None, Option(help="What the process may hold, such as 4GB; it works in smaller slices for it.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace existing results.")] = False,
    preview: Annotated[
        bool, Option("--preview", help="Also write the depth as the model sees it (NAME.depth.mp4).")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would happen.")] = False,
) -> None:
    """Make a video from a sentence and per-frame depth.

    Beside the video stand a manifest (.json), from which `replay` makes it again, and a strip of frames
    (.png) that shows the depth over the result.
    """
    from makeyourvideo.settings import check_there, parse_settings
    from makeyourvideo.structure.keyframes import parse_keyframes

    asked = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "depth": depth,
        "video": video,
        "scene": scene,
        "camera": camera,
        "start": start,
        "animation": animation,
        "keyframes": None if keyframes is None else tuple(parse_keyframes(keyframes).items()),
        "estimator": estimator,
        "depth_kind": depth_kind,
        "inverted": inverted,
        "depth_near": depth_near,
        "depth_far": depth_far,
        "depth_normalization": depth_normalization,
        **_strength(depth_strength),
        "depth_mask": depth_mask,
        "model": model,
        "num_frames": num_frames,
        "frame_stride": frame_stride,
        "height": height,
        "width": width,
        "quality": quality,
        "num_inference_steps": steps,
        "timestep_spacing": timestep_spacing,
        "guidance_scale": guidance_scale,
        "guidance_interval": guidance_interval,
        "eta": eta,
        "sketch_share": sketch_share,
        "refine": refine,
        "antialias": antialias,
        "scheduler": scheduler,
        "seed": seed,
        "fps": fps,
        "device": device,
        "precision": precision,
        "compiled": compiled,
        "threads": threads,
        "memory_limit": memory_limit,
        "stream": stream,
        "window": window,
    }
    settings = parse_settings({name: value for name, value in asked.items() if value is not None})
    check_there(settings)

    from makeyourvideo.cli.running import follow, prepare_aloud, report  # not before bad input is refused
    from makeyourvideo.run import check_early, run

    check_early(settings, output, force, preview)
    job = prepare_aloud(settings, estimate=not dry_run)
    if dry_run:
        from makeyourvideo.cli.dry_run import describe

        describe(job, output, force, preview)
    else:
        report(follow(run(job, output, force=force, preview=preview), job.plan))


def _strength(given: str) -> dict[str, object]:
    try:
        return {"depth_strength": float(given)}
    except ValueError:
        return {"depth_curve": Path(given)}
