"""Runs that can be taken up again: what the network answered is kept, and told again in place of asking."""

from collections.abc import Iterator, MutableMapping
from itertools import count
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from makeyourvideo.sampling.guidance import Predict


def recorded(predict: Predict, answers: MutableMapping[int, Tensor]) -> Predict:
    """Keep every answer of `predict`, and give those that are kept already, in order, without asking.

    A loop that was stopped is simply run again: what its scheduler remembers and draws is computed once more
    from the same answers, so that it goes on with the same bits, whatever the scheduler.

    Args:
        predict: the seam.
        answers: by number, from 0.
    """
    numbers = count()

    def predict_once(latents: Tensor, timesteps: Tensor) -> Tensor:
        number = next(numbers)
        try:
            return answers[number].to(latents.device)
        except KeyError:
            answers[number] = answer = predict(latents, timesteps)
            return answer

    return predict_once


class TensorFolder(MutableMapping[int, Tensor]):
    """Tensors on disk by number, a file each, which is there whole or not at all.

    A file that cannot be read counts as missing: whoever asks makes its tensor again.

    Args:
        folder: where; made when the first tensor comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, number: int) -> Tensor:
        try:
            tensor: Tensor = load_file(self._file(number))["tensor"]
        except (OSError, SafetensorError):
            raise KeyError(number) from None
        return tensor

    def __setitem__(self, number: int, tensor: Tensor) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{number:05}.unfinished"
        save_file({"tensor": tensor.detach().cpu().contiguous()}, unfinished)
        unfinished.replace(self._file(number))

    def __delitem__(self, number: int) -> None:
        try:
            self._file(number).unlink()
        except FileNotFoundError:
            raise KeyError(number) from None

    def __iter__(self) -> Iterator[int]:
        return (int(file.stem) for file in sorted(self.folder.glob("[0-9]*.safetensors")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05}.safetensors"
