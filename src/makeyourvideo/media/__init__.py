"""Files <-> frames; the only user of video and picture codecs."""

from makeyourvideo.media.images import (
    MAX_BYTES,
    Frames,
    check_unpacked,
    is_16_bit_gray,
    read_folder,
    read_gray_image,
    read_image,
    read_tiff,
    write_gray_image,
    write_image,
)
from makeyourvideo.media.reading import (
    ANIMATION_SUFFIXES,
    VIDEO_SUFFIXES,
    Luma,
    iterate_video,
    read_luma,
    read_video,
    video_header,
)
from makeyourvideo.media.writing import (
    check_fps,
    check_video_path,
    growing_video,
    write_gray_video,
    write_video,
)

__all__ = [
    "ANIMATION_SUFFIXES",
    "MAX_BYTES",
    "VIDEO_SUFFIXES",
    "Frames",
    "Luma",
    "check_fps",
    "check_unpacked",
    "check_video_path",
    "growing_video",
    "is_16_bit_gray",
    "iterate_video",
    "read_folder",
    "read_gray_image",
    "read_image",
    "read_luma",
    "read_tiff",
    "read_video",
    "video_header",
    "write_gray_image",
    "write_gray_video",
    "write_image",
    "write_video",
]
