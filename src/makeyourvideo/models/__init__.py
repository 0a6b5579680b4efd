"""Models: tensors in, tensors out; no files, no sampling."""

from makeyourvideo.models.unet import VideoUNet

__all__ = ["VideoUNet"]
