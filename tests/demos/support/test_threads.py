"""One rule for the threads of all demos."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from support.demo import start

DEMOS = Path(__file__).resolve().parents[3] / "demos"


def threads():
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


@pytest.mark.parametrize(("arguments", "expected"), [([], 1), (["--threads", "2"], 2)])
def test_products_run_on_as_many_threads_as_it_says(arguments, expected, tmp_path, capsys):
    with threadpool_limits(2, user_api="blas"):
        _, out = start("toy", "", [], argv=["--out", str(tmp_path), *arguments])
        assert threads() == {expected}
    said = capsys.readouterr().out
    assert said.startswith("Matrix products: ") and f" {expected} thread" in said
    out.save_metrics()
    assert (
        json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["threads"] == expected
    )


def test_what_a_demo_loads_later_is_bound_too():
    """SciPy brings products of its own, and loads them when first asked."""
    code = (
        "from support.threads import limit_threads; limit_threads(1)\n"
        "import scipy.linalg, scipy.optimize, scipy.stats, minigan.metrics, minigan.plotting\n"
        "from threadpoolctl import threadpool_info\n"
        "print({i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas'})"
    )
    path = os.pathsep.join([str(DEMOS.parent), str(DEMOS)])
    environment = os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{1}"


PROGRAMS = [path for path in sorted(DEMOS.rglob("*.py")) if "exercises" not in path.parts]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_no_demo_has_a_rule_of_its_own(path):
    imported = {
        name.name.split(".")[0] if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert ("threadpoolctl" in imported) == (path.stem == "threads")
