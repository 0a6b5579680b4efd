"""The layers hold: structure -> models, sampling -> pipeline -> evaluation, cli, studio; never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import makeyourvideo

ROOT = Path(makeyourvideo.__file__).parent
FOUNDATION = {"errors", "outputs", "media"}
PIPELINE = {
    "presets", "framing", "settings", "sources", "depth_job", "planning", "sketches", "conditioning",
    "sketching", "denoising",
    "pipeline_output", "model_folder", "pipeline", "manifest", "job", "kept_work", "making", "run",
    "replay", "cost", "memory", "timing",
}  # fmt: skip
BELOW = {"structure", "models", "sampling", "pictures", "drift"}
ANYTHING = None
COMMANDS = {"cli", "studio", "__main__"}

ALLOWED: dict[str, set[str] | None] = {
    "errors": set(),
    "outputs": {"errors"},
    "media": {"errors", "outputs"},
    "models": FOUNDATION,
    "sampling": FOUNDATION,
    "structure": FOUNDATION | {"models"},
    "pictures": FOUNDATION | {"structure"},
    "drift": FOUNDATION | {"structure"},
    "checkpoints": FOUNDATION | {"models", "pipeline", "model_folder"},
    "world": FOUNDATION | {"structure", "pictures"},
    "training": FOUNDATION | {"models", "model_folder", "structure", "world"},
    "evaluation": FOUNDATION | BELOW | PIPELINE | {"world"},
}
"""What each part may import beside itself."""
for part in PIPELINE:
    ALLOWED[part] = FOUNDATION | BELOW | PIPELINE
for part in COMMANDS:
    ALLOWED[part] = ANYTHING

PARTS = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - {"__init__"}


def files(part: str) -> list[Path]:
    return [*(ROOT / part).rglob("*.py"), *ROOT.glob(f"{part}.py")]


def imports(file: Path) -> Iterator[str]:
    """The modules a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_imports_only_what_lies_before_it(part: str) -> None:
    assert part in ALLOWED, f"{part} is new: say in this file what it may import"
    allowed = ALLOWED[part]
    for file in files(part):
        own = {name.split(".")[1] for name in imports(file) if name.startswith("makeyourvideo.")}
        if allowed is not ANYTHING:
            assert own & PARTS <= allowed | {part}, file.relative_to(ROOT)


def test_nothing_stands_on_the_command_or_the_studio() -> None:
    for part in PARTS - COMMANDS:
        for file in files(part):
            assert not [name for name in imports(file) if name.split(".")[1:2] in (["cli"], ["studio"])]


def test_only_media_touches_codecs() -> None:
    users = {
        part for part in PARTS for file in files(part) for name in imports(file) if name.split(".")[0] == "av"
    }
    assert users == {"media"}
