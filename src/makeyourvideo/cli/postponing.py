"""Packages that run their own code once something of it is asked for, not when a part of them is imported."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

POSTPONED = frozenset(
    {
        "diffusers.models.autoencoders",
        "diffusers.models.transformers",
        "diffusers.models.unets",
        "scipy.stats",
    }
)
"""Those that import every network or distribution there is, where one is wanted, or none."""


class _Postponed(ModuleType):
    def __getattr__(self, name: str) -> Any:
        loader = self.__dict__.pop("_postponed", None)
        if loader is None:  # not found yet, or run already
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader.exec_module(self)
        return getattr(self, name)


class _Postponing(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Postponed(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_postponed"] = self.loader


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in POSTPONED else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Postponing(spec.loader)
        return spec


def postpone() -> None:
    """Import `POSTPONED` so from now on: an eighth of the time of a command's imports it does not need."""
    sys.meta_path.insert(0, _Finder())
