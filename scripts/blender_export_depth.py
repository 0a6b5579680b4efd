"""Run inside Blender 4 or 5: export the scene's depth, camera and range for `read_depth`.

    blender -b scene.blend -P blender_export_depth.py -- --output DIR

writes `DIR/depth/00001.exr` and so on (a Z pass, 1e10 where nothing is), `DIR/depth/depth.json`, which
tells `makeyourvideo` what the samples mean, and `DIR/camera.json`: size, frames a second, and for each frame
the camera's position, its rotation (rows of the 3x3 matrix from camera to world; the camera looks along its
-z, +y is up), its field of view in radians, and where the picture's middle looks.

Depth and positions are in the scene's own unit, and `unit_in_metres` says how long that is; `read_depth`
takes it for the metre. One sample a pixel, through a filter narrower than the pixel: depth averaged over an
edge is of nothing.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import bpy


def prepare(scene, width, height):
    """Set up the Z pass with one sharp sample a pixel, and nothing that costs time or blurs depth."""
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x = width or render.resolution_x
    render.resolution_y = height or render.resolution_y
    render.resolution_percentage = 100
    render.use_border = render.use_motion_blur = render.use_compositing = render.use_sequencer = False
    render.use_file_extension = render.use_overwrite = True
    if hasattr(render.image_settings, "media_type"):  # Blender 5 asks for the medium first
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.color_depth = "32"
    render.image_settings.exr_codec = "ZIP"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = 1
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.pixel_filter_type = "BLACKMAN_HARRIS"  # the box has no width to make narrow
    cycles.filter_width = 0.01
    cycles.max_bounces = 0
    scene.camera.data.dof.use_dof = False
    for layer in scene.view_layers:
        layer.use_pass_z = layer == scene.view_layers[0]
        layer.use = layer == scene.view_layers[0]


def camera_at(scene, frame):
    """Where the camera is at a frame, and what it sees."""
    scene.frame_set(frame)
    camera = scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if camera.data.type != "PERSP":
        raise SystemExit(f"camera {camera.name}: expected a perspective camera, found {camera.data.type}")
    matrix = camera.matrix_world.normalized()  # a scaled camera sees the same
    frame_corners = camera.data.view_frame(scene=scene)
    ahead = -frame_corners[0].z
    left, right = (pick(corner.x for corner in frame_corners) for pick in (min, max))
    down, up = (pick(corner.y for corner in frame_corners) for pick in (min, max))
    return {
        "frame": frame,
        "position": list(matrix.translation),
        "rotation": [list(row) for row in matrix.to_3x3()],
        "fov_x": 2 * math.atan((right - left) / 2 / ahead),
        "fov_y": 2 * math.atan((up - down) / 2 / ahead),
        "centre_x": (right + left)
        / 2
        / ahead,  # tangent of where the picture's middle looks; 0 without shift
        "centre_y": (up + down) / 2 / ahead,
        "near": camera.data.clip_start,
        "far": camera.data.clip_end,
    }


def export(output, width=None, height=None):
    """Render every frame of the scene's range; return the folder."""
    scene = bpy.context.scene
    if scene.camera is None:
        raise SystemExit(f"scene {scene.name}: expected a camera, found none")
    folder = output / "depth"
    folder.mkdir(parents=True, exist_ok=True)
    prepare(scene, width, height)
    cameras = []
    for number, frame in enumerate(range(scene.frame_start, scene.frame_end + 1, scene.frame_step), start=1):
        cameras.append(camera_at(scene, frame))
        scene.render.filepath = str(folder / f"{number:05}.exr")
        bpy.ops.render.render(write_still=True)
    fps = scene.render.fps / scene.render.fps_base / scene.frame_step
    near, far = min(camera["near"] for camera in cameras), max(camera["far"] for camera in cameras)
    convention = {"kind": "metric", "units": "metric", "near": near, "far": far, "fps": fps}
    (folder / "depth.json").write_text(json.dumps(convention, indent=1) + "\n")
    settings = {
        "width": scene.render.resolution_x,
        "height": scene.render.resolution_y,
        "fps": fps,
        "unit_in_metres": scene.unit_settings.scale_length,
        "frames": cameras,
    }
    (output / "camera.json").write_text(json.dumps(settings, indent=1) + "\n")
    return folder


def main():
    """Read what stands behind `--` on Blender's command line."""
    behind = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(description="Export depth, camera and range of a Blender scene.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    parser.add_argument("--width", type=int, help="pixels; without it, the scene's own")
    parser.add_argument("--height", type=int, help="pixels; without it, the scene's own")
    chosen = parser.parse_args(behind)
    print(export(chosen.output.absolute(), chosen.width, chosen.height))


if __name__ == "__main__":
    main()
