"""What a run may hold in memory: the ladder of savings, and what this process holds."""

import ctypes
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_HANDED_BACK = 2**20
"""From how many bytes on freed blocks go back to the system."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # malloc.h
_MOST_APART, _NEVER = 2**16, -1
"""How many blocks may lie apart from the heap, as the C library has it; and from where on it cuts no heap."""


@dataclass(frozen=True)
class Thrift:
    """What is done to hold less at once; all but tiles change results by no more than rounding.

    Attributes:
        slice_bytes: what a layer of the network may hold at once, see `VideoUNet`; None is the fastest.
        clips_apart: whether the network is given one clip at a time: the samples of a batch and the two
            branches of guidance one after the other.
        decoded_frames: how many frames the autoencoder decodes, and the sketcher paints, at once at most.
        sketched_frames: how many the sketcher looks at together at most, beside some around them.
        hands_back: whether freed memory goes back to the system at once, which takes time: the next that is
            asked for must be cleared first. Else it is kept in a heap, which is scattered after a while.
        tiled: whether it decodes large frames in overlapping tiles.
    """

    slice_bytes: int | None = None
    clips_apart: bool = False
    decoded_frames: int = 4
    sketched_frames: int = 16
    hands_back: bool = False
    tiled: bool = False


LAVISH = Thrift()

LADDER = (
    LAVISH,
    Thrift(slice_bytes=2**23, sketched_frames=4),
    Thrift(slice_bytes=2**23, sketched_frames=4, clips_apart=True),
    Thrift(slice_bytes=2**21, sketched_frames=2, clips_apart=True, decoded_frames=1),
    Thrift(slice_bytes=2**21, sketched_frames=2, clips_apart=True, decoded_frames=1, hands_back=True),
    Thrift(
        slice_bytes=2**19,
        sketched_frames=2,
        clips_apart=True,
        decoded_frames=1,
        hands_back=True,
        tiled=True,
    ),
)
"""From the fastest to the smallest."""


def parse_size(text: str) -> int:
    """Bytes of a size such as 4GB, 1.5 GiB or 500MB.

    Raises:
        ValueError: it is none, or not above zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?I?B?)\s*", text.upper())
    unit = match and _UNITS.get(match[2] + ("B" if match[2] and match[2][-1] != "B" else ""))
    if not match or not unit or float(match[1]) * unit < 1:
        raise ValueError(f"a size such as 4GB or 500MB, got {text!r}")
    return int(float(match[1]) * unit)


def size_text(count: float) -> str:
    """Bytes as people read them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def resident_bytes(entry: str = "VmRSS") -> int:
    """What this process holds in memory now, or with `VmHWM` has held at most; 0 where nobody says."""
    status = Path("/proc/self/status")
    found = re.search(rf"^{entry}:\s*(\d+) kB", status.read_text() if status.exists() else "", re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def treat_freed_memory(hands_back: bool) -> None:
    """From now on hand freed blocks above 1 MB back to the system at once, or keep all of them for later use.

    In the whole process, where the C library can (glibc does).
    """
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _HANDED_BACK)
        library.mallopt(_M_MMAP_MAX, _MOST_APART if hands_back else 0)
        library.mallopt(_M_TRIM_THRESHOLD, _HANDED_BACK if hands_back else _NEVER)
    if hands_back:
        give_back_freed_memory()


def give_back_freed_memory() -> None:
    """Hand what is freed by now back to the system, where the C library can."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
