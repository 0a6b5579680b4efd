"""`makeyourvideo depth` and the sources of `generate`, as people use them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from makeyourvideo.depth_job import PREVIEW_FRAMES
from makeyourvideo.media import read_image, read_video, write_video
from makeyourvideo.structure.files import read_depth


@pytest.fixture
def video(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)  # as the command does
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (8, 30, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    write_video(Path("in.mp4"), np.stack([wide[:, 2 * i : 2 * i + 64] for i in range(20)]), 25.0)
    return Path("in.mp4")


def test_depth_of_a_video_with_a_preview(command, video) -> None:
    result = command("depth", video, "-o", "out/depth.npz", "--fps", 12.5, "--preview")
    assert result.code == 0, result.err
    assert result.out.splitlines() == ["out/depth.npz", "out/depth.preview.png", "out/depth.preview.mp4"]
    depth = read_depth(Path("out/depth.npz"))
    assert (depth.values.shape, depth.fps, depth.units) == ((10, 64, 64), 12.5, "relative")
    assert read_image(Path("out/depth.preview.png")).shape[0] == 64
    assert read_video(Path("out/depth.preview.mp4"))[0].shape == (10, 64, 64, 3)
    assert command("depth", video, "-o", "out/depth.npz").code == 1


@pytest.mark.parametrize("source", ["long.npy", "scene.yaml"])
def test_a_preview_shows_the_first_frames_of_a_long_clip(command, source) -> None:
    count = PREVIEW_FRAMES + 6
    ramp = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16)
    np.save("long.npy", np.stack([ramp] * (count - 1) + [ramp * 2]))
    Path("scene.yaml").write_text(BLOCKOUT)
    asked = ("--depth-kind", "inverse")
    if source == "scene.yaml":
        asked = ("--num-frames", count, "--height", 16, "--width", 16)
    result = command("depth", source, *asked, "-o", "out.npz", "--preview")
    assert result.code == 0, result.err
    assert read_depth(Path("out.npz")).num_frames == count
    shown, fps = read_video(Path("out.preview.mp4"))
    assert (shown.shape, fps) == ((PREVIEW_FRAMES, 16, 16, 3), 8)
    if source == "long.npy":
        assert 120 < shown.max() < 136, "grey over the range of the whole clip, whose last frame is nearer"


def test_a_broken_video_leaves_nothing(command, video) -> None:
    Path("broken.mp4").write_bytes(video.read_bytes()[:600])
    result = command("depth", "broken.mp4", "-o", "depth.npz")
    assert result.code == 1
    assert result.err.startswith("makeyourvideo: broken.mp4: expected")
    assert {path.name for path in Path().iterdir()} == {"depth.npy", "in.mp4", "broken.mp4"}


def test_generate_from_a_video_and_again_from_its_manifest(command, video, model_folder) -> None:
    asked = ("--prompt", "a ball", "--model", model_folder, "--steps", 2)
    result = command("generate", *asked, "--video", video, "--depth-strength", 0.5, "-o", "a.mp4")
    assert result.code == 0, result.err
    assert "their depth is estimated (bundled)" in result.err
    manifest = json.loads(Path("a.json").read_text())
    assert manifest["settings"]["video"] == "in.mp4"
    assert set(manifest["inputs_sha256"]) == {"model", "video"}
    again = command("replay", "a.json", "-o", "b.mp4")
    assert again.code == 0, again.err
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()
    dry = command("generate", *asked, "--video", video, "-o", "c.mp4", "--dry-run")
    assert "in.mp4, 4 frames of 64x64" in dry.out
    video.write_bytes(video.read_bytes() + b" ")
    assert "in.mp4: expected the contents with SHA-256" in command("replay", "a.json", "-o", "d.mp4").err


def test_a_scenes_camera_file_is_found_beside_the_manifest(command, model_folder) -> None:
    Path("a").mkdir()
    ball = trimesh.creation.icosphere(radius=0.5)
    ball.export("a/ball.obj")
    path = {"keyframes": [{"time": 0, "position": [0, 0.3, 3], "target": [0, 0, 0]}]}
    Path("a/path.json").write_text(json.dumps(path))
    size = ("--num-frames", 2, "--height", 32, "--width", 32)
    asked = ("--prompt", "a ball", "--model", model_folder, "--steps", 2, *size)
    made = command("generate", *asked, "--scene", "a/ball.obj", "--camera", "a/path.json", "-o", "a/s.mp4")
    assert made.code == 0, made.err
    assert json.loads(Path("a/s.json").read_text())["settings"]["camera"] == "path.json"
    Path("a").rename("b")
    again = command("replay", "b/s.json", "-o", "again.mp4")
    assert again.code == 0, again.err
    assert Path("again.mp4").read_bytes() == Path("b/s.mp4").read_bytes()


def test_strength_from_a_curve_and_a_mask(command, video, model_folder) -> None:
    Path("curve.csv").write_text("0, 1\n3, 0\n")
    write_video(Path("mask"), np.full((1, 64, 64, 3), 255, np.uint8), 8.0)
    asked = ("--prompt", "a ball", "--model", model_folder, "--steps", 2, "--video", video)
    assert command("generate", *asked, "-o", "plain.mp4").code == 0
    faded = command("generate", *asked, "--depth-strength", "curve.csv", "-o", "faded.mp4")
    assert faded.code == 0, faded.err
    assert Path("plain.mp4").read_bytes() != Path("faded.mp4").read_bytes()
    assert json.loads(Path("faded.json").read_text())["settings"]["depth_curve"] == "curve.csv"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("in.mp4", "--camera", "orbit"), "in.mp4: expected a 3D scene beside --camera, found a video"),
        (("in.mp4", "--num-frames", 16), "in.mp4: expected a 3D scene beside --num-frames, found a video"),
        (("in.mp4", "--start", 0), "in.mp4: expected a 3D scene beside --start, found a video"),
        (("in.mp4", "--fps", 4, "--frame-stride", 2), "in.mp4: expected fps or frame_stride, found both"),
        (("a.yaml", "--frame-stride", 2), "a.yaml: expected a video beside --frame-stride, found a 3D scene"),
        (("a.yaml", "--estimator", "x"), "a.yaml: expected a video beside --estimator, found a 3D scene"),
        (
            ("depth.npy", "--depth-kind", "inverse", "--width", 8),
            "depth.npy: expected a 3D scene beside --width, found depth",
        ),
        (("in.mp4", "--frames-as", "exr"), "x.npz: expected a folder beside --frames-as, found .npz"),
        (
            ("depth.npy",),
            "depth.npy: expected a video or a folder of PNG to estimate the depth of, found .npy",
        ),
    ],
)
@pytest.mark.usefixtures("video")
def test_options_of_other_sources_are_refused(command, arguments, complaint) -> None:
    result = command("depth", *arguments, "-o", "x.npz")
    assert (result.code, Path("x.npz").exists()) == (1, False)
    assert result.err.startswith(f"makeyourvideo: {complaint}")


def test_what_cannot_be_written_is_refused_before_estimating(command, video, monkeypatch) -> None:
    monkeypatch.setattr("makeyourvideo.structure.estimators.load_estimator", None)
    Path("d.npy.depth.json").write_text("precious")
    result = command("depth", video, "-o", "d.npy")
    assert result.err.startswith("makeyourvideo: d.npy.depth.json: expected a path that does not exist yet")
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    result = command("depth", video, "-o", "folder", "--frames-as", "exr")
    assert result.err.startswith("makeyourvideo: folder: expected OpenEXR")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--depth", "depth.npy", "--camera", "orbit"), "depth.npy: expected a 3D scene beside --camera"),
        (("--depth", "depth.npy", "--start", 0), "depth.npy: expected a 3D scene beside --start"),
        (("--depth", "depth.npy", "--estimator", "x"), "depth.npy: expected a video beside --estimator"),
        (("--scene", "a.obj", "--frame-stride", 2), "a.obj: expected depth or a video beside --frame-stride"),
        (
            ("--scene", "a.obj", "--depth-kind", "inverse"),
            "a.obj: expected depth or keyframes of depth beside --depth-kind, found a 3D scene",
        ),
        (
            ("--video", "in.mp4", "--inverted"),
            "in.mp4: expected depth or keyframes of depth beside --inverted",
        ),
        (("--keyframes", "0:a.png", "--animation", "x"), "keyframes: expected a 3D scene beside --animation"),
    ],
)
def test_generate_refuses_options_of_other_sources(command, arguments, complaint) -> None:
    result = command("generate", "--prompt", "a ball", *arguments, "-o", "x.mp4")
    assert result.code == 1
    assert result.err.startswith(f"makeyourvideo: {complaint}")


def test_a_mask_of_another_shape_is_named(command, model_folder) -> None:
    write_video(Path("mask"), np.full((1, 32, 64, 3), 255, np.uint8), 8.0)
    asked = (
        "--prompt",
        "a ball",
        "--model",
        model_folder,
        "--depth",
        "depth.npy",
        "-o",
        "a.mp4",
        "--dry-run",
    )
    result = command("generate", *asked, "--depth-mask", "mask")
    assert result.err == "makeyourvideo: mask: depth_mask: expected the shape of 32x32, found 32x64\n"


BLOCKOUT = """
fps: 8
duration: 1
camera: orbit
things:
  - {shape: plane, size: [8, 8]}
  - {shape: ball, radius: 0.5, position: [0, 0.5, 0]}
"""


def test_depth_of_a_block_out_and_a_video_from_it(command, model_folder) -> None:
    Path("scene.yaml").write_text(BLOCKOUT)
    size = ("--num-frames", 4, "--height", 32, "--width", 48)
    result = command("depth", "scene.yaml", "-o", "depth.npz", *size, "--preview")
    assert result.code == 0, result.err
    depth = read_depth(Path("depth.npz"))
    assert (depth.values.shape, depth.units, depth.fps) == ((4, 32, 48), "metric", 8.0)
    assert read_image(Path("depth.preview.png")).shape[0] == 2 * 32 + 2
    assert read_video(Path("depth.preview.mp4"))[0].shape == (4, 32, 48, 3)
    asked = ("--prompt", "a ball", "--model", model_folder, "--steps", 2, *size, "--fps", 8)
    filmed = command("generate", *asked, "--scene", "scene.yaml", "-o", "a.mp4")
    assert filmed.code == 0, filmed.err
    read = command("generate", *asked, "--depth", "depth.npz", "-o", "b.mp4")
    assert read.code == 0, read.err
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()
    assert "fps: expected above 0" in command("depth", "scene.yaml", "-o", "c.npz", "--fps", 0).err
    wrong = command("depth", "scene.yaml", "-o", "c.npz", "--camera", "dolly")
    assert wrong.code == 1
    assert "scene.yaml: expected a block-out with its own camera and times" in wrong.err


@pytest.mark.parametrize(
    "options",
    [("-o", "z.npy"), ("-o", "folder", "--frames-as", "exr"), ("-o", "a.npz")],
    ids=lambda given: given[1],
)
def test_lossless_formats_make_the_same_video_as_memory(command, model_folder, options) -> None:
    Path("scene.yaml").write_text(BLOCKOUT)
    size = ("--num-frames", 4, "--height", 32, "--width", 32)
    asked = ("--prompt", "a ball", "--model", model_folder, "--steps", 2, *size, "--fps", 8)
    assert command("generate", *asked, "--scene", "scene.yaml", "-o", "memory.mp4").code == 0
    written = command("depth", "scene.yaml", *size, *options)
    assert written.code == 0, written.err
    read = command("generate", *asked, "--depth", options[1], "-o", "file.mp4")
    assert read.code == 0, read.err
    assert Path("file.mp4").read_bytes() == Path("memory.mp4").read_bytes()


def test_depth_is_converted(command) -> None:
    np.save("z.npy", 1 / np.linspace(0.1, 1, 4 * 16 * 16, dtype=np.float32).reshape(4, 16, 16))
    result = command("depth", "z.npy", "--depth-kind", "metric", "-o", "frames", "--preview")
    assert result.code == 0, result.err
    back = read_depth(Path("frames"))
    assert back.units == "metric"
    assert np.abs(back.inverse_depth() - 1 / np.load("z.npy")).max() < 2e-5
    assert command("depth", "z.npy", "--depth-kind", "metric", "-o", "x.jpg").code == 1


def test_warnings_are_a_line_each(command) -> None:
    np.save("z.npy", np.linspace(0, 1, 4 * 16 * 16, dtype=np.float32).reshape(4, 16, 16))
    result = command("depth", "z.npy", "--depth-kind", "metric", "-o", "z.npz", "--preview")
    empty, upside_down = result.err.splitlines()
    assert empty.startswith("warning: z.npy: 0.1% of the values are 0 or negative, down to 0: taken as")
    assert upside_down.startswith("warning: z.npy: the upper third of the picture is nearer than ")
