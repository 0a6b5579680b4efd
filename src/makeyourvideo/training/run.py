"""A stage from its config to its model folder, as events: data rendered, frames encoded, steps taken."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from makeyourvideo.errors import InputError
from makeyourvideo.structure.doctor_plot import check_plotting
from makeyourvideo.training.autoencoder import AutoencoderStage, DecoderStage
from makeyourvideo.training.camera import CameraStage
from makeyourvideo.training.config import (
    AutoencoderConfig,
    CameraConfig,
    CoveringConfig,
    DecoderConfig,
    DepthConfig,
    ImageConfig,
    JudgesConfig,
    RefinerConfig,
    ShadingConfig,
    SketcherConfig,
    StageConfig,
    SunConfig,
    VideoConfig,
    read_config,
)
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

_Stage = (
    AutoencoderStage
    | CameraStage
    | CoveringStage
    | DecoderStage
    | DepthStage
    | ImageStage
    | JudgesStage
    | RefinerStage
    | ShadingStage
    | SketcherStage
    | SunStage
    | VideoStage
)


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
        stage: "autoencoder", "image", "video", "decoder", "refiner", "camera", "sketcher", "covering",
            "shading", "sun", "depth" or "judges".
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
) -> Generator[Preparing, None, _Stage]:
    if isinstance(config, AutoencoderConfig):
        return AutoencoderStage(config, data, start)
    if start and isinstance(config, DecoderConfig | DepthConfig | JudgesConfig):
        raise InputError("--start", f"nothing beside the stage {config.stage}", str(start))
    if isinstance(config, DepthConfig):
        return DepthStage(config, data)
    if isinstance(config, JudgesConfig):
        return JudgesStage(config, data)
    if model is None or not (model / "vae").is_dir():
        raise InputError("--model", "the model folder that the stage before wrote", str(model))
    if isinstance(config, DecoderConfig):
        return DecoderStage(config, data, model)
    if isinstance(config, CameraConfig):
        return CameraStage(config, data, model, start)
    if isinstance(config, CoveringConfig):
        _check_part(model, "sketcher")
        return CoveringStage(config, data, model, start)
    if isinstance(config, ShadingConfig):
        _check_part(model, "sketcher")
        return ShadingStage(config, data, model, start)
    if isinstance(config, SunConfig):
        _check_part(model, "sketcher")
        return SunStage(config, data, model, start)
    if isinstance(config, SketcherConfig):
        _check_part(model, "camera")
        return SketcherStage(config, data, model, start)
    assert isinstance(config, ImageConfig | RefinerConfig | VideoConfig)
    if isinstance(config, RefinerConfig) and config.sketched:
        _check_part(model, "sketcher")
    for done, total in prepare_latents(config, data, model):
        yield Preparing("encoding", done, total)
    if isinstance(config, RefinerConfig):
        return RefinerStage(config, data, model, start)
    return (
        ImageStage(config, data, model, start)
        if isinstance(config, ImageConfig)
        else VideoStage(config, data, model, start)
    )


def _check_part(model: Path, part: str) -> None:
    if not (model / part).is_dir():
        raise InputError("--model", f"a model with a {part} (`train {part}`)", str(model))
