"""The reference: every name of the library, and all backward passes on one page to print.

    pip install -e '.[docs]'
    python demos/reference.py

Both are made from the docstrings, as they stand in the code: shapes, formulas, sources. So neither
can say anything else than the code does. It takes half a minute; nothing is trained.

- formulas.html: y, dx, dW, db and the second order of every layer, and both losses of every
  objective, with their symbols explained once. It needs nothing but the library.
- index.html: the reference (by pdoc), a page per module, with the source of everything.

Files: in out/reference, or the folder that --out names: formulas.html, and, with pdoc, index.html
with a folder minigan and search.js.
"""

import argparse
import html
import inspect
import pkgutil
import re
import sys
import tempfile
import warnings
from pathlib import Path

import minigan
from minigan import layers, objectives, regularizers
from minigan.files import replacing
from minigan.layers import Layer
from minigan.objectives import OBJECTIVES

SYMBOLS = """\
x, y            a layer's input and output, a batch of N samples: (N, ...); images (N, H, W, C)
dy, dx          the gradients of a loss L with respect to y and to x: dy = ∂L/∂y, dx = ∂L/∂x
W, b, dW, db    weight and bias, and their gradients, which add up (+=) over batches
γ, β, dγ, dβ    gain and shift of a normalization; μ, σ its mean and deviation, x̂ = (x − μ) / σ
f', f''         first and second derivative of an activation f, told from its output y
u               second order: ∂P/∂dx, the gradient of a penalty P on dx; it has the shape of x
u_dy, u_x       ... and what it becomes: ∂P/∂dy (shape of y) and ∂P/∂x (None: zero)
r, f            logits of D for real samples and for fakes, (N, 1); D = σ(logit)
σ(v), softplus  1 / (1 + e⁻ᵛ) and log(1 + eᵛ), whose derivative is σ(v)
H W C K S P O   height, width, channels, kernel, stride, padding, output channels
"""

STYLE = """\
body { font: 9.5pt/1.35 "DejaVu Sans", sans-serif; margin: 1.2em; columns: 2; column-gap: 2em }
h1 { font-size: 15pt; margin: 0; column-span: all } h2 { font-size: 12pt; margin: 1em 0 0 }
h3 { font-size: 10pt; margin: .7em 0 .1em } section { break-inside: avoid }
pre { font: 7.6pt/1.3 "DejaVu Sans Mono", monospace; margin: 0 0 .4em; white-space: pre-wrap }
pre.code { color: #0072B2 } @page { size: A4 landscape; margin: 10mm }
@media screen and (max-width: 60em) { body { columns: 1 } }
"""

# %% One page of all backward passes


def own_classes(module):
    """The classes that a module defines and names in __all__, in the order of its lines."""
    named = [getattr(module, name) for name in module.__all__]
    found = [kind for kind in named if inspect.isclass(kind) and kind.__module__ == module.__name__]
    return sorted(found, key=lambda kind: inspect.getsourcelines(kind)[1])


def text_of(thing):
    return inspect.cleandoc(thing.__doc__ or "")


def body_of(method):
    """The lines of a method below its docstring."""
    lines = inspect.cleandoc("\n" + inspect.getsource(method)).split("\n")
    code = "\n".join(lines[next(i for i, line in enumerate(lines) if line.endswith(":")) + 1 :])
    return inspect.cleandoc(re.sub(r'^\s*"""(.*?)"""', "", code, flags=re.DOTALL)).strip()


def second_order(kind):
    """How dx depends on dy and x: the method's docstring, and its lines; or why there is none."""
    method = kind.double_backward
    if method is Layer.double_backward:
        reason = kind.why_no_double_backward
        return "" if reason is Layer.why_no_double_backward else "Second order: none, by design."
    text = f"Second order. {text_of(method)}\n" if method.__doc__ else "Second order:"
    return f"{text}\n{body_of(method)}"


def modules_of_layers():
    """The modules that hold layers: first those with which the package says to begin."""
    names = {getattr(layers, name).__module__ for name in layers.__all__}
    place = {name: layers.__doc__.find(f"{name.rpartition('.')[2]}.py") % 10_000 for name in names}
    modules = [sys.modules[name] for name in sorted(names, key=lambda name: (place[name], name))]
    return [m for m in modules if any(map(is_layer, own_classes(m)))]


def is_layer(kind):
    return issubclass(kind, Layer) and kind.forward is not Layer.forward


def block(title, text, code=""):
    parts = [f"<h3>{html.escape(title)}</h3>", f"<pre>{html.escape(text)}</pre>"]
    parts += [f'<pre class="code">{html.escape(code)}</pre>'] if code else []
    return f"<section>{''.join(parts)}</section>"


def formulas():
    """The page, as HTML."""
    page = ["<h1>minigan: every backward pass</h1>", block("Symbols", SYMBOLS), "<h2>Layers</h2>"]
    for module in modules_of_layers():
        page.append(block(module.__name__, text_of(module)))
        for kind in own_classes(module):
            if is_layer(kind):
                page.append(block(kind.__name__, text_of(kind), second_order(kind)))
    page += ["<h2>Objectives</h2>", block(objectives.__name__, text_of(objectives))]
    page += [block(name, text_of(kind)) for name, kind in OBJECTIVES.items()]
    page += ["<h2>Penalties on D's slope</h2>", block(regularizers.__name__, text_of(regularizers))]
    page += [block(kind.__name__, text_of(kind)) for kind in own_classes(regularizers)]
    head = f'<meta charset="utf-8"><title>minigan: formulas</title><style>{STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body>{''.join(page)}</body></html>\n"


# %% The reference of all names, by pdoc: docstrings as they are, since they are set with spaces

TEMPLATE = """\
{% extends "default/module.html.jinja2" %}
{% macro docstring(var) %}{% if var.docstring %}<div class="docstring"><pre class="plain">
{{- var.docstring | plain | linkify(namespace=var.qualname, shorten=False) -}}
</pre></div>{% endif %}{% endmacro %}
{% block style %}{{ super() }}<style>.pdoc pre.plain { white-space: pre-wrap; background: none;
border: none; padding: 0; font: .78rem/1.5 "DejaVu Sans Mono", monospace }</style>{% endblock %}
"""


def plain(docstring):
    """A docstring as HTML, every space kept; `names` become code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(docstring, quote=False))


def api(folder):
    """Write the reference into the folder; what pdoc warns of is an error."""
    import pdoc
    import pdoc.extract
    import pdoc.render

    with tempfile.TemporaryDirectory() as templates:
        (Path(templates) / "module.html.jinja2").write_text(TEMPLATE, encoding="utf-8")
        pdoc.render.configure(template_directory=Path(templates), footer_text="minigan")
        pdoc.render.env.filters["plain"] = plain
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            specs, seen = [], set()
            for name in module_names():  # of some packages, pdoc finds modules by itself
                specs += [] if name in seen else [name]
                seen.update(pdoc.extract.walk_specs([name]))
            pdoc.pdoc(*specs, output_directory=folder)


def module_names():
    """All modules of the package but `__main__`."""
    found = pkgutil.walk_packages(minigan.__path__, "minigan.")
    return ["minigan", *(m.name for m in found if not m.name.endswith("__main__"))]


def main():
    parser = argparse.ArgumentParser(
        "reference.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out", "reference"))
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "formulas.html") as temporary:
        Path(temporary).write_text(formulas(), encoding="utf-8")
    print(f"All backward passes: {folder / 'formulas.html'}")
    try:
        api(folder)
    except ImportError as error:
        sys.exit(f"No reference of all names: {error}: pip install -e '.[docs]'")
    print(f"All names: {folder / 'index.html'}")


if __name__ == "__main__":
    main()
