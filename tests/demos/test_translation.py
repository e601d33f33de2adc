"""Tests of the demo of unpaired translation: the plane, and images with stand-ins for digits."""

import numpy as np
import pytest

import minigan.data
import minigan.metrics

FILES = {"picture.png", "cycle.png", "animation.gif", "metrics.json"}


@pytest.fixture
def stand_in(monkeypatch):
    """Bars instead of digits: their row is their label. The judge looks for the brightest row."""
    labels = np.arange(300) % 10
    images = np.full((300, 28, 28, 1), -1, np.float32)
    ink = np.random.default_rng(0).uniform(0.5, 1, 300)  # no two are alike
    for image, label, grey in zip(images, labels, ink, strict=True):
        image[2 * label + 4 : 2 * label + 6, 4:24] = grey

    class BrightestRow:
        accuracy = 1.0

        def __call__(self, images):
            rows = images[:, 4:24, :, 0].reshape(-1, 10, 2, 28).mean(axis=(2, 3))
            return np.eye(10)[rows.argmax(axis=1)], rows

    monkeypatch.setattr(minigan.data, "load_mnist", lambda split, data_dir: (images, labels))
    monkeypatch.setattr(minigan.metrics, "mnist_classifier", lambda **options: BrightestRow())
    return BrightestRow()


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("data", ["plane", "inverted"])
def test_a_quick_run_writes_all_files(data, run_demo, metrics, check_pictures, tmp_path, capsys):
    run_demo("translation", "--quick", "--steps", 8, "--data", data, "--out", tmp_path)
    check_pictures(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == FILES
    found = metrics(tmp_path)
    assert (found["demo"], found["data"], found["steps"]) == ("translation", data, 8)
    assert found["cycle_weight"] == (2 if data == "plane" else 10)
    assert "8/8" in capsys.readouterr().err


@pytest.mark.usefixtures("without_pictures")
def test_the_plane_is_learnt(run_demo, metrics, tmp_path):
    """The cycles close, and a's translations come nearer to b than a itself is."""
    demo = run_demo("translation", "--quick", "--steps", 400, "--out", tmp_path)
    found = metrics(tmp_path)
    assert found["cycle_error"] < 0.1 * found["cycle_error_at_start"]
    a, b = demo["seen_a"], demo["seen_b"]
    assert found["distance_to_b"] < minigan.metrics.wasserstein_assignment(a, b)
    assert found["distance_of_real_samples"] < found["distance_to_b"]
    (_, _, back), _ = demo["looks"][-1][1]
    assert np.abs(back - a).mean() < 0.1  # spread of a: 1


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("data, steps", [("inverted", 60), ("rotated", 30)])
def test_images_are_learnt(data, steps, stand_in, run_demo, metrics, tmp_path):
    demo = run_demo("translation", "--quick", "--steps", steps, "--data", data, "--out", tmp_path)
    found = metrics(tmp_path)
    assert found["cycle_error"] < 0.5 * found["cycle_error_at_start"]
    # The judge sees translations the right way up: a true translation is kept wholly.
    true = demo["turn_back"](demo["turn"](demo["unseen"]))
    assert (stand_in(true)[0].argmax(axis=1) == demo["labels"]).all()


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_nothing_is_paired(run_demo, tmp_path):
    demo = run_demo("translation", "--quick", "--steps", 1, "--data", "inverted", "--out", tmp_path)
    assert len(demo["a"]) == len(demo["b"]) == 150
    np.testing.assert_array_equal(demo["a"], demo["images"][:150])
    np.testing.assert_array_equal(demo["b"], -demo["images"][150:])


@pytest.mark.parametrize("option", ["--data", "--a", "--b"])
def test_unknown_names_are_refused(option, run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("translation", option, "nonsense", "--out", tmp_path)
    assert exit.value.code == 2
    assert "nonsense" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
