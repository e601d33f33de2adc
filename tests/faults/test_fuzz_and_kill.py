"""The benchmark `faults.py` in small: what it runs 50 and 100,000 times must hold here, too."""

import json
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan import CheckpointError, load_checkpoint, save_checkpoint
from minigan.runs.archive import open_archive, write_archive

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "faults.py"


@pytest.fixture(scope="module")
def faults():
    return runpy.run_path(str(SCRIPT))


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_it_ends_the_same(faults):
    digests, expected, _ = faults["kill"](6, seed=1)  # where a kill hits is a matter of chance
    assert digests == {expected}


def test_mutated_files_are_read_or_refused_by_name(faults):
    found, peak = faults["fuzz"](1000, seed=2)
    assert sum(found.values()) == 1000
    kinds = {kind for kind, _ in found}
    assert all(found[kind, end] > 0 for kind in kinds for end in ("read", "refused")), found
    assert peak < 8 << 20


def test_without_mnist_the_fuzzer_makes_its_own_file(faults, monkeypatch):
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    assert faults["real_idx"]()[:4] == bytes([0, 0, 8, 1])


def test_the_fuzzer_would_see_a_crash(faults, monkeypatch):
    """A loader that lets one of its parser's errors through is caught."""

    def careless(path, **options):
        content = path.read_bytes()
        return memoryview(content[4 : 4 + content[5000]])

    monkeypatch.setitem(faults["fuzz"].__globals__, "read_idx", careless)
    with pytest.raises(IndexError):
        faults["fuzz"](1000, seed=2)


def paths(value, place=()):
    """Every place in nested dicts and lists."""
    yield place
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from paths(item, (*place, key))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=40)
@given(data=st.data(), value=json_values)
def test_any_value_anywhere_in_the_header(data, value, build_game, numbers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("header")
    game, batches = build_game("r2")
    save_checkpoint(folder / "run.npz", game, batches, history={"losses": [1.0]})
    with open_archive(folder / "run.npz") as archive:
        header = archive.header
        arrays = {name: archive.read(name) for name in archive.shapes}
    *above, key = data.draw(st.sampled_from([p for p in paths(header) if p]))
    target = header
    for step in above:
        target = target[step]
    target[key] = value
    write_archive(folder / "run.npz", json.loads(json.dumps(header)), arrays)
    before = numbers(game), str(batches.state())
    try:
        load_checkpoint(folder / "run.npz", game, batches, configuration={})
    except CheckpointError:
        assert (numbers(game), str(batches.state())) == before
