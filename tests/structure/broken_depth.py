"""Sound depth files of every kind, and files broken on purpose, each with one fault of a given strength."""

import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import OpenEXR
from PIL import Image

from makeyourvideo.media.writing import write_gray_video
from makeyourvideo.structure.convention import Kind
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import sample_scene

KINDS = (
    "npy float32",
    "npy float16",
    "npy metric",
    "npz",
    "png 8",
    "png 16",
    "tiff 16",
    "exr metric",
    "exr half metric",
    "video 8",
    "video 10",
    "video limited",
)
DEEP = ("npy float32", "npz", "png 16", "tiff 16")
EIGHT = ("png 8", "video 8")
FAULTS = (
    "infinities",
    "bit depth",
    "limited range",
    "srgb",
    "polarity",
    "holes",
    "scale jump",
    "flicker",
    "banding",
    "compression",
    "clipping",
)


@dataclass(frozen=True)
class Case:
    """One file: where it is, what is wrong with it, and how it is to be read."""

    path: Path
    kind: str
    fault: str | None
    depth_kind: Kind = "inverse"
    detail: str = ""


def clip(seed: int, size: int, frames: int) -> np.ndarray:
    """Exact inverse depth of a scene, from 0 to 1."""
    scene = sample_scene(seed, num_frames=16)
    start = int(np.random.default_rng([seed, 9]).integers(16 - frames + 1))
    inverse = 1 / render(scene.at(slice(start, start + frames)), size).depth
    return ((inverse - inverse.min()) / np.ptp(inverse)).astype(np.float32)


def write(path: Path, values: np.ndarray, kind: str) -> tuple[Path, Kind]:
    """Write inverse depth from 0 to 1 as a file of `kind`; return it and how it is to be read."""
    codes16 = (np.clip(np.nan_to_num(values), 0, 1) * 65535).round().astype(np.uint16)
    codes8 = (np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8)
    with np.errstate(divide="ignore"):
        metres = (0.7 / values).astype(np.float32)
    match kind:
        case "npy float32" | "npy float16" | "npy metric":
            path = path.with_suffix(".npy")
            np.save(path, metres if kind == "npy metric" else values.astype(kind.split()[1]))
        case "npz":
            path = path.with_suffix(".npz")
            np.savez(path, depth=values * 3)
        case "video 8" | "video limited":
            path = path.with_suffix(".mp4")
            if kind == "video 8":
                write_gray_video(path, codes8, 8, 8)
            else:
                write_h264(path, (16 + np.clip(values, 0, 1) * 219).round().astype(np.uint8), 0, limited=True)
        case "video 10":
            path = path.with_suffix(".mkv")
            write_gray_video(path, (np.clip(values, 0, 1) * 1023).round().astype(np.uint16), 10, 8)
        case _:
            path.mkdir()
            frames = {"png 8": codes8, "png 16": codes16, "tiff 16": codes16, "tiff float": values}.get(
                kind, metres
            )
            for index, frame in enumerate(frames):
                if kind.startswith("exr"):
                    deep = np.float16 if "half" in kind else np.float32
                    header = {"type": OpenEXR.scanlineimage}
                    OpenEXR.File(header, {"ViewLayer.Depth.Z": frame.astype(deep)}).write(
                        str(path / f"{index}.exr")
                    )
                else:
                    suffix = kind.split()[0]
                    Image.fromarray(frame).save(path / f"{index}.{suffix}")
    return path, "metric" if "metric" in kind else "inverse"


def write_h264(path: Path, codes: np.ndarray, crf: int, *, limited: bool) -> None:
    """Write grey codes as lossy H.264 (lossless for a `crf` of 0)."""
    with av.open(path, "w") as container:
        stream = container.add_stream(
            "libx264", rate=8, options={"qp": "0"} if crf == 0 else {"crf": str(crf)}
        )
        (stream.height, stream.width), stream.pix_fmt = codes.shape[1:], "yuv420p"
        stream.color_range, stream.thread_count = 1 if limited else 2, 1
        for luma in codes:
            chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p"))
            )
        container.mux(stream.encode())


def sound(path: Path, inverse: np.ndarray, seed: int) -> Case:
    """A file without fault; the kinds take turns."""
    kind = KINDS[seed % len(KINDS)]
    written, depth_kind = write(path, inverse, kind)
    return Case(written, kind, None, depth_kind)


def broken(path: Path, inverse: np.ndarray, fault: str, seed: int) -> Case | None:
    """A file with one fault of random strength; None where this scene cannot have it."""
    rng = np.random.default_rng([seed, 77])
    kind = str(rng.choice(KINDS[:2] + KINDS[3:7] + KINDS[9:11]))
    values, detail = inverse, ""
    match fault:
        case "polarity":
            values = 1 - inverse
        case "flicker":
            values, detail = _flickering(inverse, rng)
            if not detail:
                return None
        case "scale jump":
            factor = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.6))
            at = int(rng.integers(2, len(inverse) - 1))
            values = (
                inverse
                * np.where(np.arange(len(inverse)) < at, 1, np.exp(factor)).astype(np.float32)[:, None, None]
            )
            values, detail = values / values.max(), f"x{np.exp(factor):.2f} at {at}"
        case "banding":
            levels = (
                int(rng.integers(24, 110)) if (eight := rng.random() < 0.5) else int(rng.integers(48, 257))
            )
            kind = str(rng.choice(EIGHT if eight else DEEP))
            values, detail = np.round(inverse * (levels - 1)) / np.float32(levels - 1), f"{levels} levels"
        case "clipping":
            share = float(rng.uniform(0.02, 0.2))
            top = float(np.quantile(inverse, 1 - share))
            if top > 0.97 or top < 0.05:
                return None
            values, detail = np.minimum(inverse / np.float32(top), 1), f"{share:.0%}"
        case "limited range":
            values = inverse * np.float32(219 / 255) + np.float32(16 / 255)
            kind = str(rng.choice(["png 8", "png 16", "video 8", "video 10", "npy float32"]))
        case "srgb":
            values = np.where(
                inverse <= 0.0031308, inverse * 12.92, 1.055 * np.maximum(inverse, 1e-9) ** (1 / 2.4) - 0.055
            ).astype(np.float32)
        case "bit depth":
            return _wrong_bits(path, inverse, rng)
        case "compression":
            return _compressed(path, inverse, rng)
        case "holes":
            return _holey(path, inverse, rng)
        case "infinities":
            return _endless(path, inverse, rng)
    written, depth_kind = write(path, values, kind)
    return Case(written, kind, fault, depth_kind, detail)


def _flickering(inverse: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    low, high = (end(inverse, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
    ranges = (high - low).ravel()
    if rng.random() < 0.5:
        changes = np.abs(np.diff(np.log(ranges)))
        if changes.max() < 0.02:
            return inverse, ""
        return (inverse - low) / (high - low), f"each frame, {changes.max():.1%}"
    size = float(rng.uniform(0.06, 0.2))
    tremble = rng.normal(0, 1, len(inverse))
    factors = np.exp(size * (tremble - tremble.mean()) / tremble.std()).astype(np.float32)
    shaken = inverse * factors[:, None, None]
    return shaken / shaken.max(), f"trembling by {size:.1%}"


def _wrong_bits(path: Path, inverse: np.ndarray, rng: np.random.Generator) -> Case:
    bits = int(rng.choice([8, 10, 12]))
    codes = (inverse * ((1 << bits) - 1)).round().astype(np.uint16)
    how = str(rng.choice(["kept", "shifted", "repeated"]))
    if how != "kept":
        low = codes >> (2 * bits - 16) if how == "repeated" else 0
        codes = ((codes << (16 - bits)) | low).astype(np.uint16)
    path.mkdir()
    suffix = str(rng.choice(["png", "tif"]))
    for index, frame in enumerate(codes):
        Image.fromarray(frame).save(path / f"{index}.{suffix}")
    return Case(path, f"{suffix} 16", "bit depth", detail=f"{bits} bits {how}")


def _compressed(path: Path, inverse: np.ndarray, rng: np.random.Generator) -> Case:
    codes = (inverse * 255).round().astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(15, 70))
        path.mkdir()
        for index, frame in enumerate(codes):
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, format="JPEG", quality=quality)
            Image.open(buffer).save(path / f"{index}.png")
        return Case(path, "png 8", "compression", detail=f"JPEG {quality}")
    crf = int(rng.integers(26, 42))
    write_h264(path.with_suffix(".mp4"), codes, crf, limited=False)
    return Case(path.with_suffix(".mp4"), "video 8", "compression", detail=f"crf {crf}")


def _holey(path: Path, inverse: np.ndarray, rng: np.random.Generator) -> Case:
    share, radius = float(rng.uniform(0.006, 0.05)), int(rng.integers(0, 3))
    seeds = rng.random(inverse.shape) < share / (2 * radius + 1) ** 2
    mask = seeds.copy()
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            mask |= np.roll(seeds, (down, right), axis=(1, 2))
    kind = str(rng.choice(["npy float32", "npy float16", "npz", "png 8", "png 16", "tiff 16", "npy metric"]))
    missing = np.nan if kind.startswith("npy float") and rng.random() < 0.5 else 0.0
    if kind == "npy metric":
        with np.errstate(divide="ignore"):
            metres = np.where(mask, 0, 0.7 / inverse).astype(np.float32)
        np.save(path.with_suffix(".npy"), metres)
        return Case(path.with_suffix(".npy"), kind, "holes", "metric", f"{share:.1%} of 0 m")
    written, depth_kind = write(path, np.where(mask, np.float32(missing), inverse), kind)
    return Case(written, kind, "holes", depth_kind, f"{share:.1%} of {missing}, radius {radius}")


def _endless(path: Path, inverse: np.ndarray, rng: np.random.Generator) -> Case:
    endless = inverse <= np.quantile(inverse, rng.uniform(0.02, 0.3))
    kind = str(rng.choice(["npy float32", "npz", "tiff float", "npy float16"]))
    value = float(rng.choice([np.inf, np.nan, 1e10])) if kind != "npy float16" else np.inf
    written, depth_kind = write(path, np.where(endless, np.float32(value), inverse), kind)
    return Case(written, kind, "infinities", depth_kind, f"{value}")
