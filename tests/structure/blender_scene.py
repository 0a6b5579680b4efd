"""Run by a Python that has Blender's module: build a scene, keep its triangles, export its depth."""

import runpy
import sys
from pathlib import Path

import bpy
import numpy as np


def build() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("world")
    bpy.ops.mesh.primitive_plane_add(size=12)
    bpy.ops.mesh.primitive_cube_add(size=1.4, location=(0.5, 0.4, 0.7), rotation=(0, 0, 0.5))
    bpy.ops.mesh.primitive_ico_sphere_add(radius=0.8, subdivisions=3, location=(-1.2, -0.6, 0.8))
    bpy.ops.mesh.primitive_cone_add(radius1=0.6, depth=1.5, location=(1.6, -1.2, 0.75))
    bpy.ops.object.camera_add(location=(4.5, -5.5, 3.2), rotation=(1.22, 0, 0.68))
    scene.camera = bpy.context.object
    scene.camera.data.lens, scene.camera.data.shift_x = 28, 0.05
    scene.camera.keyframe_insert("location", frame=1)
    scene.camera.location.x -= 1
    scene.camera.keyframe_insert("location", frame=3)
    scene.frame_start, scene.frame_end = 1, 3


def triangles() -> np.ndarray:
    found = []
    graph = bpy.context.evaluated_depsgraph_get()
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH":
            continue
        mesh = thing.evaluated_get(graph).to_mesh()
        mesh.calc_loop_triangles()
        corners = np.array([thing.matrix_world @ vertex.co for vertex in mesh.vertices])
        found.append(corners[np.array([tuple(triangle.vertices) for triangle in mesh.loop_triangles])])
    return np.concatenate(found)


if __name__ == "__main__":
    script, output = sys.argv[1:]
    build()
    Path(output).mkdir()
    np.save(Path(output) / "triangles.npy", triangles().astype(np.float32))
    sys.argv = [script, "--", "--output", output, "--width", "160", "--height", "120"]
    runpy.run_path(script, run_name="__main__")
