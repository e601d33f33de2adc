"""What would fail on another system, as far as the source shows it: read from every file here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for folder in ("minigan", "demos", "tests")
    for path in (ROOT / folder).rglob("*.py")
    # These start a Linux compiler, a GPU's driver or measure what only Linux tells.
    if "tests/cuda/emulator" not in path.as_posix() and path.name != "run.py"
)
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}


PROGRAMS = [path for path in FILES if path.relative_to(ROOT).parts[0] != "tests"]


@pytest.fixture
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def each(paths):
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    return pytest.mark.parametrize("path", paths, ids=names)


def calls(tree):
    """Pairs (name of the function or method, the call)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).split(".")[-1], node


@each(FILES)
def test_no_module_that_windows_lacks_is_imported_with_the_file(tree):
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not POSIX_ONLY & set(names), f"line {node.lineno}"


@each(FILES)
def test_signals_are_raised_not_sent_to_oneself(tree):
    """On Windows os.kill ends the process, whatever the signal and its handler."""
    for _, call in calls(tree):
        assert ast.unparse(call.func) not in ("os.kill", "os.killpg"), f"line {call.lineno}"


@each(FILES)
def test_nothing_is_forked(tree):
    """Windows cannot, and macOS should not."""
    for name, call in calls(tree):
        arguments = [ast.unparse(a) for a in call.args]
        assert name not in ("fork", "forkpty"), f"line {call.lineno}"
        assert name != "get_context" or arguments == ["'spawn'"], f"line {call.lineno}"


@each(FILES)
def test_text_files_have_an_encoding(tree):
    """Without one it is the locale's, which is not UTF-8 everywhere."""
    for name, call in calls(tree):
        given = {keyword.arg for keyword in call.keywords}
        position = {"read_text": 0, "write_text": 1}.get(name)
        if position is not None:
            assert "encoding" in given or len(call.args) > position, f"line {call.lineno}"


LIBRARY = [path for path in PROGRAMS if path.relative_to(ROOT).parts[0] == "minigan"]


@each([path for path in LIBRARY if "plotting" not in path.parts])
def test_what_the_library_prints_is_ascii(tree):
    """A pipe on Windows or a container may show nothing else, and print() then fails.

    Demos replace what cannot be shown. What is raised goes to stderr, where Python replaces it.
    """
    unprinted = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            unprinted.update(ast.walk(node))
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            unprinted.update(ast.walk(node.body[0]) if ast.get_docstring(node) else ())
    for node in set(ast.walk(tree)) - unprinted:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.isascii(), f"line {node.lineno}: {node.value!r}"


@each(LIBRARY)
def test_progress_bars_need_no_console(tree):
    """Where there is none (pythonw), sys.stderr is None, and tqdm fails."""
    if any(name == "tqdm" for name, _ in calls(tree)):
        assert "sys.stderr is None" in ast.unparse(tree)
