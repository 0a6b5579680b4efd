"""Steps, seams and drift that are put into clips are found, and hardly anything in clips without."""

import json
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from makeyourvideo.drift.findings import drift_findings
from makeyourvideo.drift.meter import DriftMeter, DriftReport
from makeyourvideo.errors import InputError
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig, sample_scene

BORDERS = (8, 16, 24)


def smooth_clip(
    seed: int, *, frames: int = 32, size: int = 32, tremble: float = 0.2, speed: int = 1
) -> np.ndarray:
    """A texture that slides round, its light trembling from frame to frame; not rounded yet."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.standard_normal((size, size, 3)), (3, 3, 0), mode="wrap")
    texture = 128 + 30 * texture / texture.std()
    moving = np.stack([np.roll(texture, speed * frame, axis=1) for frame in range(frames)])
    return moving + tremble * rng.standard_normal((frames, 1, 1, 3)) + rng.random(moving.shape)


def rounded(clip: np.ndarray) -> np.ndarray:
    return np.clip(clip, 0, 255).astype(np.uint8)


def with_step(clip: np.ndarray, frame: int, channels: slice, levels: float = 2) -> np.ndarray:
    changed = clip.astype(np.float64)
    changed[frame:, ..., channels] += levels
    return changed


def measured(frames: np.ndarray, borders: tuple[int, ...] = ()) -> DriftReport:
    meter = DriftMeter(borders)
    meter.add(frames)
    return meter.report()


def test_a_step_of_two_levels_at_a_border_is_named_and_rarely_one_that_is_not_there() -> None:
    named = other = alarms = drifts = 0
    for seed in range(100):
        channels = [slice(0, 1), slice(1, 2), slice(2, 3), slice(None)][seed % 4]
        clip, border = smooth_clip(seed, speed=seed // 4 % 3), BORDERS[seed % 3]
        report = measured(rounded(with_step(clip, border, channels, 2 - 4 * (seed % 2))), BORDERS)
        found = [step.frame for step in report.steps]
        named += border in found
        other += any(frame != border for frame in found)
        sound = measured(rounded(clip), BORDERS)
        alarms += any(finding.fault in ("step", "seam") for finding in drift_findings(sound))
        drifts += any(finding.fault == "drift" for finding in drift_findings(sound))
    assert named >= 96
    assert other <= 5
    assert alarms <= 8
    assert drifts <= 7


@pytest.mark.parametrize("seed", [10_000_003, 10_000_005])
def test_in_clips_of_the_world_as_well(seed: int) -> None:
    clip = render(sample_scene(seed, WorldConfig(size=64), 32), 64).frames
    assert measured(clip).steps == ()
    for border in BORDERS:
        changed = rounded(with_step(clip, border, slice(None)))
        assert [step.frame for step in measured(changed, BORDERS).steps] == [border]
        assert [step.frame for step in measured(changed).steps] == [border]


def test_windows_that_all_begin_with_a_jump_make_a_seam_of_color() -> None:
    clip = smooth_clip(3, tremble=0.05)
    for border in BORDERS:
        clip = with_step(clip, border, slice(None), 0.3)  # each too small to be worth a word
    report = measured(rounded(clip), BORDERS)
    assert report.steps == ()
    assert report.seams["color"].ratio > report.seams["color"].chance_high
    assert [finding.fault for finding in drift_findings(report) if finding.fault == "seam"] == ["seam"]


def test_content_that_jumps_is_seen_though_its_colors_stay() -> None:
    clip = smooth_clip(2, size=64, tremble=0)
    clip[16:] = clip[16:, ::-1, ::-1]  # the same colours elsewhere
    (step,) = measured(rounded(clip), BORDERS).steps
    assert (step.frame, step.at_border) == (16, True)
    assert step.warp_ratio > 2
    (seam,) = (found for found in drift_findings(measured(rounded(clip), BORDERS)) if found.fault == "seam")
    assert seam.frame == 16


def test_a_drift_is_told_with_its_slope() -> None:
    clip = smooth_clip(8, frames=64, speed=0)
    drifting = clip + 0.12 * np.arange(64)[:, None, None, None] * [1, 0, 0]
    before, after = measured(rounded(clip)), measured(rounded(drifting))
    assert after.color["red"].slope - before.color["red"].slope == pytest.approx(12, abs=1)
    assert not after.color["red"].is_flat
    evidence = {finding.fault: finding.evidence for finding in drift_findings(after)}
    assert "red +1" in evidence["drift"]
    assert "drift" not in {finding.fault for finding in drift_findings(before)}


def test_a_drift_is_found_beside_a_surer_one_that_nobody_sees() -> None:
    rng = np.random.default_rng(0)
    level = np.arange(64) / 63
    clip = np.full((64, 32, 32, 3), 128.0) + rng.random((64, 32, 32, 3))
    clip[..., 0] += 0.4 * level[:, None, None]
    clip[..., 2] += (6 * level + 2 * rng.standard_normal(64))[:, None, None]
    report = measured(rounded(clip))
    assert report.color["red"].p_value < report.color["blue"].p_value
    (found,) = (finding for finding in drift_findings(report) if finding.fault == "drift")
    assert "blue +" in found.evidence


def test_frames_may_come_in_any_portions_and_nothing_but_numbers_is_kept() -> None:
    frames = rounded(smooth_clip(5, size=64))
    meter = DriftMeter(BORDERS)
    for portion in (frames[:1], frames[1:9], frames[9:]):
        meter.add(portion)
    assert meter.report() == measured(frames, BORDERS)
    tracemalloc.start()
    for _ in range(4):
        meter.add(frames)
    settled, _ = tracemalloc.get_traced_memory()
    for _ in range(8):
        meter.add(frames)
    grown = tracemalloc.get_traced_memory()[0] - settled
    tracemalloc.stop()
    assert grown < 8 * len(frames) * 500 < 8 * frames.nbytes / 20


def test_a_report_survives_json_and_its_summary_is_short() -> None:
    report = measured(rounded(smooth_clip(1)), BORDERS)
    assert DriftReport.model_validate_json(report.model_dump_json()) == report
    assert len(json.dumps(report.summary())) < 2000


def test_what_cannot_be_measured_is_refused_in_a_line() -> None:
    frames = rounded(smooth_clip(0))
    with pytest.raises(InputError, match="at least 16 to tell a drift, found 5"):
        measured(frames[:5])
    with pytest.raises(InputError, match="frames below 32, found 32"):
        measured(frames, (8, 32))
    with pytest.raises(InputError, match="increase from 1 on"):
        DriftMeter((8, 8))
    with pytest.raises(InputError, match="increase from 1 on"):
        DriftMeter((0, 8))
    with pytest.raises(InputError, match="at least 16x16, found 32x8"):
        measured(frames[:, :8])
    meter = DriftMeter()
    meter.add(frames)
    with pytest.raises(InputError, match="expected 32x32, found 20x32"):
        meter.add(frames[:, :, :20])
    with pytest.raises(InputError, match=r"uint8 \(f, h, w, 3\)"):
        meter.add(frames[0])


def test_pictures_of_any_shape_do() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((16, 16), (16, 1000), (400, 300)):
        frames = np.repeat(rng.integers(0, 256, (1, height, width, 3)).astype(np.uint8), 16, axis=0)
        report = measured(frames)
        assert report.mean_warp == pytest.approx(0, abs=0.5)
        assert drift_findings(report) == []
