"""How much work goes into a sample: solver, steps, guidance, refining by one name, a row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Quality = Literal["draft", "standard", "best"]
TimestepSpacing = Literal["leading", "linspace", "trailing"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Preset:
    """A row of the table; its columns are those of `settings.Options`. A scale of None is the model's own.

    DPM-Solver++ (2M, arXiv 2211.01095) is second-order at one evaluation a step. It starts where the schedule
    ends ("trailing", arXiv 2305.08891), which counts the more the fewer steps there are.
    """

    num_inference_steps: int
    guidance_interval: tuple[float, float]
    scheduler: str = "DPMSolverMultistepScheduler"
    timestep_spacing: TimestepSpacing = "trailing"
    eta: float = 0.0
    guidance_scale: float | None = None
    refine: bool = True
    antialias: bool = True


PRESETS: Mapping[Quality, Preset] = {
    "draft": Preset(3, (0.0, 1.0), guidance_scale=1.0, refine=False, antialias=False),  # a branch a step
    "standard": Preset(7, (0.0, 0.85)),  # two, but for the last
    "best": Preset(30, (0.0, 0.85)),  # two, but for the last four
}
