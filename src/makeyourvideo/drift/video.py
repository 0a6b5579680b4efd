"""A video file -> its drift, and where its windows meet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from makeyourvideo.drift.meter import DriftMeter
from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.media import VIDEO_SUFFIXES, iterate_video, read_video


def watch(path: Path, meter: DriftMeter) -> Iterator[int]:
    """Show every frame of a video to a meter, in memory that does not grow; yields how many it has seen.

    Animations and folders of PNG are read as a whole.

    Raises:
        InputError: as `iterate_video`, `read_video` and `DriftMeter.add`.
    """
    streamed = path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
    frames = (frame for _, frame in iterate_video(path)) if streamed else iter(read_video(path)[0])
    for count, frame in enumerate(frames, start=1):
        meter.add(frame[None])
        yield count


def parse_borders(text: str) -> tuple[int, ...]:
    """Read borders such as "32,64".

    Raises:
        InputError: not whole numbers between commas that increase from 1 on.
    """
    try:
        return DriftMeter(int(part) for part in text.split(",")).borders
    except ValueError as error:
        raise InputError("--borders", "increasing frames such as 32,64", repr(text)) from error


def borders_beside(path: Path) -> tuple[int, ...]:
    """The borders in the drift report of the manifest beside a video; none without a manifest or a report.

    Raises:
        InputError: the file beside it is no JSON, or its borders are none.
    """
    manifest = path.with_suffix(".json")
    if not manifest.is_file():
        return ()
    with unreadable_unless(manifest, "a manifest in JSON"):
        content: Any = json.loads(manifest.read_text(encoding="utf-8"))
    report = content.get("drift") if isinstance(content, dict) else None
    if not isinstance(report, dict) or "borders" not in report:
        return ()
    borders = report["borders"]
    if not isinstance(borders, list) or not all(type(border) is int for border in borders):
        raise InputError(manifest, "a list of frames as borders", json.dumps(borders))
    return DriftMeter(borders).borders
