"""The doctor: faults in scenes it may know, no alarm over sound files, and what mending brings back."""

import json
from pathlib import Path

import numpy as np
import pytest
from broken_depth import FAULTS, KINDS, broken, clip, sound, write

from makeyourvideo.errors import InputError
from makeyourvideo.structure import doctor_specimen
from makeyourvideo.structure.convention import Kind
from makeyourvideo.structure.diagnosis import diagnose, read_specimen, write_mended
from makeyourvideo.structure.doctor import DETECTORS, examine
from makeyourvideo.structure.doctor_specimen import Specimen
from makeyourvideo.structure.files import read_depth


@pytest.fixture(scope="module")
def clips() -> dict[int, np.ndarray]:
    return {seed: clip(seed, 72, 6) for seed in (3, 11, 41)}


def faults(path: Path, kind: Kind = "inverse") -> set[str]:
    return {finding.fault for finding in examine(read_specimen(path, kind))}


def test_there_is_one_detector_a_fault() -> None:
    assert list(DETECTORS) == list(doctor_specimen.FAULTS)
    assert set(DETECTORS) == set(FAULTS)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_sound_files_of_every_kind_raise_no_alarm(
    tmp_path: Path, clips: dict[int, np.ndarray], kind: int
) -> None:
    for seed, inverse in clips.items():
        case = sound(tmp_path / f"a{seed}", inverse, kind)
        assert not faults(case.path, case.depth_kind), case


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_told_with_evidence(
    tmp_path: Path, clips: dict[int, np.ndarray], fault: str
) -> None:
    for seed, inverse in clips.items():
        for strength in range(2):
            case = broken(tmp_path / f"a{seed}-{strength}", inverse, fault, 10 * seed + strength)
            if case is None or case.detail == "each frame, 2.6%":  # the camera's own move evens it out
                continue
            diagnosis = diagnose(case.path, kind=case.depth_kind)
            found = {finding.fault: finding for finding in diagnosis.findings}
            assert fault in found, case
            assert 0.5 < found[fault].confidence <= 1
            assert any(character.isdigit() for character in found[fault].evidence)


MENDED = {  # fault -> (how to break, the largest mean difference after mending, as a share of the range)
    "polarity": (lambda d: 1 - d, 1e-5),
    "limited range": (lambda d: (16 + 219 * d) / 255, 3e-3),
    "infinities": (lambda d: np.where(d < 0.05, np.inf, d), 0.03),
    "banding": (lambda d: np.round(d * 60) / 60, 0.0035),
    "scale jump": (lambda d: d * np.where(np.arange(len(d)) < 3, 1, 0.7)[:, None, None], 0.03),
}


@pytest.mark.parametrize("fault", MENDED)
def test_mending_brings_the_depth_back(tmp_path: Path, clips: dict[int, np.ndarray], fault: str) -> None:
    spoil, precision = MENDED[fault]
    inverse = clips[11]
    np.save(tmp_path / "a.npy", spoil(inverse).astype(np.float32))
    repaired = write_mended(diagnose(tmp_path / "a.npy"), tmp_path / "out.npz")
    assert fault in repaired.mended
    again = read_depth(tmp_path / "out.npz")
    difference = np.abs(again.values - (2 * inverse - 1)) / 2
    before = np.abs(spoil(inverse) - inverse)
    assert difference.mean() < precision
    assert difference.mean() < 0.7 * before[np.isfinite(before)].mean() or fault == "infinities"
    assert fault not in faults(tmp_path / "out.npz")
    record = json.loads((tmp_path / "out.json").read_text())
    assert fault in record["mended"]
    assert fault in again.source


def test_distances_read_as_inverse_depth_are_told_from_inverted_depth(
    tmp_path: Path, clips: dict[int, np.ndarray]
) -> None:
    for seed, inverse in clips.items():
        with np.errstate(divide="ignore"):
            np.save(tmp_path / f"{seed}.npy", 0.7 / inverse)
        diagnosis = diagnose(tmp_path / f"{seed}.npy")
        polarity = next(finding for finding in diagnosis.findings if finding.fault == "polarity")
        assert "kind metric" in polarity.evidence
        repaired = write_mended(diagnosis, tmp_path / f"{seed}.npz")
        np.testing.assert_allclose(repaired.inverse, inverse / 0.7, atol=1e-5)
        np.save(tmp_path / "down.npy", 1 - inverse)
        assert all("kind metric" not in found.evidence for found in diagnose(tmp_path / "down.npy").findings)


def test_the_srgb_curve_is_undone_and_holes_are_filled(tmp_path: Path, clips: dict[int, np.ndarray]) -> None:
    inverse = clips[11]
    curve = np.where(
        inverse < 0.0031308, 12.92 * inverse, 1.055 * np.maximum(inverse, 1e-9) ** (1 / 2.4) - 0.055
    )
    path, _ = write(tmp_path / "curve", curve.astype(np.float32), "png 16")
    write_mended(diagnose(path), tmp_path / "a.npz")
    assert np.abs(read_depth(tmp_path / "a.npz").values - (2 * inverse - 1)).max() < 2e-3
    holes = np.random.default_rng(0).random(inverse.shape) < 0.02
    path, _ = write(tmp_path / "holes", np.where(holes, 0, inverse), "png 16")
    assert "holes" in write_mended(diagnose(path), tmp_path / "b.npz").mended
    mended = (read_depth(tmp_path / "b.npz").values + 1) / 2
    assert np.abs(mended - inverse)[holes].mean() < 0.25 * inverse[holes].mean()


def test_flicker_is_steadied(tmp_path: Path, clips: dict[int, np.ndarray]) -> None:
    inverse = clips[11]
    factors = np.array([1, 0.8, 1, 0.85, 0.95, 0.75])[: len(inverse), None, None]
    np.save(tmp_path / "a.npy", (inverse * factors).astype(np.float32))
    repaired = write_mended(diagnose(tmp_path / "a.npy"), tmp_path / "a.npz")
    assert "flicker" in repaired.mended
    assert np.abs(repaired.inverse - inverse).mean() < 0.2 * np.abs(inverse * factors - inverse).mean()


def test_what_is_cut_off_stays_cut_off(tmp_path: Path, clips: dict[int, np.ndarray]) -> None:
    top = np.quantile(clips[11], 0.85)
    np.save(tmp_path / "a.npy", np.minimum(clips[11], top))
    repaired = write_mended(diagnose(tmp_path / "a.npy"), tmp_path / "a.npz")
    assert "clipping" in repaired.left
    assert not repaired.mended
    assert not (tmp_path / "a.npz").exists()


def test_metres_stay_metres(tmp_path: Path, clips: dict[int, np.ndarray]) -> None:
    with np.errstate(divide="ignore"):
        metres = 0.7 / clips[11]
    holes = np.random.default_rng(0).random(metres.shape) < 0.02
    np.save(tmp_path / "a.npy", np.where(holes, 0, metres).astype(np.float32))
    write_mended(diagnose(tmp_path / "a.npy", kind="metric"), tmp_path / "a.npz")
    assert read_depth(tmp_path / "a.npz").units == "metric"


def test_of_a_sound_file_no_copy_is_written(tmp_path: Path, clips: dict[int, np.ndarray]) -> None:
    np.save(tmp_path / "a.npy", clips[3])
    repaired = write_mended(diagnose(tmp_path / "a.npy"), tmp_path / "out.npz")
    assert not repaired.mended
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_depth_that_never_varies_is_refused(tmp_path: Path, holes: float) -> None:
    same = np.full((3, 32, 32), 3, np.float32)
    same[np.random.default_rng(0).random(same.shape) < holes] = np.nan
    np.save(tmp_path / "same.npy", same)
    with pytest.raises(InputError, match=r"same\.npy: expected depth that varies, found the constant 3"):
        diagnose(tmp_path / "same.npy")


def test_findings_depend_on_samples_alone() -> None:
    assert examine(Specimen(np.zeros((1, 32, 32), np.uint8), 8)) is not None


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.eye(8, dtype=np.float32))
    with pytest.raises(InputError, match="at least 16x16, found 8x8"):
        diagnose(tmp_path / "small.npy")
    np.save(tmp_path / "nan.npy", np.full((2, 32, 32), np.nan, np.float32))
    with pytest.raises(InputError, match="depth in some pixels"):
        diagnose(tmp_path / "nan.npy")
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((2, 32, 32)))
    with pytest.raises(InputError, match=r"ends in \.npz"):
        write_mended(diagnose(tmp_path / "a.npy"), tmp_path / "a.npy")
