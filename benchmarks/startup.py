"""From the command to the first sign of life, and to the finished file, beside the import of torch alone."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

REPEATS = 3


def timed(*arguments: str) -> float:
    """Median seconds of a fresh process, files on the disk already read once.

    The first time may write bytecode, which an installed package has.
    """
    seconds = []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main() -> None:
    """Print one row a command."""
    command = ("-m", "makeyourvideo")
    example = files("makeyourvideo") / "bundled" / "examples" / "demo_depth.npz"
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "clip.mp4")
        generate = (*command, "generate", "--prompt", "a red ball on sand", "--depth", str(example))
        generate = (*generate, "--output", output, "--force")
        rows = {
            "python, nothing imported": ("-c", ""),
            "import torch": ("-c", "import torch"),
            "import diffusers": ("-c", "import diffusers"),
            "makeyourvideo --help": (*command, "--help"),
            "generate --dry-run": (*generate, "--dry-run"),
            "generate": generate,
        }
        measured = {name: timed(*arguments) for name, arguments in rows.items()}
    print("| command | seconds | times `import torch` |\n|---|---|---|")
    for name, seconds in measured.items():
        print(f"| {name} | {seconds:.2f} | {seconds / measured['import torch']:.2f} |")


if __name__ == "__main__":
    main()
