"""The checker names the right mistake, and never a wrong one."""

import ast
import copy
import types
from pathlib import Path

import numpy as np
import pytest

import minigan
from checker.diagnosis import UNSUMMED, examine
from checker.exercise import answers, open_file, replaced

pytestmark = pytest.mark.slow

FILES = sorted((Path(__file__).parents[3] / "demos" / "exercises").glob("[0-9]*.py"))
PARTS = {f"{file.stem} {p.piece}": p for file in FILES for p in answers(file.stem).parts}
PLANTED = [
    pytest.param(part, wrong, sentence, id=f"{name}-{wrong.__name__}")
    for name, part in PARTS.items()
    for wrong, sentence in part.mistakes.items()
]
LAYERS = [n for n in PARTS if n.endswith((".forward", ".backward", ".add_gradients"))]
FORWARD = [name for name in LAYERS if name.endswith(".forward")]
BACKWARD = [name for name in LAYERS if name.endswith(".backward")]
ADD = [name for name in LAYERS if name.endswith(".add_gradients")]


def said(part, function, seed=1):
    """What the checker says of a student whose piece is this function: the sentences, as a set."""
    found = examine(part, replaced(part.exercise.right, part.piece, function), seed)
    if found.verdict == "ok":
        return set()
    return {row.cause for row in found.rows if not row.right} or {found.problem}


@pytest.mark.parametrize("name", PARTS)
def test_the_solution_is_right(name):
    assert not said(PARTS[name], PARTS[name].solution)


# --- The classic mistakes of each exercise, and those that any layer may make --------------------


@pytest.mark.parametrize(("part", "wrong", "sentence"), PLANTED)
def test_each_classic_mistake_is_named(part, wrong, sentence):
    assert said(part, wrong) == {sentence}


FACTORS = {
    "the sign is wrong": lambda n: -1,
    "4 times too large, the batch size": lambda n: n,
    "4 times too small, the batch size": lambda n: 1 / n,
    "the sign is wrong, and it is 4 times too large": lambda n: -n,
    "twice too large": lambda n: 2,
    "half of what it should be": lambda n: 1 / 2,
    "it is zero": lambda n: 0,
    "1.7 times what it should be, everywhere": lambda n: 1.7,
}


@pytest.mark.parametrize("sentence", FACTORS)
@pytest.mark.parametrize("name", BACKWARD + ADD)
def test_factors(name, sentence):
    """Gradients are linear in dy."""
    part, factor = PARTS[name], FACTORS[sentence]

    def wrong(self, dy, cache):
        return part.solution(self, factor(len(dy)) * dy, cache)

    assert all(sentence in one for one in said(part, wrong))
    assert said(part, wrong)


@pytest.mark.parametrize("sentence", list(FACTORS)[:6])
@pytest.mark.parametrize("which", [1, 2])
def test_factors_of_a_loss(which, sentence):
    part = PARTS["04_loss discriminator"]

    def wrong(r, f):
        result = list(part.solution(r, f))
        result[which] = FACTORS[sentence](len(r)) * result[which]
        return result

    (cause,) = said(part, wrong)
    assert sentence in cause


@pytest.mark.parametrize("sentence", list(FACTORS)[1:3])
def test_a_sum_for_a_mean_in_the_loss_itself(sentence):
    for name in ("04_loss discriminator", "04_loss generator"):
        part = PARTS[name]

        def wrong(*logits, part=part):
            loss, *gradients = part.solution(*logits)
            return FACTORS[sentence](len(logits[0])) * loss, *gradients

        assert all(sentence in one for one in said(part, wrong)), name


@pytest.mark.parametrize("name", [n for n in BACKWARD if "onv" not in n])
def test_transposed(name):
    part = PARTS[name]
    (cause,) = said(part, lambda self, dy, cache: part.solution(self, dy, cache).T)
    assert cause == "it is transposed"


@pytest.mark.parametrize("sample", ["first", "last"])
@pytest.mark.parametrize("name", BACKWARD + ADD)
def test_one_sample_alone(name, sample):
    part = PARTS[name]

    def wrong(self, dy, cache):
        one = np.zeros_like(dy)
        place = 0 if sample == "first" else -1
        one[place] = dy[place]
        return part.solution(self, one, cache)

    assert said(part, wrong) == {f"only the {sample} sample of the batch arrives here"}


@pytest.mark.parametrize("name", BACKWARD + ADD)
def test_float32_of_dy(name):
    part = PARTS[name]

    def wrong(self, dy, cache):
        return part.solution(self, dy.astype(np.float32).astype(np.float64), cache)

    causes = said(part, wrong)
    assert causes and all("float32" in cause for cause in causes)


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("what", ["x", "y"])
def test_float32_of_values(name, what):
    part = PARTS[name]

    def wrong(self, x, train=True):
        y, cache = part.solution(self, x.astype(np.float32) + 0.0 if what == "x" else x, train)
        return y.astype(np.float32), cache

    causes = said(part, wrong)
    assert causes and all("float32" in cause for cause in causes)


@pytest.mark.parametrize("name", ADD)
def test_set_instead_of_added(name):
    part = PARTS[name]

    def wrong(self, dy, cache):
        network = self if isinstance(self, minigan.Sequential) else self.network
        network.gradients[...] = 0
        part.solution(self, dy, cache)

    assert said(part, wrong) == {part.twists["set"]}


@pytest.mark.parametrize("name", BACKWARD + ADD)
@pytest.mark.parametrize("kind", ["kept in the layer", "one array for all passes"])
def test_a_stale_or_shared_cache(name, kind):
    """Where anything depends on it."""
    part = PARTS[name]
    forward = f"{part.piece.split('.')[0]}.forward"
    right = next(p.solution for p in part.exercise.parts if p.piece == forward)

    def forgetful(self, x, train=True):
        y, cache = right(self, x, train)
        if kind == "kept in the layer":
            object.__setattr__(self, "kept", cache)
            return y, cache
        kept = vars(self).setdefault("kept", cache)
        overwrite(kept, cache)
        return y, kept

    def wrong(self, dy, cache):
        return part.solution(self, dy, self.kept)

    its = replaced(part.exercise.right, forward, forgetful)
    found = examine(part, replaced(its, part.piece, wrong), 1)
    if found.verdict == "ok":
        depends = "Dense.backward", "Bias.backward", "Bias.add_gradients", "Conv2d.backward"
        assert part.piece in (*depends, "ConvTranspose2d.backward")
    else:
        assert {row.cause for row in found.rows if not row.right} == {part.twists["stale"]}


def overwrite(kept, cache):
    """Copy the arrays of one cache into another."""
    if isinstance(cache, tuple | list):
        for a, b in zip(kept, cache, strict=True):
            overwrite(a, b)
    elif isinstance(cache, np.ndarray):
        kept[...] = cache


@pytest.mark.parametrize("name", BACKWARD + ADD)
def test_dy_overwritten(name):
    part = PARTS[name]

    def wrong(self, dy, cache):
        result = part.solution(self, dy.copy(), cache)
        dy *= 2
        return result

    (cause,) = said(part, wrong)
    assert cause.startswith("dy is written to")


@pytest.mark.parametrize("name", FORWARD)
def test_x_overwritten(name):
    part = PARTS[name]

    def wrong(self, x, train=True):
        y, cache = part.solution(self, x.copy(), train)
        x += 1
        return y, cache

    (cause,) = said(part, wrong)
    assert cause.startswith("x is written to")


@pytest.mark.parametrize("name", [n for n in BACKWARD if "03" in n or "07" in n])
def test_cache_overwritten(name):
    part = PARTS[name]

    def wrong(self, dy, cache):
        dx = part.solution(self, dy, cache)
        array = cache[0] if isinstance(cache, tuple) else cache
        array += 3
        return dx

    (cause,) = said(part, wrong)
    assert "the cache is written to" in cause


@pytest.mark.parametrize("name", BACKWARD)
def test_backward_that_changes_gradients(name):
    part = PARTS[name]

    def wrong(self, dy, cache):
        network = self if isinstance(self, minigan.Sequential) else self.network
        network.gradients[...] += 1
        return part.solution(self, dy, cache)

    causes = said(part, wrong)
    activations = name.startswith("03")
    assert activations or {"leave that to add_gradients" in cause for cause in causes} == {True}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("01_dense Dense.add_gradients", lambda self, dy, x: x[:, :, None] * dy[:, None]),
        ("02_bias Bias.add_gradients", lambda self, dy, x: dy),
        ("07_batch_norm BatchNorm.add_gradients", lambda self, dy, cache: dy * cache[0]),
    ],
)
def test_not_summed_over_the_batch(name, what):
    part, target = PARTS[name], {"01": "dweight", "02": "dbias", "07": "dgamma"}[name[:2]]

    def wrong(self, dy, cache):
        view = getattr(self, target)
        view += what(self, dy, cache)

    (problem,) = said(part, wrong)
    assert UNSUMMED in problem


@pytest.mark.parametrize("sentence", list(FACTORS)[:7])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_factors_of_a_step(player, sentence):
    part = PARTS["10_discriminator_step GAN.discriminator_gradients"]
    if player == "generator":
        part = PARTS["11_generator_step GAN.generator_gradients"]

    def wrong(self, x, z):
        figures = part.solution(self, x, z)
        getattr(self, player).gradients *= FACTORS[sentence](len(x))
        return figures

    (cause,) = said(part, wrong)
    assert sentence in cause


LAST = {  # of the other pieces: which argument may be written to by mistake
    "04_loss softplus": 0,
    "04_loss sigmoid": 0,
    "08_convolution unfold": 0,
    "10_discriminator_step GAN.discriminator_gradients": 1,
    "12_adam Adam.update": 2,
    "13_gradient_penalty Dense.double_backward": 2,
    "13_gradient_penalty Tanh.double_backward": 2,
}


@pytest.mark.parametrize("name", LAST)
def test_another_argument_overwritten(name):
    part = PARTS[name]

    def wrong(*arguments):
        result = part.solution(*arguments)
        arguments[LAST[name]][...] += 1
        return result

    (cause,) = said(part, wrong)
    assert " is written to: make a new array" in cause


@pytest.mark.parametrize("name", [*LAST, "04_loss discriminator", "04_loss generator"])
def test_float32_of_another_argument(name):
    part = PARTS[name]
    if name.startswith("10"):
        return  # the networks refuse it, and say so

    def wrong(*arguments):
        if name.startswith(("04", "08")):  # the result, too, is then in float32
            single = (a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in arguments)
            return part.solution(*single)
        changed = list(arguments)
        changed[LAST[name]] = arguments[LAST[name]].astype(np.float32).astype(np.float64)
        return part.solution(*changed)

    causes = {cause for cause in said(part, wrong) if cause}
    assert causes and all("float32" in cause for cause in causes)


# --- All else is unknown -------------------------------------------------------------------------

CORRUPTIONS = [
    lambda a, rng: a + rng.normal(size=a.shape),
    lambda a, rng: a * rng.normal(size=a.shape),
    lambda a, rng: a**3 + 0.1,
    lambda a, rng: np.roll(a, 1, axis=-1) + 0.01 * a**2,
    lambda a, rng: a * np.where(np.arange(a.size).reshape(a.shape) == a.size // 2, 1.5, 1),
    lambda a, rng: a + 1e-3 * np.cos(a),
    lambda a, rng: a + 0.1,
    lambda a, rng: np.sort(a, axis=0),
]


def corrupted(part, which, rng):
    """The solution, but that what goes in or comes out is changed."""

    def change(value):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim:
            return CORRUPTIONS[which % len(CORRUPTIONS)](value, copy.deepcopy(rng))
        return value

    def wrong(*arguments):
        if which // len(CORRUPTIONS) % 2 and not part.piece.endswith("forward"):
            first = 2 if part.piece == "Adam.update" else 0  # w itself is to be changed
            return part.solution(*arguments[:first], *map(change, arguments[first:]))
        result = part.solution(*arguments)
        return tuple(map(change, result)) if isinstance(result, tuple) else change(result)

    return wrong


def fact(cause):
    """An exception, or a factor that is told without a cause (of the ones in −1 and 1, say)."""
    return "Error" in cause or cause.endswith("times what it should be, everywhere")


def test_random_errors_are_unknown():
    """At least 200 errors that are none of the classic ones: no cause is named for any."""
    rng, tried, named = np.random.default_rng(0), 0, []
    for name, part in PARTS.items():
        for which in range(2 * len(CORRUPTIONS)):
            causes = said(part, corrupted(part, which, rng.spawn(1)[0]))
            tried += bool(causes)
            named += [(name, which, cause) for cause in causes if cause and not fact(cause)]
    assert not named
    assert tried >= 200


class Mutant(ast.NodeTransformer):
    """One small change of the n-th place where one is possible."""

    def __init__(self, n):
        self.left = n

    def visit(self, node):
        node = self.generic_visit(node)
        for new in changes_of(node):
            self.left -= 1
            if self.left == -1:
                return ast.copy_location(new, node)
        return node


def changes_of(node):
    """Syntax trees that a tired student may write instead of this one."""
    if isinstance(node, ast.BinOp):
        swapped = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
        if type(node.op) in swapped:
            yield ast.BinOp(node.left, swapped[type(node.op)](), node.right)
        yield node.left
        yield node.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Attribute) and node.attr == "mean":
        yield ast.Attribute(node.value, "sum", node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr == "sum":
        yield ast.Attribute(node.value, "mean", node.ctx)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value, lineno=node.lineno)


def mutants(path):
    """Modules with one small change each: every third one that can be made."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for n in range(0, 1000, 3):
        mutant = Mutant(n)
        changed = ast.fix_missing_locations(mutant.visit(copy.deepcopy(tree)))
        if mutant.left >= 0:
            return
        module = types.ModuleType(f"mutant_{path.stem}_{n}")
        module.__file__ = str(path)
        try:
            exec(compile(changed, str(path), "exec"), vars(module))
        except Exception:
            continue
        yield n, module


def test_what_is_named_holds_on_other_inputs(tmp_path, hand_in, solutions):
    """Whatever cause is named for a small change of the solution is named on new inputs, too."""
    tried, named = 0, 0
    for stem, bodies in solutions.items():
        path = hand_in(stem, tmp_path, bodies)
        open_file(path)
        for n, module in mutants(path):
            for part in answers(stem).parts:
                first = examine(part, module, seed=0)
                if first.verdict == "ok":
                    continue
                tried += 1
                if any(row.cause for row in first.rows):
                    named += 1
                    second = examine(part, module, seed=7)
                    causes = [{row.name: row.cause for row in r.rows} for r in (first, second)]
                    assert causes[0] == causes[1], (stem, n, part.piece)
    assert tried >= 100
    assert named >= 25
