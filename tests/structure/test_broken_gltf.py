"""Broken and hostile glTF: one line that names the file; nothing is read from elsewhere."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gltf_maker import GltfMaker, box

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import film_scene

ASKED = {"num_frames": 2, "fps": 2.0, "height": 8, "width": 8}
Json = dict[str, Any]


def sound(path: Path) -> Path:
    """A box with a skin, a morph target, a camera and animations."""
    maker = GltfMaker()
    corners, faces = box([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5])
    weights = np.tile([1.0, 0, 0, 0], (8, 1))
    primitive = maker.mesh(
        corners, faces, JOINTS_0=maker.accessor(np.zeros((8, 4)), "u1"), WEIGHTS_0=maker.accessor(weights)
    )
    primitive.targets = [{"POSITION": maker.accessor(np.zeros((8, 3)))}]
    joint = maker.node()
    body = maker.node(mesh=0, skin=maker.skin([joint], np.eye(4)[None]))
    maker.camera(translation=[0.0, 0.0, 3.0])
    maker.animate(joint, "translation", [0, 1], [[0, 0, 0], [0.1, 0, 0]])
    maker.animate(body, "weights", [0, 1], [0, 1])
    return maker.save(path, embed=True)


def refused(path: Path, capfd: pytest.CaptureFixture[str], camera: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        film_scene(path, camera, **ASKED).depth()
    line = str(caught.value)
    assert str(path) in line or path.stem in line
    assert ": expected " in line
    assert ", found " in line
    assert "\n" not in line
    assert capfd.readouterr() == ("", "")
    return line


def uri(value: object) -> Callable[[Json], None]:
    return lambda scene: scene["buffers"][0].update(uri=value)


def accessor(**fields: object) -> Callable[[Json], None]:
    """Change the positions' accessor."""
    return lambda scene: scene["accessors"][
        scene["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    ].update(fields)


def node(index: int, **fields: object) -> Callable[[Json], None]:
    return lambda scene: scene["nodes"][index].update(fields)


def primitive(**fields: object) -> Callable[[Json], None]:
    return lambda scene: scene["meshes"][0]["primitives"][0].update(fields)


CHANGES: dict[str, tuple[Callable[[Json], Any], str]] = {
    "absolute path": (uri("/etc/passwd"), "own folder"),
    "path upwards": (uri("../secret.bin"), "own folder"),
    "path upwards in the middle": (uri("a/../../secret.bin"), "own folder"),
    "path upwards, quoted": (uri("%2e%2e/secret.bin"), "own folder"),
    "path upwards on windows": (uri("..\\secret.bin"), "own folder"),
    "drive": (uri("c:/secret.bin"), "own folder"),
    "link that leads out": (uri("link.bin"), "leads out of it"),
    "web address": (uri("https://example.org/a.bin"), "own folder.*https"),
    "file address": (uri("file:///etc/passwd"), "own folder"),
    "missing buffer": (uri("missing.bin"), "missing.bin.*No such file"),
    "truncated buffer": (uri("data:application/octet-stream;base64,AAAA"), "bytes in buffer 0, found 3"),
    "broken base64": (uri("data:application/octet-stream;base64,A!"), "base64"),
    "number as uri": (uri(5), r"buffers\.0\.uri.*5"),
    "no uri": (lambda scene: scene["buffers"][0].pop("uri"), "a uri or a binary chunk"),
    "no buffers": (lambda scene: scene.pop("buffers"), "buffers"),
    "draco": (
        lambda scene: scene.update(extensionsRequired=["KHR_draco_mesh_compression"]),
        "found KHR_draco_mesh_compression",
    ),
    "glTF 1": (lambda scene: scene["asset"].update(version="1.0"), "glTF 2.0, found version 1.0"),
    "no asset": (lambda scene: scene.pop("asset"), "sound value for asset"),
    "huge count": (accessor(count=10**12), "MiB unpacked"),
    "huge count of nothing": (accessor(count=10**12, bufferView=None), "MiB unpacked"),
    "count beyond the view": (accessor(count=99), "in bufferView"),
    "count of none": (accessor(count=0), r"accessors\.3\.count"),
    "count of words": (accessor(count="many"), r"accessors\.3\.count.*many"),
    "negative offset": (accessor(byteOffset=-4), r"accessors\.3\.byteOffset"),
    "no such view": (accessor(bufferView=99), "bufferViews 99"),
    "no such component": (accessor(componentType=1), "componentType"),
    "no such type": (accessor(type="VEC9"), "VEC3"),
    "view beyond the buffer": (lambda scene: scene["bufferViews"][0].update(byteLength=10**7), "in buffer 0"),
    "no such accessor": (primitive(attributes={"POSITION": 99}), "accessors 99"),
    "negative accessor": (primitive(attributes={"POSITION": -1}), r"attributes\.POSITION.*-1"),
    "skin without joints": (primitive(attributes={"POSITION": 3}), "JOINTS_0"),
    "only points": (primitive(mode=0), "meshes of triangles"),
    "no meshes": (lambda scene: [one.pop("mesh", None) for one in scene["nodes"]], "meshes of triangles"),
    "no nodes": (lambda scene: scene.pop("nodes"), "nodes"),
    "nodes of numbers": (lambda scene: scene.update(nodes=[1, 2]), r"nodes\.0"),
    "cycle": (lambda scene: (node(0, children=[1])(scene), node(1, children=[0])(scene)), "cycle"),
    "own child": (node(0, children=[0]), "tree of nodes"),
    "two parents": (
        lambda scene: (node(0, children=[2])(scene), node(1, children=[2])(scene)), "a tree of nodes",
    ),
    "no such child": (node(0, children=[99]), "nodes 99"),
    "no such skin": (node(1, skin=7), "skins 7"),
    "matrix of three": (node(2, matrix=[1, 2, 3]), r"nodes\.2\.matrix"),
    "place of words": (node(2, translation=["a", "b", "c"]), r"nodes\.2\.translation\.0"),
    "place too far": (node(0, scale=[1e300, 1, 1]), "within 1e[+]15"),
    "no such joint": (lambda scene: scene["skins"][0].update(joints=[99]), "nodes 99"),
    "two joints, one matrix": (
        lambda scene: scene["skins"][0].update(joints=[0, 1]), "2 inverse bind matrices",
    ),
    "no such interpolation": (
        lambda scene: scene["animations"][0]["samplers"][0].update(interpolation="WOBBLE"), "WOBBLE",
    ),
    "no such sampler": (
        lambda scene: scene["animations"][0]["channels"][0].update(sampler=9), "animation's samplers 9",
    ),
    "too few values": (
        lambda scene: scene["animations"][0]["samplers"][0].update(interpolation="CUBICSPLINE"), "6 values",
    ),
    "no such scene": (lambda scene: scene.update(scene=4), "scenes 4"),
    "orthographic camera": (
        lambda scene: scene["cameras"][0].update(type="orthographic", perspective=None),
        "a perspective camera",
    ),
    "camera of no width": (lambda scene: scene["cameras"][0]["perspective"].update(yfov=0), "field of view"),
    "camera that is not a number": (
        lambda scene: scene["cameras"][0]["perspective"].update(yfov=float("nan")), r"yfov.*finite number",
    ),
    "camera without a direction": (node(2, scale=[0, 0, 0]), "a camera with a direction"),
    "camera that looks away": (node(2, rotation=[0, 1, 0, 0]), "sees something"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_one_line_says_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    path = sound(folder / "scene.gltf")
    assert film_scene(path, **ASKED).depth().num_frames == 2
    (tmp_path / "secret.bin").write_bytes(bytes(10**4))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    change, words = CHANGES[name]
    scene = json.loads(path.read_text())
    change(scene)
    path.write_text(json.dumps(scene))
    line = refused(path, capfd)
    assert re.search(words, line), line


@pytest.mark.parametrize("name", ["positions", "joints", "indices", "times"])
def test_numbers_in_the_buffer_that_make_no_sense(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    maker = GltfMaker()
    corners, faces = box([0, 0, 0], [1, 1, 1])
    corners = corners * np.nan if name == "positions" else corners
    joints = np.full((8, 4), 9 if name == "joints" else 0)
    maker.mesh(
        corners, faces + (5 if name == "indices" else 0),
        JOINTS_0=maker.accessor(joints, "u1"), WEIGHTS_0=maker.accessor(np.full((8, 4), 0.25)),
    )  # fmt: skip
    joint = maker.node()
    maker.node(mesh=0, skin=maker.skin([joint], np.eye(4)[None]))
    maker.animate(joint, "scale", [1, 0] if name == "times" else [0, 1], np.ones((2, 3)))
    words = {
        "positions": "finite",
        "joints": "joints below 1",
        "indices": "indices below 8",
        "times": "rising",
    }
    assert words[name] in refused(maker.save(tmp_path / "scene.glb"), capfd)


def test_surfaces_without_area_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    maker = GltfMaker()
    maker.mesh([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [0, 1, 2])
    maker.node(mesh=0)
    assert "degenerate" in refused(maker.save(tmp_path / "line.glb"), capfd)


def test_instances_count_towards_what_is_unpacked(tmp_path: Path) -> None:
    path = sound(tmp_path / "scene.gltf")
    scene = json.loads(path.read_text())
    scene["nodes"] += [{"mesh": 0, "skin": 0}] * 2000
    scene["scenes"][0]["nodes"] += list(range(3, 2003))
    path.write_text(json.dumps(scene))
    with pytest.raises(InputError, match="MiB unpacked"):
        film_scene(path, max_bytes=600_000, **ASKED).depth()


@pytest.mark.parametrize("seed", range(30))
def test_broken_bytes_give_one_line_or_a_scene(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    rng = random.Random(seed)
    if seed % 2:
        path = sound(tmp_path / "scene.gltf")
    else:
        maker = GltfMaker()
        maker.mesh(*box([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]))
        maker.node(mesh=0)
        path = maker.save(tmp_path / "scene.glb")
    broken = bytearray(path.read_bytes())
    if seed % 3 == 0:
        del broken[rng.randrange(len(broken)) :]
    else:
        for _ in range(4):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
    path.write_bytes(broken)
    lines = []
    try:
        film_scene(path, **ASKED).depth()
    except InputError as error:
        lines = str(error).splitlines()
    assert len(lines) <= 1
    assert all(str(path) in line for line in lines)
    assert capfd.readouterr() == ("", "")


def test_an_unknown_camera_is_answered_with_the_known_ones(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = refused(sound(tmp_path / "scene.gltf"), capfd, "ear")
    assert "eye, orbit, dolly, crane, fly-through" in line


def test_images_are_never_read(tmp_path: Path) -> None:
    path = sound(tmp_path / "scene.gltf")
    scene = json.loads(path.read_text())
    scene["images"] = [{"uri": "http://example.org/a.png"}, {"uri": "/etc/passwd"}]
    path.write_text(json.dumps(scene))
    assert film_scene(path, **ASKED).depth().num_frames == 2


def test_an_empty_file_is_called_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.glb").touch()
    assert refused(tmp_path / "a.glb", capfd).endswith("expected a glTF or GLB file, found an empty file")
