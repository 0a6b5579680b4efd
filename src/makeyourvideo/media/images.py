"""Pictures and folders of them, decoded within bounds."""

import re
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.outputs import written_whole

Frames = NDArray[np.uint8]

MAX_BYTES = 4 * 2**30
"""What a file may unpack to, unless the caller says otherwise."""

_GRAY_TIFF = ("L", "I;16", "I;16L", "I;16B", "F")


def write_image(path: Path, image: Frames, *, force: bool = False) -> None:
    """Write one picture, uint8 `(height, width, 3)`, as PNG.

    Raises:
        InputError: `path` exists and `force` is false.
    """
    with written_whole(path, force) as unfinished:
        Image.fromarray(image).save(unfinished, format="PNG")


def read_image(path: Path, *, max_bytes: int = MAX_BYTES) -> Frames:
    """Read one picture as uint8 `(height, width, 3)`.

    Raises:
        InputError: unreadable, cut short, or more than `max_bytes` unpacked.
    """
    with opened_image(path, max_bytes) as image:
        return np.asarray(image.convert("RGB"))


def read_gray_image(path: Path, *, max_bytes: int = MAX_BYTES) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one grey picture `(height, width)` with the 8 or 16 bits it is stored in.

    Raises:
        InputError: as `read_image`, and for a picture in colour.
    """
    with opened_image(path, max_bytes) as image:
        if image.mode in ("L", "I;16"):
            return np.asarray(image)
        if "16" in str(image.tile[0].args):  # the library would silently drop the lower 8 bits
            raise InputError(path, "a grey picture", f"16 bits a channel in {image.mode}")
        rgb = np.asarray(image.convert("RGB"))
        if (rgb != rgb[..., :1]).any():
            raise InputError(path, "a grey picture", "a picture in colour")
        return rgb[..., 0]


def is_16_bit_gray(path: Path) -> bool:
    """Whether a picture is grey of 16 bits, as depth often is and pictures to look at hardly ever.

    Raises:
        InputError: unreadable.
    """
    with opened_image(path, MAX_BYTES) as image:
        return image.mode.startswith("I")


def read_tiff(path: Path, *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read the pages `(pages, height, width)` of a grey TIFF: uint8, uint16 or float32, as stored.

    Raises:
        InputError: as `read_image`, and for colour, other sample types, or pages that differ.
    """
    with opened_image(path, max_bytes) as image:
        count: int = getattr(image, "n_frames", 1)
        check_unpacked(path, image.width * image.height * 4 * count, max_bytes)
        pages: list[NDArray[Any]] = []
        for index in range(count):
            image.seek(index)
            if image.mode not in _GRAY_TIFF:
                raise InputError(
                    path, "grey of 8 or 16 bits or 32-bit floats", f"{image.mode} in page {index}"
                )
            page = np.asarray(image)
            pages.append(page.astype(page.dtype.newbyteorder("="), copy=False))
            if (pages[-1].shape, pages[-1].dtype) != (pages[0].shape, pages[0].dtype):
                raise InputError(path, "pages of one size and type", f"another in page {index}")
        return np.stack(pages)


def write_gray_image(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write one grey picture `(height, width)` with its 8 or 16 bits, as PNG or TIFF by its suffix."""
    Image.fromarray(image).save(path)


def read_folder(
    folder: Path,
    suffix: str,
    read: Callable[[Path], NDArray[Any]],
    max_bytes: int,
    besides: Collection[str] = (),
) -> NDArray[Any]:
    """Stack what `read` makes of a folder's pictures, in natural order: frame2 before frame10.

    Files named in `besides` may stand among them.

    Raises:
        InputError: no pictures, other files among them, mixed sizes or types, or too large.
    """
    with unreadable_unless(folder, f"a folder of {suffix} frames"):
        found = (file for file in folder.iterdir() if not file.name.startswith("."))
        files = sorted((file for file in found if file.name not in besides), key=_natural)
    others = sorted({file.suffix.lower() or file.name for file in files} - {suffix})
    if not files or others:
        raise InputError(folder, f"a folder of {suffix} frames only", " and ".join(others) or "nothing in it")
    pictures: list[NDArray[Any]] = []
    for file in files:
        picture = read(file)
        if not pictures:
            check_unpacked(folder, picture.nbytes * len(files), max_bytes)
        elif (picture.shape, picture.dtype) != (pictures[0].shape, pictures[0].dtype):
            first, this = (f"{p.shape[1]}x{p.shape[0]} {p.dtype}" for p in (pictures[0], picture))
            raise InputError(file, f"{first} as in {files[0].name}", this)
        pictures.append(picture)
    return np.stack(pictures)


def _natural(file: Path) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


def check_unpacked(path: Path, num_bytes: int, max_bytes: int) -> None:
    """Refuse what would unpack to too much, before anything is allocated for it.

    Raises:
        InputError: `num_bytes` is above `max_bytes`.
    """
    if num_bytes > max_bytes:
        raise InputError(
            path, f"at most {max_bytes / 2**20:,.1f} MiB unpacked", f"{num_bytes / 2**20:,.1f} MiB"
        )


@contextmanager
def opened_image(path: Path, max_bytes: int) -> Iterator[ImageFile.ImageFile]:
    """Open a picture for decoding inside the block, where whatever goes wrong becomes an `InputError`."""
    with unreadable_unless(path, "a picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # bounded here instead
        with Image.open(path) as image:
            check_unpacked(path, image.width * image.height * 3, max_bytes)
            yield image
