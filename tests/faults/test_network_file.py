"""One network in a file: what comes back is the same network, and no file can do harm."""

import copy
import hashlib
import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan import (
    GAN,
    Adam,
    AvgPool2d,
    BatchNorm,
    Block,
    CheckpointError,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    FourierFeatures,
    GlobalSumPool,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Normal,
    NormalLatent,
    Pack,
    ReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    Upsample,
    load,
    save,
)
from minigan.runs.archive import open_archive, write_archive
from minigan.runs.network_file import LAYERS, LONGEST, MOST, read_network

#: Each layer, with no argument at its default, and an input that it takes.
EXAMPLES = {
    "AvgPool2d": (lambda: AvgPool2d(3), (6, 3, 2)),
    "BatchNorm": (lambda: BatchNorm(3, affine=False, eps=1e-3, momentum=0.2), (3,)),
    "Block": (lambda: Block([Dense(3, 2), Tanh(), Block([Dense(2, 4, bias=False)])]), (3,)),
    "Conv2d": (
        lambda: Conv2d(2, 3, (1, 2), (2, 1), (0, 1), bias=False, init=Normal(0.1)),
        (4, 3, 2),
    ),
    "ConvTranspose2d": (
        lambda: ConvTranspose2d(2, 3, (4, 3), (2, 3), (1, 0), (1, 2), bias=False),
        (2, 3, 2),
    ),
    "Dense": (lambda: Dense(3, 4, bias=False, init=Normal(0.1)), (3,)),
    "Dropout": (lambda: Dropout(0.25), (6,)),
    "Flatten": (lambda: Flatten(), (2, 3)),
    "FourierFeatures": (lambda: FourierFeatures(3, 4, scale=2.5), (3,)),
    "GlobalSumPool": (lambda: GlobalSumPool(), (2, 3, 2)),
    "InstanceNorm": (lambda: InstanceNorm(2, affine=False, eps=1e-3), (3, 2, 2)),
    "LayerNorm": (lambda: LayerNorm(3, eps=1e-3), (3,)),
    "LeakyReLU": (lambda: LeakyReLU(0.3), (3,)),
    "MinibatchStd": (lambda: MinibatchStd(eps=1e-3), (3,)),
    "Pack": (lambda: Pack(2), (3,)),
    "ReLU": (lambda: ReLU(), (3,)),
    "Residual": (
        lambda: Residual([Conv2d(2, 3, 1), BatchNorm(3), ReLU()], [SpectralNorm(Conv2d(2, 3, 1))]),
        (2, 2, 2),
    ),
    "Reshape": (lambda: Reshape(2, 1, 3), (6,)),
    "SelfAttention": (lambda: SelfAttention(9), (2, 3, 9)),
    "Sigmoid": (lambda: Sigmoid(), (3,)),
    "Softplus": (lambda: Softplus(), (3,)),
    "SpectralNorm": (lambda: SpectralNorm(Conv2d(2, 3, 2, stride=2)), (4, 4, 2)),
    "Tanh": (lambda: Tanh(), (3,)),
    "Upsample": (lambda: Upsample(3), (2, 3, 2)),
}


def test_every_layer_has_an_example():
    assert set(EXAMPLES) == set(LAYERS)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_comes_back_as_it_was(name, dtype, randomized, tmp_path):
    make, shape = EXAMPLES[name]
    network = randomized([make()], shape, dtype=dtype)
    save(network, tmp_path / "network.npz", notes={"by": "me"})
    found, notes = read_network(tmp_path / "network.npz")
    assert (repr(found), found.dtype, found.shapes) == (
        *(repr(network), network.dtype),
        network.shapes,
    )
    assert vars(found.layers[0].unbound()).keys() == vars(network.layers[0].unbound()).keys()
    for vector in ("parameters", "buffers"):
        assert getattr(found, vector).tobytes() == getattr(network, vector).tobytes()
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype(dtype)
    for train in (False, True):
        twins = [load(tmp_path / "network.npz", rng=7) for _ in range(2)]
        y, cache = twins[0].forward(x, train)
        again, _ = twins[1].forward(x, train)
        np.testing.assert_array_equal(y, again)
        if name != "Dropout":  # which draws
            expected, caches = copy.deepcopy(network).forward(x, train)
            np.testing.assert_array_equal(y, expected)
            dy = np.ones_like(y)
            np.testing.assert_array_equal(
                twins[0].backward(dy, cache), network.backward(dy, caches)
            )
    assert notes == {"by": "me"}


def network_of_all_kinds():
    layers = [SpectralNorm(Conv2d(1, 2, 3)), LeakyReLU(), Flatten(), Dense(8, 4), BatchNorm(4)]
    return Sequential(layers, (4, 4, 1), rng=0)


@pytest.fixture
def path(tmp_path):
    save(network_of_all_kinds(), tmp_path / "network.npz")
    return tmp_path / "network.npz"


def test_numpy_opens_it_without_pickle(path):
    network = network_of_all_kinds()
    with np.load(path, allow_pickle=False) as found:
        for name, view in (network.named_parameters() | network.named_buffers()).items():
            np.testing.assert_array_equal(found[name], view)
        header = json.loads(bytes(found["header"]))
    assert header["layers"][3] == {"Dense": {"in_features": 8, "out_features": 4, "bias": True}}
    assert "init" not in str(header)


def test_half_precision_takes_half_the_room_and_keeps_three_digits(path, tmp_path):
    network = Sequential([Dense(100, 100)], (100,), rng=0)
    sizes = []
    for dtype in ("float32", "float16"):
        save(network, tmp_path / dtype, dtype=dtype)
        sizes.append((tmp_path / dtype).stat().st_size)
    found = load(tmp_path / "float16")
    assert sizes[1] < 0.55 * sizes[0] and found.dtype == "float32"
    np.testing.assert_allclose(found.parameters, network.parameters, rtol=1e-3, atol=1e-7)


def test_what_is_derived_of_rounded_weights_is_of_those(path):
    network = network_of_all_kinds()
    save(network, path, dtype="float16")
    found = load(path)
    left, right = found.layers[0].singular_vectors()
    np.testing.assert_array_equal(found.layers[0].left, left)
    np.testing.assert_array_equal(found.layers[0].right, right)


def test_the_averaged_weights_by_choice(tmp_path):
    G, D = (Sequential([Dense(n, m)], (n,), rng=0) for n, m in ((3, 2), (2, 1)))
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    gan = GAN(*(G, D, "minimax"), latent=NormalLatent(3), rng=0, average_decay=0.9, **optimizers)
    gan.generator.parameters[...] = 1
    save(gan.average.network, tmp_path / "average.npz")
    z = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(load(tmp_path / "average.npz")(z), gan.generate(z))


class Mine(Layer):
    pass


class Subclass(ReLU):
    pass


@pytest.mark.parametrize("layer", [Mine, Subclass, lambda: type("ReLU", (ReLU,), {})()])
def test_only_layers_of_minigan_are_saved(layer, path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="expected a layer of minigan, got one of its own class"):
        save(Sequential([layer()], (3,), rng=0), path)
    assert path.read_bytes() == before


def test_what_cannot_be_saved(path):
    before = path.read_bytes()
    network = network_of_all_kinds()
    with pytest.raises(TypeError, match="network: expected a Sequential, got list"):
        save([1], path)
    with pytest.raises(ValueError, match="dtype: expected floating-point numbers, got int8"):
        save(network, path, dtype="int8")
    network.layers[3].weight[...] = 1e5
    with pytest.raises(CheckpointError, match=r"not saved: 3\.weight is not finite as float16"):
        save(network, path, dtype="float16")
    network.layers[4].running_var[...] = np.nan
    with pytest.raises(CheckpointError, match=r"not saved: 4\.running_var is not finite"):
        save(network, path)
    with pytest.raises(TypeError):
        save(network_of_all_kinds(), path, notes={"a": object()})
    assert path.read_bytes() == before


# --- Files that somebody else made ---------------------------------------------------------------


def content(path):
    with open_archive(path) as archive:
        return archive.header, {name: archive.read(name) for name in archive.shapes}


def rewrite(path, **changes):
    header, arrays = content(path)
    for name, value in changes.items():
        (header if name in header else arrays)[name] = value
    write_archive(path, header, {n: a for n, a in arrays.items() if a is not None})


def layers(*values):
    return lambda path: rewrite(path, layers=list(values))


def array(name, value):
    return lambda path: rewrite(path, **{name: value})


def with_objects(path):
    """An array of objects, as NumPy would pickle it."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w") as new:
        new.comment = bytes(64)
        for name in old.namelist():
            data = old.read(name)
            if name == "3.bias.npy":
                member = io.BytesIO()
                np.lib.format.write_array(member, np.array([{}] * 4, object), allow_pickle=True)
                data = member.getvalue()
            new.writestr(name, data)
    body = file.getvalue()[:-64]
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


def nested(depth):
    value = {"ReLU": {}}
    for _ in range(depth):
        value = {"SpectralNorm": {"layer": value}}
    return value


def dense(**arguments):
    return {"Dense": {"in_features": 8, "out_features": 4, "bias": True} | arguments}


BAD = {
    "truncated, or not a file of minigan": lambda path: path.write_bytes(path.read_bytes()[:-70]),
    "the file is empty": lambda path: path.write_bytes(b""),
    "not an npz file": lambda path: path.write_text(
        '{"format": "minigan network"}', encoding="utf-8"
    ),
    "truncated, or not a file": lambda path: np.savez(path, a=np.eye(2)),
    "refused: no plain array": with_objects,
    "holds no network of minigan": lambda path: rewrite(path, format="minigan checkpoint"),
    "holds no network": lambda path: write_archive(path, [1, 2], {}),
    "its format is 2, this minigan reads 1": lambda path: rewrite(path, version=2),
    "malformed: 'layers'": lambda path: write_archive(
        path, {"format": "minigan network", "version": 1}, {}
    ),
    "layers: expected a list, got str": lambda path: rewrite(path, layers="Dense"),
    "layers: expected at least one": layers(),
    "expected a layer of minigan and its arguments, got 'Dense'": layers("Dense"),
    "got {'os': {}}": layers({"os": {}}),
    "got {'Layer': {}}": layers({"Layer": {}}),
    "got {'Sequential': {}}": layers({"Sequential": {}}),
    "got {'__class__': {}}": layers({"__class__": {}}),
    "got {'Dense': [8, 4]}": layers({"Dense": [8, 4]}),
    "got {'ReLU': {}, 'Tanh': {}}": layers({"ReLU": {}, "Tanh": {}}),
    "unexpected keyword argument 'evil'": layers(dense(evil=1)),
    "missing 2 required": layers({"Dense": {}}),
    "in_features: expected an integer, got '8'": layers(dense(in_features="8")),
    "in_features: expected an integer, got": layers(dense(in_features=8.0)),
    "expected at least 1, got -8": layers(dense(in_features=-8)),
    "expected a Dense or convolution layer": layers({"SpectralNorm": {"layer": 3}}),
    "eps: expected a number in": layers({"BatchNorm": {"num_features": 4, "eps": float("nan")}}),
    "does not fit: expected input": layers(dense(in_features=9)),
    "expected at most 1000 layers": layers(*[{"ReLU": {}}] * (MOST + 1)),
    "its header is longer than": layers(*[{"ReLU": {}}] * 1_000_000),
    "malformed: ": layers(nested(300)),
    "input_shape: expected a tuple": lambda path: rewrite(path, input_shape=4),
    "input_shape: expected at least 1": lambda path: rewrite(path, input_shape=[4, 0, 1]),
    "dtype: expected float32 or float64, got 'object'": lambda path: rewrite(path, dtype="object"),
    "dtype: expected float32 or float64, got": lambda path: rewrite(path, dtype=None),
    "3.weight: expected (8, 4), got (4, 8)": array("3.weight", np.ones((4, 8))),
    "3.bias: expected (4,), got None": array("3.bias", None),
    "9.weight: expected None, got (2,)": array("9.weight", np.ones(2)),
    "3.weight: not finite as float32": array("3.weight", np.full((8, 4), np.nan)),
    "3.bias: not finite as float32": array("3.bias", np.full(4, 1e300)),
    "3.bias: expected floating-point numbers": array("3.bias", np.ones(4, int)),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_file_gets_a_sentence_and_no_memory(reason, path):
    BAD[reason](path)
    tracemalloc.start()
    with pytest.raises(CheckpointError) as caught:
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert caught.value.path == path and reason in message
    assert "\n" not in message and len(message) < 400
    # What a header of the longest allowed holds as Python's objects, whatever it claims
    assert peak < 4 * path.stat().st_size + 16 * LONGEST


HUGE = 1 << 40


@pytest.mark.parametrize(
    "layer", [dense(out_features=HUGE), dense(out_features=10**400, bias=False)]
)
def test_claimed_sizes_are_not_believed(layer, path):
    layers({"Flatten": {}}, {"Reshape": {"shape": [8]}}, layer)(path)
    rewrite(path, input_shape=[8])
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r"2\.weight: expected"):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def places(value, place=()):
    yield place
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*place, key))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=60)
@given(data=st.data(), value=values)
def test_any_value_anywhere_in_the_header(data, value, tmp_path_factory):
    path = tmp_path_factory.mktemp("header") / "network.npz"
    save(network_of_all_kinds(), path)
    header, arrays = content(path)
    *above, key = data.draw(st.sampled_from([p for p in places(header) if p]))
    target = header
    for step in above:
        target = target[step]
    target[key] = value
    write_archive(path, header, arrays)
    try:
        assert np.isfinite(load(path).parameters).all()
    except CheckpointError as error:
        assert str(path) in str(error)
