"""Pack the meshes that the world borrows: furniture in the public domain, simplified, as one npz.

Takes `BlendSwap-CC-0.sh3f` of Debian's package sweethome3d-furniture 1.8-1 and needs `pip install
fast-simplification` besides the extra makeyourvideo[world]:

    python scripts/pack_furniture.py BlendSwap-CC-0.sh3f src/makeyourvideo/data/furniture.npz
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
import trimesh

FACES = 1600
CHOSEN = {  # noun -> models of that kind
    "chair": ("chair2", "chair", "sillaBlanca", "thonet", "plasticChair"),
    "armchair": ("armchair2", "modernArmchair", "armchair"),
    "table": ("table", "oakTable", "technicalTable1"),
    "sofa": ("couch2", "sofa2"),
    "bench": ("bench",),
    "stool": ("silla2", "stool2"),
    "lamp": ("lamp2", "outdoorLamp"),
    "barrel": ("barrel",),
    "mug": ("caffe_final",),
    "horse": ("horse2",),
    "chicken": ("chicken",),
    "motorbike": ("motorbike",),
    "desk": ("desk", "lbDesk"),
    "bookcase": ("bookcase",),
    "rock": ("rock1", "rock2", "rock3"),
    "mailbox": ("mofx_mailbox",),
    "piano": ("pianoAQueue",),
    "lantern": ("lantern", "stoneLantern"),
    "teddy bear": ("teddyBear",),
    "cactus": ("cactus",),
    "bed": ("bed1",),
    "deer": ("deer",),
    "wheelbarrow": ("wheelbarrow",),
    "rocking horse": ("caballito",),
    "biplane": ("cartoon_biplane",),
    "guitar": ("electricGuitar",),
}


def simplified(path: Path) -> trimesh.Trimesh:
    """Load one model as a single mesh of about `FACES` triangles, y up, within the unit ball."""
    mesh = trimesh.load_mesh(path, skip_materials=True, process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    if len(mesh.faces) > FACES:
        mesh = mesh.simplify_quadric_decimation(face_count=FACES)
    mesh.update_faces(mesh.nondegenerate_faces())
    mesh.remove_unreferenced_vertices()
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_scale(1 / np.linalg.norm(mesh.vertices, axis=1).max())
    return mesh


def main(archive: Path, output: Path) -> None:
    """Write every chosen model as `noun/number/vertices` (float16) and `noun/number/faces` (uint16)."""
    arrays = {}
    with TemporaryDirectory() as folder, ZipFile(archive) as catalogue:
        catalogue.extractall(folder)
        for noun, models in CHOSEN.items():
            for number, model in enumerate(models):
                mesh = simplified(Path(folder) / "blendswap-cc-0" / model / f"{model}.obj")
                arrays[f"{noun}/{number}/vertices"] = mesh.vertices.astype(np.float16)
                arrays[f"{noun}/{number}/faces"] = mesh.faces.astype(np.uint16)
    np.savez_compressed(output, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
