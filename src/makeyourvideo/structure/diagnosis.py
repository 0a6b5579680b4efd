"""A depth file -> what the doctor says about it."""
from pathlib import Path

import numpy as np

from makeyourvideo.media import Luma
from makeyourvideo.structure.convention import Convention, Kind
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.structure.doctor_specimen import Specimen
from makeyourvideo.structure.meaning import is_full_range
from makeyourvideo.structure.files import read_samples


def read_specimen(path: Path, kind: Kind = "inverse") -> Specimen:
    samples, stated, _ = read_samples(path, Convention(kind=kind))
    if isinstance(samples, DepthVideo):
        return Specimen(samples.inverse_depth())
    kind = (stated.kind if stated else kind)
    if isinstance(samples, Luma):
        return Specimen(samples.codes, samples.bits, kind, limited=not is_full_range(samples))
    bits = 8 * samples.dtype.itemsize if samples.dtype.kind == "u" else 0
    return Specimen(samples, bits, kind)
