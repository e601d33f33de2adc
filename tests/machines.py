"""The suite on every machine that a user may have, as far as this one can play it.

    python tests/machines.py                           everything: an hour or two on two cores
    python tests/machines.py --only kernels,threads    some of the factors
    python tests/machines.py tests/metrics             another part of the suite
    python tests/machines.py --write                   put the table into tests/README.md

One factor is changed at a time. What changes numbers (kernels, threads, loops, versions) runs the
numerical part of the suite; what changes the surroundings (signals, folders, locale) runs all of
it, but for the CUDA kernels. Prints a table in Markdown, and below it the tests that failed; the
exit status is 1 if there are any. Other versions of Python are those on PATH and those of pyenv;
each gets a virtual environment in out/machines, for which pip needs a package index.
"""

import argparse
import datetime
import functools
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "tests" / "README.md"
VENVS = ROOT / "out" / "machines"
BEGIN, END = "<!-- table by machines.py -->", "<!-- end of the table -->"

#: What is no numbers (pictures, files, signals, words), and what has its own way to run.
SURROUNDINGS = ("demos", "faults", "plotting", "ranks", "runs", "test_files.py", "test_install.py")
SURROUNDINGS += ("test_portability.py", "test_questions.py", "test_reading_route.py")
ELSEWHERE = ("benchmarks", "cuda")

#: OpenBLAS's families of kernels, and the feature of the processor that each needs.
FAMILIES = {
    **{"Prescott": "SSE3", "Nehalem": "SSE42", "Sandybridge": "AVX", "Haswell": "AVX2"},
    **{"SkylakeX": "AVX512_SKX", "NEOVERSEN1": "ASIMDDP", "ARMV8": "ASIMD"},
}

#: Asked of a Python: its version, its processor's features and NumPy's use of them, its BLAS.
PROBE = """
import json, platform, numpy, scipy, threadpoolctl
from numpy._core import _multiarray_umath as core
blas = [i["architecture"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"]
features = [name for name, there in core.__cpu_features__.items() if there]
print(json.dumps({"python": platform.python_version(), "numpy": numpy.__version__,
    "scipy": scipy.__version__, "blas": blas[0] if blas else None, "features": features,
    "loops": [name for name in core.__cpu_dispatch__ if name in features]}))
"""


@dataclass(frozen=True)
class Machine:
    """What is different from a plain run: its environment, its Python, where it runs and how."""

    factor: str
    name: str
    environment: dict = field(default_factory=dict)
    python: str = sys.executable
    root: Path = ROOT
    cwd: Path = ROOT
    before: object = None  # called in the new process
    numbers: bool = True  # whether the numerical part is enough


def plain(folder):
    here = probe(sys.executable)
    yield Machine("plain", f"Python {here['python']}, NumPy {here['numpy']}, {here['blas']}")


def kernels(folder):
    """Those that the processor can run; OpenBLAS takes its own choice for others."""
    here = probe(sys.executable)
    seen = {here["blas"]}
    for family, feature in FAMILIES.items():
        environment = {"OPENBLAS_CORETYPE": family}
        if feature in here["features"]:
            found = probe(sys.executable, environment)["blas"]
            if found not in seen:
                yield Machine("kernels", f"OpenBLAS's for {family} ({found})", environment)
            seen.add(found)


def threads(folder):
    for count in "12":
        yield Machine("threads", f"{count} of BLAS", {"OPENBLAS_NUM_THREADS": count})


def loops(folder):
    for name, pattern in (
        ("without AVX-512", "AVX512|X86_V4"),
        ("without AVX-512 and AVX2", "AVX512|X86_V4|AVX2|FMA3|X86_V3"),
    ):
        found = [loop for loop in probe(sys.executable)["loops"] if re.match(pattern, loop)]
        if found:
            yield Machine("loops", f"NumPy's {name}", {"NPY_DISABLE_CPU_FEATURES": " ".join(found)})


def versions(folder):
    """The oldest Python with the oldest dependencies, and every other one with the newest."""
    found = dict(reversed(pythons()))
    if found:
        oldest = [*lowest("dependencies"), *lowest("test")]
        yield of_version("oldest", found[min(found)], oldest)
    for number, path in sorted(found.items()):
        if number != sys.version_info[:2]:
            yield of_version("newest", path, [*needed("dependencies"), *needed("test")])


def of_version(kind, python, requirements):
    """The machine of a virtual environment with these requirements."""
    made = environment_of(kind, python, requirements)
    found = probe(made)
    text = f"Python {found['python']}, {kind} dependencies: NumPy {found['numpy']}"
    return Machine("versions", f"{text}, SciPy {found['scipy']}", python=str(made))


def environment_of(kind, python, requirements):
    """The Python of a virtual environment, made if there is none of these requirements."""
    words = "\n".join([str(Path(python).resolve()), *requirements])
    venv = VENVS / f"{kind}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    made = venv / "bin" / "python"
    if not (venv / "done").exists():
        run = functools.partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
        run([python, "-m", "venv", "--clear", venv])
        run([made, "-m", "pip", "install", "-qq", *requirements])
        (venv / "done").touch()
    return made


def surroundings(folder):
    """Where the same numbers are to come out of other circumstances."""
    other = functools.partial(Machine, "surroundings", numbers=False)
    if os.name != "posix":
        return

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    yield other("SIGINT ignored, as under nohup", before=ignore)
    if Path("/proc/self").exists():
        yield other("a working directory that nobody can write to", cwd=Path("/proc"))
    ascii = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    yield other("a locale without UTF-8", ascii)
    spaces = copy(folder / "with spaces, and ümläuts" / "minigan")
    yield other("a path with spaces and umlauts", root=spaces, cwd=spaces)
    yield other("umask 077", before=lambda: os.umask(0o077))
    if os.getuid() == 0:  # else we cannot become somebody else
        yield from container(folder, other)


def container(folder, other):
    """Where the user has neither name nor home, and may write to nothing but the folder tmp."""

    def stranger():
        os.setgroups([])
        os.setgid(54321)
        os.setuid(54321)

    source, temporary = copy(folder / "source"), folder / "tmp"
    temporary.mkdir()
    temporary.chmod(0o777)
    folder.chmod(0o755)
    environment = {"HOME": None, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    name = "a container: no HOME, an unknown user, sources that are read-only"
    for _, python in pythons():
        try:  # one that others may run, too
            subprocess.run([python, "-c", ""], preexec_fn=stranger, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        made = environment_of("newest", python, [*needed("dependencies"), *needed("test")])
        places = {"root": source, "cwd": source}
        yield other(name, environment, python=str(made), before=stranger, **places)
        return


FACTORS = {f.__name__: f for f in (plain, kernels, threads, loops, versions, surroundings)}


def copy(folder):
    """A copy of the sources there, as after a clone."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "out", "build", "*.egg-info")
    return Path(shutil.copytree(ROOT, folder, ignore=ignored))


def pythons():
    """Pairs ((3, minor), path) of every CPython from 3.10 on that pyenv has or that is on PATH."""
    places = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates = [p / "bin" / "python3" for p in sorted(pyenv.glob("*"))]
    candidates += [p / f"python3.{minor}" for p in places for minor in range(10, 20)]
    code = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    found = []
    for path in filter(os.path.exists, candidates):
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        name, *numbers = done.stdout.split() or [None]
        if done.returncode == 0 and name == "cpython":
            found.append((tuple(map(int, numbers)), path))
    return [(number, path) for number, path in found if number >= (3, 10)]


def needed(group):
    """Requirements in pyproject.toml, of the tests without what only their other parts need."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(rf"^{group} = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)[1]
    block = re.sub(r"#.*", "", block)
    others = "ruff|nvidia|pdoc|tornado|nbclient|ipykernel"
    return [r for r in re.findall(r'"([^"]+)"', block) if not re.match(others, r)]


def lowest(group):
    """The same, each at its lowest version; those for some Pythons alone are left out."""
    return [r.replace(">=", "==") for r in needed(group) if ";" not in r]


def probe(python, environment=None):
    command = [python, "-c", PROBE]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def run(machine, parts):
    """Counts of what pytest says, the names of failed tests, and seconds."""
    tests = machine.root / "tests"
    chosen = [str(machine.root / part) for part in parts] or [str(tests)]
    left_out = (*ELSEWHERE, *(SURROUNDINGS if machine.numbers else ())) if not parts else ()
    command = [machine.python, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
    command += ["-c", str(machine.root / "pyproject.toml"), f"--rootdir={machine.root}"]
    command += ["-o", "addopts=--import-mode=importlib"]
    command += [f"--ignore={tests / name}" for name in left_out] + chosen
    environment = {**os.environ, **machine.environment, "PYTHONPATH": str(machine.root)}
    environment = {key: value for key, value in environment.items() if value is not None}
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=machine.cwd,
        env=environment,
        preexec_fn=machine.before,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    seconds = time.perf_counter() - began
    counts = {
        word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)
    }
    failures = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or not counts:
        failures.append(f"pytest ended with status {done.returncode}: {done.stderr[-500:].strip()}")
    return counts, failures, seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="paths in the repository (default: see above)")
    parser.add_argument("--only", default=",".join(FACTORS), help="some of %(default)s")
    parser.add_argument("--write", action="store_true", help="write the table to tests/README.md")
    options = parser.parse_args()
    lines = [
        f"{datetime.date.today():%Y-%m-%d}, {platform.machine()}, {platform.system()}: "
        f"`{' '.join(['python tests/machines.py', *sys.argv[1:]])}`",
        "",
        "| factor | machine | passed | skipped | failed | minutes |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    print("\n".join(lines), flush=True)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        factors = [FACTORS[name] for name in options.only.split(",")]
        for machine in itertools.chain.from_iterable(f(Path(folder)) for f in factors):
            counts, failures, seconds = run(machine, options.parts)
            figures = [str(counts.get(word, 0)) for word in ("passed", "skipped")]
            figures += [str(len(failures)), f"{seconds / 60:.1f}"]
            lines.append(f"| {machine.factor} | {machine.name} | {' | '.join(figures)} |")
            print(lines[-1], flush=True)
            failed += [f"- {machine.name}: {failure}" for failure in failures]
    lines += ["", *(failed or ["No test failed."])]
    print("\n".join(["", *(failed or ["No test failed."])]))
    if options.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        text = "\n".join([before + BEGIN, "", *lines, "", END + after])
        README.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
