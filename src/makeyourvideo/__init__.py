"""Make a video from a sentence and per-frame depth (Make-Your-Video, arXiv 2306.00943)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makeyourvideo.models.unet import VideoUNet
    from makeyourvideo.pipeline import MakeYourVideoPipeline
    from makeyourvideo.structure.depth import DepthVideo

__version__ = "0.1.0"
__all__ = ["DepthVideo", "MakeYourVideoPipeline", "VideoUNet"]

_HOMES = {
    "DepthVideo": "makeyourvideo.structure.depth",
    "MakeYourVideoPipeline": "makeyourvideo.pipeline",
    "VideoUNet": "makeyourvideo.models.unet",
}


def __getattr__(name: str) -> Any:  # heavy libraries load only when a public name is used
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
