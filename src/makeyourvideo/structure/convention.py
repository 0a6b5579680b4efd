"""What stored samples mean, as a small JSON file that travels with them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.structure.depth import Normalization, Units

Kind = Literal["inverse", "metric"]

IN_FOLDER = "depth.json"
_BESIDE = ".depth.json"


class Convention(BaseModel):
    """How to read the samples beside it; everything has a default but the kind.

    Attributes:
        kind: "inverse" where near is large, "metric" where samples are distances.
        inverted: inverse depth stored upside down, near = black.
        units: "metric" where distances are known in metres.
        near: metres. Of integers and grey levels, what white (inverse) or black (metric) stands for; of
            floats, which are metres already, the range to expect.
        far: metres, likewise the other end; none beside a `near` is infinity.
        span: of integers and grey levels without units, the inverse depth of black and of white.
        normalization: over the clip or each frame.
        fps: frames a second.
        source: where the depth comes from, for messages and manifests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    inverted: bool = False
    units: Units = "relative"
    near: float | None = None
    far: float | None = None
    span: tuple[float, float] | None = None
    normalization: Normalization | None = None
    fps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    source: str | None = None


def convention_path(path: Path) -> Path:
    """Where the convention of a depth file or folder stands: inside a folder, beside a file."""
    return path / IN_FOLDER if path.is_dir() else path.with_name(path.name + _BESIDE)


def read_convention(path: Path) -> Convention | None:
    """Read what is stated about the depth at `path`, if anything.

    Raises:
        InputError: the JSON is unreadable or states something unknown.
    """
    stated = convention_path(path)
    if not stated.exists():
        return None
    with unreadable_unless(stated, "a depth convention in JSON"):
        try:
            return Convention.model_validate_json(stated.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(stated, "a depth convention", f"{where}: {first['msg']}") from error


def inverse_ends(
    subject: Path, near: float | None, far: float | None, span: tuple[float, float] | None = None
) -> tuple[float, float] | None:
    """The inverse depth of black and white: `(1 / far, 1 / near)`, or `span`; none where neither is known.

    Raises:
        InputError: not 0 < near < far, or `far` alone.
    """
    if near is None and far is None:
        return span
    if near is None or not 0 < near < (float("inf") if far is None else far):
        raise InputError(subject, "0 < near < far, in metres", f"near {near} and far {far}")
    return (0.0 if far is None else 1 / far), 1 / near
