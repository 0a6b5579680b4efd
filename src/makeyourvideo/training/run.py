"""A stage from its config to its model folder, as events: data rendered, frames encoded, steps taken."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from makeyourvideo.errors import InputError
from makeyourvideo.structure.doctor_plot import check_plotting
from makeyourvideo.training.autoencoder import AutoencoderStage, DecoderStage
from makeyourvideo.training.camera import CameraStage
from makeyourvideo.training.config import DiffusionConfig, RefinerConfig, StageConfig, read_config
from makeyourvideo.training.covering import CoveringStage
from makeyourvideo.training.data import prepare_data
from makeyourvideo.training.depth import DepthStage
from makeyourvideo.training.diffusion import ImageStage, VideoStage, prepare_latents
from makeyourvideo.training.judges import JudgesStage
from makeyourvideo.training.loop import Step, train
from makeyourvideo.training.plot import plot_log
from makeyourvideo.training.refiner import RefinerStage
from makeyourvideo.training.shading import ShadingStage
from makeyourvideo.training.sketcher import SketcherStage
from makeyourvideo.training.sun import SunStage


class Stage(Protocol):
    """A stage at work."""

    @property
    def modules(self) -> nn.ModuleDict:
        """All networks of the stage."""

    def loss(self, step: int) -> Tensor:
        """Return the mean loss of a step."""

    def finish(self, model: Path) -> None:
        """Write what was learnt."""


class _Kind(NamedTuple):
    """How a stage is set up.

    Attributes:
        build: makes it of its config and the folder of its data, by name also of the model that it builds on
            and the one that it starts from, if it has them.
        needs: which parts of a model it builds on.
        starts: whether it can start from a model.
    """

    build: Callable[..., Stage]
    needs: tuple[str, ...] = ()
    starts: bool = True


_KINDS = {
    "autoencoder": _Kind(AutoencoderStage),
    "image": _Kind(ImageStage, needs=("vae",)),
    "video": _Kind(VideoStage, needs=("vae", "text_encoder", "unet")),
    "decoder": _Kind(DecoderStage, needs=("vae",), starts=False),
    "refiner": _Kind(RefinerStage, needs=("vae", "text_encoder", "unet")),
    "camera": _Kind(CameraStage, needs=("vae",)),
    "sketcher": _Kind(SketcherStage, needs=("vae", "text_encoder", "camera")),
    "covering": _Kind(CoveringStage, needs=("vae", "text_encoder", "sketcher")),
    "shading": _Kind(ShadingStage, needs=("vae", "text_encoder", "sketcher")),
    "sun": _Kind(SunStage, needs=("vae", "text_encoder", "sketcher")),
    "depth": _Kind(DepthStage, starts=False),
    "judges": _Kind(JudgesStage),
}
_MAKES = {"vae": "autoencoder", "text_encoder": "image", "unet": "image"}
"""Which stage makes a part that is not named like it."""


@dataclass(frozen=True)
class Preparing:
    """Something the stage needs is being made: `done` of `total`."""

    what: str
    done: int
    total: int


def run_stage(
    stage: str,
    config_path: Path,
    folder: Path,
    data: Path,
    model: Path | None = None,
    start: Path | None = None,
) -> Iterator[Preparing | Step]:
    """Train `stage` into `folder`, going on from where a run there stopped.

    `folder` then holds `state.pt`, `log.jsonl`, `loss.png` and `model/`: the model folder so far.

    Args:
        stage: a key of `_KINDS`.
        config_path: the stage's YAML file.
        folder: of the run.
        data: folder of the rendered data sets, which are made where they are missing.
        model: the model folder that the stage before wrote, where a stage builds on another.
        start: a model folder whose weights the networks begin with, wherever they fit.

    Raises:
        InputError: the config is wrong, the model of the stage before is missing, the stage has no start, or
            matplotlib is not installed.
    """
    config = read_config(config_path, stage)
    check_plotting(folder / "loss.png")
    folder.mkdir(parents=True, exist_ok=True)
    for done, total in prepare_data(config, data):
        yield Preparing("rendering", done, total)
    chosen = yield from _stage(config, data, model, start)
    yield from train(config, chosen.modules, chosen.loss, folder)
    chosen.finish(folder / "model")
    plot_log(folder / "log.jsonl", folder / "loss.png")


def _stage(
    config: StageConfig, data: Path, model: Path | None, start: Path | None
) -> Generator[Preparing, None, Stage]:
    kind = _KINDS[config.stage]
    given: dict[str, Path | None] = {}
    if kind.needs:
        sketched = isinstance(config, RefinerConfig) and config.sketched
        given["model"] = _with_parts(model, (*kind.needs, "sketcher") if sketched else kind.needs)
    if kind.starts:
        given["start"] = start
    elif start:
        raise InputError("--start", f"nothing beside the stage {config.stage}", str(start))
    if model and isinstance(config, DiffusionConfig):
        for done, total in prepare_latents(config, data, model):
            yield Preparing("encoding", done, total)
    return kind.build(config, data, **given)


def _with_parts(model: Path | None, parts: tuple[str, ...]) -> Path | None:
    """The model, if it has all `parts`."""
    for part in parts:
        if model is None or not (model / part).is_dir():
            stage = _MAKES.get(part, part)
            raise InputError("--model", f"a model with a {part} (`train {stage}`)", str(model))
    return model
