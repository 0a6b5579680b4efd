"""What `--dry-run` predicts beside what the same command takes: time and memory, a process each.

Memory can be compared at any time, seconds only on a quiet machine.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

CASES = {
    "16 frames": ["--num-frames", "16"],
    "64 frames": ["--num-frames", "64"],
    "128 frames": ["--num-frames", "128", "--steps", "4"],
    "16 at 192x192": ["--num-frames", "16", "--height", "192", "--width", "192"],
    "160 streamed": ["--num-frames", "160", "--steps", "2"],
    "128, 960 MB": ["--num-frames", "128", "--steps", "4", "--memory-limit", "960MB"],
    "16, limited": ["--num-frames", "16", "--memory-limit", "LEAST"],
    "128, limited": ["--num-frames", "128", "--steps", "4", "--memory-limit", "LEAST"],
}
"""Of the bundled model, or of any other with --model; LEAST is the least limit that does."""

_UNITS = {"MB": 1e6, "GB": 1e9, "s": 1, "min": 60, "h": 3600}


def write_depth(file: Path) -> None:
    """A bump that moves over 160 frames."""
    rows, columns = np.mgrid[:128, :128]
    bumps = [1 / (1 + ((columns - 32 - frame / 2) ** 2 + (rows - 64) ** 2) / 1000) for frame in range(160)]
    np.save(file, np.stack(bumps).astype(np.float32))


def run_command(options: list[str]) -> tuple[str, float, float]:
    """Run it; its words, seconds, and the most bytes it held."""
    before = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "makeyourvideo", "generate", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    return said, time.perf_counter() - before, used.ru_maxrss * 1024


def predicted(said: str) -> tuple[float, float]:
    """Seconds and bytes that a dry run names."""
    figures = {}
    for name in ("time", "memory"):
        found = re.search(rf"^ *{name}  about ([\d.]+) (\w+)", said, re.MULTILINE)
        assert found, said
        figures[name] = float(found[1]) * _UNITS[found[2]]
    return figures["time"], figures["memory"]


def least_limit(options: list[str]) -> str:
    """The least memory limit that a run accepts, from its own error line."""
    said = run_command([*options, "--dry-run", "--memory-limit", "1MB"])[0]
    found = re.search(r"at least (\d+) MB", said)
    assert found, said
    return f"{int(found[1]) + 20}MB"


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--model", help="a model folder in place of the bundled one")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        depth = Path(folder) / "depth.npy"
        write_depth(depth)
        common = [
            "--prompt",
            "a red ball on sand",
            "--depth",
            str(depth),
            "-o",
            f"{folder}/out.mp4",
            "--force",
        ]
        common += ["--model", given.model] if given.model else []
        print(f"{'case':>14} {'seconds':>18} {'off':>6} {'dry run':>8} {'MB':>14} {'off':>6}")
        for case in given.cases or CASES:
            options = [*common, *CASES[case]]
            if "LEAST" in options:
                limit = least_limit(options[: options.index("--memory-limit")])
                options[options.index("LEAST")] = limit
            said, dry_seconds, _ = run_command([*options, "--dry-run"])
            seconds, peak = predicted(said)
            said, real_seconds, real_peak = run_command(options)
            assert "out.mp4" in said, said
            print(
                f"{case:>14} {seconds:8.1f} {real_seconds:9.1f} {seconds / real_seconds - 1:+6.0%} "
                f"{dry_seconds:8.1f} {peak / 1e6:6.0f} {real_peak / 1e6:7.0f} {peak / real_peak - 1:+6.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
