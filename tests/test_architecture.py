"""The layers hold: structure -> models, sampling -> pipeline -> evaluation, cli, studio; never back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import makeyourvideo

ROOT = Path(makeyourvideo.__file__).parent
FOUNDATION = {"errors", "outputs", "media"}
JOINING = {
    "framing", "settings", "planning", "pipeline_output", "model_folder", "pipeline", "manifest", "run",
    "replay", "cost",
}  # fmt: skip

# What each part may import beside itself and the foundation.
ALLOWED = {
    "media": {"errors", "outputs"},
    "structure": {"models"},
    "models": set(),
    "sampling": set(),
    "pictures": {"structure"},
    "checkpoints": {"models", "pipeline"},
    "world": {"structure", "pictures"},
    "training": {"models", "world", "structure"},
    "evaluation": {"structure", "models", "sampling", "pictures", "world", *JOINING},
    **dict.fromkeys(JOINING, {"structure", "models", "sampling", "pictures", *JOINING}),
    **dict.fromkeys(("cli", "studio", "__main__"), None),  # anything
}


def imports(file: Path) -> Iterator[str]:
    """The parts of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            modules = [node.module or ""]
            if node.module == "makeyourvideo":
                modules = [f"makeyourvideo.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in modules if name.startswith("makeyourvideo."))


PARTS = sorted(
    {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - {"__init__"}
)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_imports_only_what_is_to_its_left(part: str) -> None:
    folder = ROOT / part
    used = {
        (imported, file.name)
        for file in (folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")])
        for imported in imports(file)
    }
    allowed = ALLOWED.get(part, set() if part in FOUNDATION else None)
    if part not in ALLOWED and part not in FOUNDATION:
        pytest.fail(f"{part} is new: say in this file what it may import")
    if allowed is None:
        return
    wrong = {(imported, file) for imported, file in used if imported not in {part} | FOUNDATION | allowed}
    assert not wrong


def test_only_media_touches_codecs() -> None:
    for file in ROOT.rglob("*.py"):
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text()))
            for name in (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
        }  # fmt: skip
        assert "av" not in names or file.is_relative_to(ROOT / "media"), file


@pytest.mark.parametrize("part", ["sampling", "models", "structure"])
def test_nothing_below_the_pipeline_knows_the_others(part: str) -> None:
    others = {"sampling", "models", "structure"} - {part} - ({"models"} if part == "structure" else set())
    for file in (ROOT / part).rglob("*.py"):
        assert not set(imports(file)) & others, file
