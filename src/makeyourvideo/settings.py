"""What can be asked for: the options of a sample, and the settings of a whole run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from makeyourvideo.errors import InputError
from makeyourvideo.memory import LADDER, parse_size
from makeyourvideo.presets import PRESETS, Precision, Quality, TimestepSpacing
from makeyourvideo.structure.convention import Kind
from makeyourvideo.structure.depth import Normalization

SOURCES = {"depth": "depth", "video": "a video", "scene": "a 3D scene", "keyframes": "keyframes of depth"}
BELONGS = {
    "camera": ("scene",),
    "start": ("scene",),
    "animation": ("scene",),
    "estimator": ("video",),
    "frame_stride": ("depth", "video"),
    "depth_kind": ("depth", "keyframes"),
    "inverted": ("depth", "keyframes"),
    "depth_near": ("depth", "keyframes"),
    "depth_far": ("depth", "keyframes"),
}
"""Settings that say something about some sources alone, with those."""


def _to_size(given: object) -> object:
    try:
        return parse_size(given) if isinstance(given, str) else given
    except ValueError as error:
        raise PydanticCustomError("size", "a size such as 4GB or 500MB") from error


Size = Annotated[int, BeforeValidator(_to_size), Field(gt=0)]

PATHS = ("depth", "video", "scene", "depth_mask", "depth_curve", "model")


def _in_order(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] >= interval[1]:
        raise PydanticCustomError("in_order", "a start below its end")
    return interval


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Stretch = Annotated[tuple[Share, Share], AfterValidator(_in_order)]


class Options(BaseModel):
    """What can be asked of a sample beside its text and depth; None leaves it to the model.

    Attributes:
        num_frames: frames of the result; by default as many as the model was trained on, or the depth's
            own number where that is smaller. More than the depth has are refused, except that a single
            frame of depth may be held still.
        frame_stride: use every so many frames of the depth, the first by default; -1 spreads over the whole
            clip. Of a video, by default those that keep its speed at the result's rate.
        height, width: of the result in pixels, see `plan_framing`.
        quality: a row of `presets.PRESETS` for those of the next ones that are not given themselves; without
            it they are the model's own.
        scheduler: class name of a diffusers scheduler in place of the model's own.
        num_inference_steps: steps of the scheduler.
        timestep_spacing: where on the schedule they are, see the schedulers of diffusers.
        guidance_scale: weight of the text; 1 or less skips the unconditional branch.
        guidance_interval: where on the schedule guidance is applied, as shares of its timesteps from noise:
            (0, 0.4) is the first 40 %. Elsewhere only the conditional branch is evaluated, at half the cost.
        eta: noise that DDIM adds on the way, 0 to 1; other schedulers have no such setting.
        sketch_share: how far into the schedule the sketch of a model that has a sketcher stands in for the
            network, as a share of its timesteps: 0 leaves it out, 1 leaves nothing but it. It follows the
            depth, so there is none where the depth is not followed everywhere.
        refine: whether decoded frames are sharpened: by the sketch, where it leads nearly to the end, or by
            the model's refiner, where it has one.
        antialias: whether patterns of the sketch are averaged over pixels where they are finer than those.
        depth_normalization: whether the depth's minimum and maximum are taken over the clip or over each
            frame, where it should differ from what the model was trained with.
        depth_strength: how far the normalised depth stands out from its neutral middle: 1 is the depth as
            it is, 0 leaves everything to the text (for models that were trained with depth left out).
        stream: whether the frames are made window by window, in memory that does not grow with their
            number; by default where there are more than `planning.STREAM_ABOVE`, or `window` is given.
        window: new frames of each window, by default `planning.WINDOW`.
        context: finished frames before them that a window sees; by default as many as the network's
            attention reaches.
        lookahead: frames after them that it sees; made for their sake, and thrown away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_frames: int | None = Field(None, ge=1)
    frame_stride: int | None = None
    height: int | None = None
    width: int | None = None
    quality: Quality | None = None
    scheduler: str | None = None
    num_inference_steps: int | None = None
    timestep_spacing: TimestepSpacing | None = None
    guidance_scale: float | None = Field(None, allow_inf_nan=False)
    guidance_interval: Stretch | None = None
    eta: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    sketch_share: Share | None = None
    refine: bool | None = None
    antialias: bool | None = None
    depth_normalization: Normalization | None = None
    depth_strength: float = Field(1, ge=0, le=1, allow_inf_nan=False)
    stream: bool | None = None
    window: int | None = Field(None, ge=1)
    context: int | None = Field(None, ge=0)
    lookahead: int = Field(8, ge=0)

    def with_preset(self) -> Self:
        """The same with the numbers of `quality` in its place; what is given beside it stays."""
        if self.quality is None:
            return self
        row = asdict(PRESETS[self.quality])
        left_open = {name: value for name, value in row.items() if getattr(self, name) is None}
        return self.model_copy(update={**left_open, "quality": None})


class Settings(Options):
    """Everything that decides what a run makes; the same settings make the same video.

    Attributes:
        prompt: what the video shows.
        negative_prompt: what the guidance moves away from.
        depth: file or folder of depth; or else one of the next three.
        video: a plain video, whose depth is estimated.
        scene: a 3D scene, or a block-out in YAML, whose depth is cast.
        keyframes: files of depth at some frames, between which depth is made up.
        depth_kind: whether files of depth hold inverse depth (near is large) or metric depth.
        inverted: whether they are the wrong way round for their kind.
        depth_near, depth_far: metres that the ends of integer samples and grey levels stand for.
        estimator: of the video's depth, see `structure.estimators.load_estimator`; by default the model's
            own, where its folder holds one, else the bundled one.
        camera: of the scene: a file of keyframes, a ready-made path, or a camera of the scene's own.
        start: second of the scene's time at which the result begins.
        animation: which of the scene's animations is played; all of them by default.
        depth_mask: grey video or picture, white where the depth is followed and black where it is not.
        depth_curve: text file of lines "frame, strength", between which the strength of the depth is linear.
        model: model folder; None is the bundled model.
        seed: of the noise.
        fps: frames a second of the written video.
        device: where PyTorch computes, such as cuda or mps; another may change the last bits of a result.
        precision: of weights and what is computed; noise and solver stay in single precision. The halves
            take half the memory and, where the device has them, less time.
        compiled: whether the denoising network is compiled, which takes minutes before the first step and
            saves time in each.
        threads: processor threads; more or fewer may change the last bits of a result.
        memory_limit: bytes that the process may hold, in text such as 4GB, too.
        memory_rung: of `memory.LADDER`, chosen by the run to stay below.
        redone: windows of a streamed video that are made again after all, in this order, each with the seed
            of its noise.
    """

    prompt: str
    negative_prompt: str = ""
    depth: Path | None = None
    video: Path | None = None
    scene: Path | None = None
    keyframes: tuple[tuple[int, Path], ...] = ()
    depth_kind: Kind = "inverse"
    inverted: bool = False
    depth_near: float | None = None
    depth_far: float | None = None
    estimator: str | None = None
    camera: str | None = None
    start: float = Field(0, allow_inf_nan=False)
    animation: str | None = None
    depth_mask: Path | None = None
    depth_curve: Path | None = None
    model: Path | None = None
    seed: int = Field(0, ge=0, lt=2**63)
    fps: float | None = Field(None, gt=0, le=1000, allow_inf_nan=False)
    device: str = "cpu"
    precision: Precision = "float32"
    compiled: bool = False
    threads: int | None = Field(None, ge=1)
    memory_limit: Size | None = None
    memory_rung: int | None = Field(None, ge=0, lt=len(LADDER))
    redone: tuple[tuple[int, int], ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> "Settings":
        given = [name for name in SOURCES if getattr(self, name)]
        if len(given) != 1:
            raise PydanticCustomError("one_source", "{given}", {"given": ", ".join(given) or "none"})
        return self

    @property
    def inputs(self) -> dict[str, Path]:
        """Every file or folder that is read, by its setting."""
        return self.inputs_at(Path())

    def inputs_at(self, home: Path) -> dict[str, Path]:
        """The same where relative paths start from `home`."""
        named = {name: getattr(self, name) for name in PATHS}
        named |= {f"keyframe {frame}": path for frame, path in self.keyframes}
        for name in ("camera", "estimator"):  # each may be a name, too
            value = getattr(self, name)
            named[name] = Path(value) if value and (home / value).exists() else None
        return {name: path for name, path in named.items() if path is not None}

    def with_paths(self, change: Callable[[Path], Path], home: Path = Path()) -> "Settings":
        """The same settings with every path changed; relative ones start from `home`."""
        inputs = self.inputs_at(home)
        changed: dict[str, Any] = {name: change(inputs[name]) for name in PATHS if name in inputs}
        changed |= {name: str(change(inputs[name])) for name in ("camera", "estimator") if name in inputs}
        changed["keyframes"] = tuple((frame, change(path)) for frame, path in self.keyframes)
        return self.model_copy(update=changed)


_Model = TypeVar("_Model", bound=BaseModel)


def parse(cls: type[_Model], content: Mapping[str, Any], source: str | Path = "") -> _Model:
    """Check plain values against a pydantic model.

    Args:
        cls: the model.
        content: its entries.
        source: the file they come from, for the message.

    Raises:
        InputError: the first entry that is missing, unknown or out of range.
    """
    try:
        return cls.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        name = ": ".join(part for part in (str(source), ".".join(map(str, first["loc"]))) if part)
        match first["type"]:
            case "missing":
                raise InputError(name, "an entry", "none") from error
            case "one_source":
                raise InputError(
                    str(source) or "structure", f"one of {', '.join(SOURCES)}", first["msg"]
                ) from error
            case "extra_forbidden":
                raise InputError(name, "no entry of that name", "one") from error
        raise InputError(name, first["msg"].removeprefix("Input should be "), repr(first["input"])) from error


def parse_settings(content: Mapping[str, Any], source: Path | None = None) -> Settings:
    """Settings from plain values; paths are relative to the file they come from, if any.

    Raises:
        InputError: an entry is missing, unknown, out of range, or says nothing about the source.
    """
    settings = parse(Settings, content, source or "")
    structure = next(name for name in SOURCES if getattr(settings, name))
    subject = "keyframes" if structure == "keyframes" else getattr(settings, structure)
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    check_belonging(given, structure, subject, BELONGS)
    return anchored(settings, source.parent) if source else settings


def check_there(settings: Settings) -> None:
    """Refuse inputs that are not there, before anything heavy is loaded to read them.

    Raises:
        InputError: the first that is missing; the model's folder is looked at where models are.
    """
    for name, path in settings.inputs.items():
        if name != "model" and not path.exists():
            raise InputError(path, f"a file or folder for {name}", "nothing there")


def check_belonging(
    given: Mapping[str, object], source: str, subject: str | Path, belongs: Mapping[str, Sequence[str]]
) -> None:
    """Refuse options that say nothing about the source, rather than to ignore them.

    Args:
        given: options by name; None and False are not given.
        source: which of `SOURCES` it is.
        subject: its file, for the message.
        belongs: the sources that an option is for; others are for all of them.

    Raises:
        InputError: the first option that is given for another source.
    """
    for name, value in given.items():
        if value is not None and value is not False and source not in belongs.get(name, SOURCES):
            wanted = " or ".join(SOURCES[one] for one in belongs[name])
            option = name.replace("_", "-")
            raise InputError(subject, f"{wanted} beside --{option}", SOURCES[source])


def anchored(settings: Settings, home: Path) -> Settings:
    """The same settings with paths that are relative to `home` made absolute."""
    return settings.with_paths(lambda path: (home / path).resolve(), home)
