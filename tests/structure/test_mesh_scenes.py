"""Files of meshes against closed forms, and the ways a camera takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import film_scene
from makeyourvideo.structure.scenes.easing import EASINGS, Easing
from makeyourvideo.structure.scenes.paths import READY_MADE, CameraPath, ReadyMadePath, frame_path

SIZE = {"height": 32, "width": 48}
FORMATS = ["obj", "ply", "stl", "ascii.ply", "ascii.stl"]


def unit_box(folder: Path, kind: str = "obj") -> Path:
    path = folder / f"box.{kind}"
    options = {"ascii.ply": {"encoding": "ascii"}, "ascii.stl": {"file_type": "stl_ascii"}}.get(kind, {})
    trimesh.creation.box([1, 1, 1]).export(path, **options)
    return path


def path_of(*keyframes: dict[str, object], **rest: object) -> CameraPath:
    return CameraPath.model_validate({"keyframes": keyframes, **rest})


def seen(path: Path, camera: object, num_frames: int = 1, fps: float = 1.0, **rest: object) -> np.ndarray:
    return np.stack(list(film_scene(path, camera, num_frames=num_frames, fps=fps, **SIZE, **rest).stream()))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_box_seen_from_ahead_is_its_front(tmp_path: Path, kind: str) -> None:
    """The front is the plane z = 0.5; from z = 2.5 its depth is 2, and 0.5 of it lies to each side."""
    camera = path_of({"time": 0, "position": [0, 0, 2.5], "target": [0, 0, 0]}, fov=40)
    (frame,) = seen(unit_box(tmp_path, kind), camera)
    scale = 16 / np.tan(np.radians(20))
    y, x = np.abs(np.mgrid[:32, :48] + 0.5 - np.array([16, 24])[:, None, None])
    inside = (x < 0.25 * scale) & (y < 0.25 * scale)
    np.testing.assert_array_equal(np.isfinite(frame), inside)
    np.testing.assert_allclose(frame[inside], 2, rtol=1e-6)


def test_depth_is_along_the_optical_axis_and_not_along_the_ray(tmp_path: Path) -> None:
    """From 45 degrees above, the top y = 0.5 has z = (2 - 0.5) / (cos 45 - sin 45 * y / f)."""
    trimesh.Trimesh(
        [[-50, 0.5, -50], [50, 0.5, -50], [50, 0.5, 50], [-50, 0.5, 50]], [[0, 2, 1], [0, 3, 2]]
    ).export(tmp_path / "floor.ply")
    camera = path_of({"time": 0, "position": [0, 2, 2], "target": [0, 0, 0]}, fov=40)
    (frame,) = seen(tmp_path / "floor.ply", camera)
    up = (15.5 - np.arange(32)) / 16 * np.tan(np.radians(20))
    expected = 1.5 / (np.sqrt(0.5) * (1 - up))
    np.testing.assert_allclose(frame, np.repeat(expected[:, None], 48, axis=1), rtol=1e-5)


def test_z_may_point_up(tmp_path: Path) -> None:
    trimesh.creation.box(bounds=[[-0.5, -0.5, 0], [0.5, 0.5, 3]]).export(tmp_path / "tower.stl")
    camera = path_of({"time": 0, "position": [0, 9, 0], "target": [0, 0, 0]})
    assert seen(tmp_path / "tower.stl", camera, up="z").min() == pytest.approx(6)
    assert seen(tmp_path / "tower.stl", camera, up="y").min() == pytest.approx(8.5)


def test_a_picture_is_not_mirrored(tmp_path: Path) -> None:
    """What lies at +x is right of a camera that looks along -z, and what lies at +y is above."""
    trimesh.creation.box(bounds=[[1, 1, 0], [2, 2, 1]]).export(tmp_path / "box.obj")
    (frame,) = seen(tmp_path / "box.obj", path_of({"time": 0, "position": [0, 0, 9], "target": [0, 0, 0]}))
    rows, columns = np.nonzero(np.isfinite(frame))
    assert columns.min() >= 24
    assert rows.max() < 16


@pytest.mark.parametrize("y", [5.0, -5.0])
def test_cameras_may_look_straight_down_and_up(tmp_path: Path, y: float) -> None:
    camera = path_of({"time": 0, "position": [0, y, 0], "target": [0, 0, 0]})
    assert seen(unit_box(tmp_path), camera).min() == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("easing", "share"),
    [("linear", 0.25), ("ease", 0.15625), ("ease-in", 0.0625), ("ease-out", 0.4375), ("hold", 0)],
)
def test_keyframes_ease_into_each_other(tmp_path: Path, easing: Easing, share: float) -> None:
    assert [EASINGS[easing](np.array([end]))[0] for end in (0.0, 1.0)] == [0, 1]
    first = {"time": 1, "position": [0, 0, 2.5], "target": [0, 0, 0], "easing": easing}
    camera = tmp_path / "camera.json"
    keyframes = [first, {"time": 3, "position": [0, 0, 6.5], "target": [0, 0, 0]}]
    camera.write_text(json.dumps({"keyframes": keyframes}))
    frames = seen(unit_box(tmp_path), camera, num_frames=9, fps=2)
    near = frames.min(axis=(1, 2))
    assert near[[0, 2, 3, 6, 8]] == pytest.approx([2, 2, 2 + 4 * share, 6, 6])


def test_the_field_of_view_zooms(tmp_path: Path) -> None:
    camera = path_of(
        {"time": 0, "position": [0, 0, 2.5], "target": [0, 0, 0], "fov": 20},
        {"time": 1, "position": [0, 0, 2.5], "target": [0, 0, 0], "fov": 80},
    )
    shares = np.isfinite(seen(unit_box(tmp_path), camera, num_frames=2)).mean(axis=(1, 2))
    assert shares[0] > 4 * shares[1] > 0


@pytest.mark.parametrize("name", READY_MADE)
def test_ready_made_paths_show_the_whole_scene_and_move(tmp_path: Path, name: str) -> None:
    trimesh.creation.box(bounds=[[3, 7, -9], [5, 8, -8]]).export(tmp_path / "box.obj")
    frames = seen(tmp_path / "box.obj", name, num_frames=6, fps=4)
    met = np.isfinite(frames)
    assert all(met.any(axis=(1, 2)))
    assert len({frame.tobytes() for frame in frames}) == 6
    if name in ("orbit", "crane"):
        border = np.ones((32, 48), bool)
        border[1:-1, 1:-1] = False
        assert not met[:, border].any(), "nothing is cut off"
        assert met.any(axis=0).mean() > 0.1, "and little is empty"


def test_an_orbit_turns_by_45_degrees_a_second() -> None:
    eyes, targets = frame_path("orbit", np.array([[-1.0, -1, -1], [1, 1, 1]]), np.arange(3) / 1.0, 1.0, 1.0)
    turns = np.degrees(np.arctan2(eyes[:, 0], eyes[:, 2]))
    assert turns == pytest.approx([0, 45, 90])
    assert not targets.any()
    assert np.linalg.norm(eyes, axis=1) == pytest.approx([np.linalg.norm(eyes[0])] * 3)


def test_a_path_object_is_as_good_as_its_name(tmp_path: Path) -> None:
    path = unit_box(tmp_path)
    named = seen(path, "dolly", num_frames=2)
    np.testing.assert_array_equal(named, seen(path, ReadyMadePath(path="dolly"), num_frames=2))


def test_materials_and_textures_are_never_looked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = unit_box(tmp_path)
    text = f"mtllib /etc/passwd\nmtllib http://example.org/a.mtl\nusemtl ../a\n{path.read_text()}"
    path.write_text(text)
    depth = film_scene(path, "orbit", num_frames=1, fps=1, **SIZE).depth()
    assert depth.num_frames == 1
    assert capfd.readouterr() == ("", "")


KEY = {"time": 0, "position": [0, 0, 2.5], "target": [0, 0, 0]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "JSON"),
        ("[]", "the whole file"),
        ('{"keyframes": []}', "keyframes"),
        (json.dumps({"keyframes": [{**KEY, "postion": 1}]}), r"keyframes\.0\.postion"),
        (json.dumps({"keyframes": [{**KEY, "fov": 180}]}), r"keyframes\.0\.fov"),
        (json.dumps({"keyframes": [{**KEY, "easing": "bouncy"}]}), r"keyframes\.0\.easing"),
        (
            json.dumps({"keyframes": [{**KEY, "position": [0, 0, float("nan")]}]}),
            r"keyframes\.0\.position\.2",
        ),
        (json.dumps({"keyframes": [KEY, KEY]}), "times must rise"),
        (json.dumps({"keyframes": [{**KEY, "target": KEY["position"]}]}), "away from its target"),
    ],
)
def test_broken_keyframes_give_one_line_with_file_and_key(tmp_path: Path, content: str, words: str) -> None:
    camera = tmp_path / "camera.json"
    camera.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        seen(unit_box(tmp_path), camera)
    assert str(camera) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"num_frames": 0}, "num_frames"),
        ({"fps": 0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"start": float("inf")}, "start"),
        ({"num_frames": 10**9}, "num_frames"),
        ({"height": 0}, "height"),
        ({"height": 10**5, "width": 10**5}, "MiB unpacked"),
        ({"camera": "sideways"}, "orbit, dolly, crane, fly-through.*'sideways'"),
        ({"camera": "missing.json"}, "missing.json.*No such file"),
        ({"animation": "walk"}, "glTF"),
        ({"max_bytes": 100, "height": 1, "width": 1}, r"box\.obj.*MiB unpacked"),
    ],
)
def test_numbers_and_names_that_make_no_sense(tmp_path: Path, asked: dict[str, object], words: str) -> None:
    good = {"num_frames": 1, "fps": 1.0, "height": 8, "width": 8}
    with pytest.raises(InputError, match=words):
        film_scene(unit_box(tmp_path), **{**good, **asked}).depth()


BROKEN_MESHES = {
    "empty.obj": b"",
    "words.obj": b"nothing of use\n",
    "points.obj": b"v 0 0 0\nv 1 0 0\n",
    "beyond.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "letters.obj": b"v 0 0 0\nv a 0 0\nv 0 1 0\nf 1 2 3\n",
    "nan.obj": b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    "flat.obj": b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\nf 1 1 2\n",
    "short.stl": b"\0" * 80 + (1000).to_bytes(4, "little") + b"\0" * 60,
    "empty.stl": b"",
    "short.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999\nproperty float x\n"
    b"property float y\nproperty float z\nelement face 1\n"
    b"property list uchar int vertex_indices\nend_header\n\0\0",
    "words.ply": b"ply\nnothing of use\n",
    "rubbish.ply": bytes(range(256)),
    "scene.fbx": b"",
    "scene": b"",
}


@pytest.mark.parametrize("name", BROKEN_MESHES)
def test_broken_meshes_give_one_line_with_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN_MESHES[name])
    with pytest.raises(InputError) as caught:
        film_scene(path, num_frames=1, fps=1, **SIZE).depth()
    line = str(caught.value)
    assert str(path) in line
    assert ": expected " in line
    assert "\n" not in line
    assert not any(words in line for words in ("index", "axis", "unmatched data")), "a library's own words"
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_scene_that_no_camera_sees_is_refused(tmp_path: Path) -> None:
    away = path_of({"time": 0, "position": [0, 0, 3], "target": [0, 0, 9]})
    with pytest.raises(InputError, match=r"box\.obj.*sees something.*nothing in any of 2 frames"):
        seen(unit_box(tmp_path), away, num_frames=2)
