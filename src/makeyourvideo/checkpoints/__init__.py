"""Foreign checkpoints turned into model folders."""

from makeyourvideo.checkpoints.convert import Copied, Written, convert
from makeyourvideo.checkpoints.reference import Dropped

__all__ = ["Copied", "Dropped", "Written", "convert"]
