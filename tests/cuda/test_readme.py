"""What the README shows is what a reader gets."""

import re
import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text(encoding="utf-8")


def test_the_lesson_prints_what_the_readme_shows(capsys, emulator):
    shown = re.search(r"\$ python tests/cuda/lesson\.py\n(.*?)```", README, re.DOTALL)[1]
    runpy.run_path(str(HERE / "lesson.py"))
    assert shown.splitlines() == capsys.readouterr().out.splitlines()[: len(shown.splitlines())]


def test_the_readmes_kernel_fails_as_it_says(emulator):
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    with pytest.raises(emulator.EmulatorError, match=r"line 5: if \(i <= n\) x\[i\]"):
        exec(example, {})
    exec(example.replace("i <= n", "i < n"), {})
