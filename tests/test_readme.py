"""The README's tree is the tree."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_module_stands_in_the_readme_with_a_phrase():
    listed = re.findall(r"^ +([a-z_]+\.py) +\S", README, re.MULTILINE)
    modules = [path.name for path in (ROOT / "src").rglob("*.py") if not path.name.startswith("__")]
    assert sorted(listed) == sorted(modules)


def test_every_linked_file_is_there():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
