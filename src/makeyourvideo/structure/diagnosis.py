"""A depth file -> what the doctor finds in it, and a mended copy with a record of what was done."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from makeyourvideo.errors import InputError
from makeyourvideo.media import MAX_BYTES, Luma
from makeyourvideo.outputs import check_free, written_together
from makeyourvideo.structure.convention import Convention, Kind
from makeyourvideo.structure.depth import DepthVideo, Units, constant_depth
from makeyourvideo.structure.doctor import examine
from makeyourvideo.structure.doctor_repair import Repaired, repair
from makeyourvideo.structure.doctor_specimen import FAULTS, Finding, Specimen
from makeyourvideo.structure.files import check_flags, read_samples
from makeyourvideo.structure.meaning import Samples, is_full_range


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found in one file, the surest first."""

    path: Path
    specimen: Specimen
    findings: list[Finding]
    units: Units
    fps: float | None

    def as_dict(self) -> dict[str, Any]:
        """The diagnosis as plain values for JSON."""
        stored = self.specimen.stored
        return {
            "file": str(self.path),
            "frames": stored.shape[0],
            "height": stored.shape[1],
            "width": stored.shape[2],
            "samples": str(stored.dtype) if not self.specimen.bits else f"{self.specimen.bits} bits",
            "kind": self.specimen.kind,
            "findings": [asdict(finding) | {"means": FAULTS[finding.fault]} for finding in self.findings],
        }


def diagnose(
    path: Path, *, kind: Kind = "inverse", inverted: bool = False, max_bytes: int = MAX_BYTES
) -> Diagnosis:
    """Examine a depth file, its samples as stored; flags are as of `read_depth`.

    Raises:
        InputError: as `read_depth` for what cannot be read; no sample says anything, or all say the same;
            pictures under 16x16.
    """
    flags = Convention(kind=kind, inverted=inverted)
    check_flags(path, flags)
    samples, stated, rate = read_samples(path, flags, max_bytes)
    specimen = _specimen(samples, stated or flags)
    if min(specimen.stored.shape[1:]) < 16:
        raise InputError(
            path, "pictures of at least 16x16", "x".join(map(str, specimen.stored.shape[2:0:-1]))
        )
    if not specimen.valid.any():
        raise InputError(path, "depth in some pixels", "none in any")
    known = specimen.levels[~np.isnan(specimen.levels)]
    if known.min() == known.max():
        raise constant_depth(str(path), known[0], None)
    if isinstance(samples, DepthVideo):
        return Diagnosis(path, specimen, examine(specimen), samples.units, samples.fps)
    units: Units = stated.units if stated and not specimen.bits else "relative"
    if specimen.kind == "metric" and not specimen.bits:
        units = "metric"
    return Diagnosis(path, specimen, examine(specimen), units, (stated and stated.fps) or rate)


def read_specimen(path: Path, kind: Kind = "inverse") -> Specimen:
    """Read samples as stored, for `examine`.

    Raises:
        InputError: as `diagnose`.
    """
    flags = Convention(kind=kind)
    samples, stated, _ = read_samples(path, flags)
    return _specimen(samples, stated or flags)


def _specimen(samples: Samples | DepthVideo, convention: Convention) -> Specimen:
    if isinstance(samples, DepthVideo):
        return Specimen(samples.inverse_depth())
    kind, inverted = convention.kind, convention.inverted
    if isinstance(samples, Luma):
        limited = not is_full_range(samples)
        return Specimen(samples.codes, samples.bits, kind, limited, inverted)
    bits = 8 * samples.dtype.itemsize if samples.dtype.str[1:] in ("u1", "u2") else 0
    return Specimen(samples, bits, kind, inverted=inverted)


def check_mended(path: Path, force: bool) -> tuple[Path, Path]:
    """The mended copy and the record beside it; call it before any long work.

    Raises:
        InputError: another suffix than .npz, or either file exists and `force` is false.
    """
    if path.suffix.lower() != ".npz":
        raise InputError(path, "a path that ends in .npz", path.suffix or "no suffix")
    files = path, path.with_suffix(".json")
    for file in files:
        check_free(file, force)
    return files


def write_mended(diagnosis: Diagnosis, path: Path, *, force: bool = False) -> Repaired:
    """Write a mended copy as .npz, and beside it as .json what was found, done and left.

    Where nothing can be mended, nothing is written.

    Raises:
        InputError: as `check_mended`, or only constant depth is left.
    """
    files = check_mended(path, force)
    repaired = repair(diagnosis.specimen, diagnosis.findings)
    if not repaired.mended:
        return repaired
    source = f"{diagnosis.path}, mended: {', '.join(repaired.mended)}"
    is_metric = diagnosis.units == "metric" and repaired.keeps_scale and bool((repaired.inverse >= 0).all())
    depth = DepthVideo.from_inverse_depth(
        repaired.inverse, units="metric" if is_metric else "relative", source=source, fps=diagnosis.fps
    )
    record = diagnosis.as_dict() | {"mended": repaired.mended, "left": repaired.left, "units": depth.units}
    with written_together(files, force) as (npz, manifest):
        depth.save(npz)
        manifest.write_text(json.dumps(record, indent=1) + "\n")
    return repaired
