"""The depth doctor: samples as stored -> what is wrong with them."""

from collections.abc import Callable

from makeyourvideo.structure.doctor_codes import (
    find_banding,
    find_clipping,
    find_holes,
    find_infinities,
    find_limited_range,
    find_wrong_bit_depth,
)
from makeyourvideo.structure.doctor_specimen import Finding, Specimen
from makeyourvideo.structure.doctor_surfaces import find_compression, find_inverted_polarity, find_srgb
from makeyourvideo.structure.doctor_time import find_flicker, find_scale_jump

DETECTORS: dict[str, Callable[[Specimen], Finding | None]] = {
    "infinities": find_infinities,
    "bit depth": find_wrong_bit_depth,
    "limited range": find_limited_range,
    "srgb": find_srgb,
    "polarity": find_inverted_polarity,
    "holes": find_holes,
    "scale jump": find_scale_jump,
    "flicker": find_flicker,
    "banding": find_banding,
    "compression": find_compression,
    "clipping": find_clipping,
}
"""One detector a fault, in the order of `FAULTS`."""


def examine(specimen: Specimen) -> list[Finding]:
    """Every fault that is found, the surest first."""
    found = [finding for detect in DETECTORS.values() if (finding := detect(specimen))]
    return sorted(found, key=lambda finding: -finding.confidence)
