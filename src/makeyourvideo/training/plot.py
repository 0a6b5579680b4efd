"""The loss log as a picture."""

import json
from pathlib import Path

import numpy as np


def plot_log(log: Path, picture: Path) -> None:
    """Plot the smoothed loss of `log.jsonl` over steps into a PNG, if there were any."""
    from matplotlib.figure import Figure

    entries = [json.loads(line) for line in log.read_text().splitlines()]
    if not entries:
        return
    losses = np.array([entry["loss"] for entry in entries])
    width = max(len(losses) // 100, 1)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(len(losses)) + 1, losses, linewidth=0.4, alpha=0.35)
    axes.plot(np.arange(len(smooth)) + width, smooth, linewidth=1.5)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    figure.savefig(picture, dpi=120)
