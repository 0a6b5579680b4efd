"""What stages share that train some parts of a sketcher, held against what it was before."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.training.config import CoveringConfig, ShadingConfig, SunConfig
from makeyourvideo.training.data import draw_clips, draw_prompts, open_data, step_generator
from makeyourvideo.training.record import write_part
from makeyourvideo.training.start import take_over
from makeyourvideo.training.stills import Drawn, Stills


class SketcherPartsStage:
    """All but the `parts` of the sketcher stays as it is in `model`; those may `start` from another model."""

    def __init__(
        self,
        config: CoveringConfig | ShadingConfig | SunConfig,
        data: Path,
        model: Path,
        start: Path | None,
        parts: Iterable[str],
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model, self.start = config, model, start
        self.data = open_data(config, data)
        self.stills = Stills(self.data)
        self.tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32)
        self.text_encoder.eval().requires_grad_(False)
        self.before: Sketcher = Sketcher.from_pretrained(model / "sketcher").eval().requires_grad_(False)
        self.sketcher: Sketcher = Sketcher.from_config(Sketcher.load_config(model / "sketcher"))
        take_over(self.sketcher.requires_grad_(False), model, "sketcher")
        for part in parts:
            self.sketcher.get_submodule(part).requires_grad_(True)
        if start:
            trained = (name for name, part in self.sketcher.named_parameters() if part.requires_grad)
            take_over(self.sketcher, start, "sketcher", frozenset(trained))
        self.modules = nn.ModuleDict(
            {"sketcher": self.sketcher, "before": self.before, "text_encoder": self.text_encoder}
        )

    def draw(self, step: int) -> tuple[np.random.Generator, Drawn, list[str]]:
        """Return what a step draws from, and the stills it sees with a caption of each, or none."""
        rng = step_generator(self.config, step)
        drawn = draw_clips(rng, self.data, self.config.batch_size, num_frames=1)
        return rng, drawn, draw_prompts(rng, self.data, drawn, self.config.prompt_dropout)

    def finish(self, model: Path, **added: Any) -> None:
        """Write the whole model, with the sketcher, and what is `added` to its record."""
        write_part(model, self.model, "sketcher", self.sketcher, self.config, self.start, **added)
