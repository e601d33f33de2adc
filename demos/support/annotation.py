"""The page of annotated.py: source on the left, its derivation on the right, shapes as drawings."""

import html
import inspect
import io
import keyword
import re
import textwrap
import tokenize
from dataclasses import dataclass
from pathlib import Path

import minigan

__all__ = ["Passage", "page", "shapes", "stamps", "sweeps", "table"]

ROOT = Path(minigan.__file__).parents[1]


@dataclass(frozen=True)
class Passage:
    """A title, an introduction, and rows: (function, derivation, drawing).

    A derivation is text: paragraphs, indented formulas, and code in backquotes, which must be code
    of that function.
    """

    title: str
    introduction: str
    rows: list


def page(title, passages):
    """The whole page as text. ValueError if a derivation speaks of code that is not there."""
    links = "".join(f'<a href="#p{i}">{html.escape(p.title)}</a>' for i, p in enumerate(passages))
    sections = "".join(_section(i, passage) for i, passage in enumerate(passages))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>minigan: {html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>Left: the code of minigan {minigan.__version__}, as it "
        f"is. Right: why it is so.</p>\n<nav>{links}</nav>\n{sections}</body>\n</html>\n"
    )


def _section(number, passage):
    rows = "".join(_row(*row) for row in passage.rows)
    return (
        f'<section id="p{number}">\n<h2>{number + 1}. {html.escape(passage.title)}</h2>\n'
        f"<p>{html.escape(passage.introduction)}</p>\n{rows}</section>\n"
    )


def _row(function, derivation, drawing):
    lines, first = inspect.getsourcelines(function)
    file = Path(inspect.getsourcefile(function)).relative_to(ROOT).as_posix()
    source = textwrap.dedent("".join(lines))
    for code in re.findall("`(.+?)`", derivation):
        if code not in source:
            raise ValueError(f"{function.__qualname__} has no {code!r} any more, as its text says")
    name = html.escape(function.__qualname__)
    return (
        f'<div class="row">\n<figure><figcaption>{name} <small>{file}, line '
        f"{first}</small></figcaption>\n<pre>{_coloured(source)}</pre></figure>\n"
        f"<div>{drawing}{_prose(derivation)}</div>\n</div>\n"
    )


def _prose(text):
    parts = []
    for block in re.split(r"\n\s*\n(?=\S)|\n\n(?=    )", text.strip("\n")):
        escaped = html.escape(textwrap.dedent(block), quote=False)
        if block.startswith("    "):
            formula = _lines([(textwrap.dedent(block), None)])
            parts.append(f'<pre class="formula">{formula}</pre>')
        else:
            parts.append("<p>" + re.sub("`(.+?)`", r"<code>\1</code>", escaped) + "</p>")
    return "\n".join(parts)


def _coloured(source):
    """Keywords, strings and comments in colours of their own."""
    pieces, at, lines = [], 0, source.splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines) + 1)]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = {tokenize.STRING: "s", tokenize.COMMENT: "c"}.get(token.type)
        if token.type == tokenize.NAME and keyword.iskeyword(token.string):
            kind = "k"
        if kind:
            begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            pieces += [(source[at:begin], None), (source[begin:end], kind)]
            at = end
    return _lines([*pieces, (source[at:].rstrip(), None)])


def _lines(pieces):
    """Each line as a block of its own: where it is too long, it goes on further to the right."""
    rows = [[]]
    for text, kind in pieces:
        for i, part in enumerate(text.split("\n")):
            if i:
                rows.append([])
            code = part.lstrip(" ")
            escaped = html.escape(code, quote=False)
            escaped = f"<b class={kind}>{escaped}</b>" if kind and code else escaped
            rows[-1].append(" " * (len(part) - len(code)) + escaped)
    texts = ["".join(row) for row in rows]
    indents = [len(text) - len(text.lstrip(" ")) for text in texts]
    return "".join(
        f'<span style="--i:{indent}ch">{text.strip() or "&nbsp;"}</span>'
        for text, indent in zip(texts, indents, strict=True)
    )


# Drawings ----------------------------------------------------------------------------------------

LENGTHS = {"1": 12, "N": 74, "in": 52, "out": 34, "C": 26, "pixels": 90, "K·K·O": 62}


def _svg(width, height, content, says):
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-label="{html.escape(says)}">{content}</svg>'
    )


def _box(x, y, width, height, kind="", text=""):
    label = _text(x + width / 2, y + height / 2 + 5, text) if text != "" else ""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{kind}"/>{label}'


def _text(x, y, text, kind=""):
    return f'<text x="{x}" y="{y}" class="{kind}">{html.escape(str(text))}</text>'


def _arrow(x1, y1, x2, y2):
    """A line with a head, along one of the axes."""
    dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    head = [(x2, y2)] + [(x2 - 8 * dx + s * dy, y2 - 8 * dy + s * dx) for s in (-5, 5)]
    corners = " ".join(f"{x},{y}" for x, y in head)
    line = f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
    return f'{line}<polygon points="{corners}"/>'


def shapes(equation):
    """An equation between matrices, as rectangles: "y: N out = x: N in · W: in out"."""
    tallest = max(LENGTHS[rows] for rows in re.findall(r": (\S+) ", equation))
    x, content, height = 30, "", tallest + 48
    for part in re.split(r"\s([=·+])\s", equation):
        if part in "=·+":
            content += _text(x - 2, height / 2, part, "sign")
            x += 34
            continue
        name, sizes = part.split(": ")
        rows, columns = sizes.split()
        wide, high = max(LENGTHS[columns], 12), LENGTHS[rows]
        top = (height - high) / 2 - 4
        content += _box(x, top, wide, high, "a" if name.startswith(("d", "u")) else "b")
        content += _text(x + wide / 2, height - 2, name, "name")
        content += _text(x + wide / 2, top - 4, columns, "size")
        content += f'<g transform="rotate(-90 {x - 5} {top + high / 2})">'
        content += _text(x - 5, top + high / 2, rows, "size") + "</g>"
        x += wide + 18
    return _svg(x, height + 4, content, equation)


def table():
    """A batch, of which one feature's column gives one mean and one deviation."""
    content = ""
    for row in range(5):
        for column in range(4):
            content += _box(30 + 26 * column, 20 + 20 * row, 26, 20, "a" if column == 1 else "")
    content += _text(82, 14, "features", "size") + _text(14, 74, "M")
    content += _arrow(69, 122, 69, 146) + _text(69, 164, "μ, σ of this column")
    content += _arrow(146, 70, 186, 70)
    for row in range(5):
        content += _box(192, 20 + 20 * row, 62, 20, "a", f"x̂{'₁₂₃₄₅'[row]}")
    return _svg(262, 172, content, "the mean and the deviation are those of one column")


def stamps():
    """One dimension: three pixels, a kernel of 3, stride 2; how many stamps meet in each pixel."""
    content = _text(38, 26, "x", "name") + _text(38, 176, "y", "name")
    for i in range(3):
        left = 60 + 64 * i
        content += _box(left + 32, 10, 32, 24, "b", f"x{'₁₂₃'[i]}") + _arrow(
            left + 48, 36, left + 48, 52
        )
        for k in range(3):
            content += _box(left + 32 * k, 56 + 32 * i, 32, 24, "a", f"w{'₁₂₃'[k]}")
    for j, count in enumerate((1, 1, 2, 1, 2, 1, 1)):
        content += _box(60 + 32 * j, 158, 32, 24, "b", count)
    content += _text(172, 200, "how many stamps meet, at stride 2", "size")
    return _svg(
        300, 206, content, "three stamps of three pixels, which overlap at every other place"
    )


def sweeps():
    """The three passes of a gradient penalty through the layers of D."""
    content = ""
    for i in range(3):
        content += _box(64 + 80 * i, 6, 72, 24, "b", f"layer {i + 1}")
    passes = [
        ("1. forward", [(62, 1)]),
        ("2. backward, from ones: g, trace", [(104, -1)]),
        ("3. its backward pass: up with u,", [(152, 1)]),
        ("then down", [(200, -1)]),
    ]
    for text, [(y, way)] in passes:
        x1, x2 = (60, 300) if way > 0 else (300, 60)
        content += _text(180, y - 8, text, "size") + _arrow(x1, y, x2, y)
    content += _text(40, 66, "x") + _text(334, 66, "logits") + _text(40, 108, "g")
    content += _text(332, 108, "1") + _text(40, 156, "u") + _text(332, 156, "u_dy")
    return _svg(376, 212, content, "forward, backward, and the backward pass of that backward pass")


STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1f; --soft: #5c5c66; --code: #f4f4f7;
  --line: #c9c9d2; --a: #f9d9a8; --b: #bcd9f2; --k: #7a2fa0; --s: #2e6b34; --c: #6a6a74; }
@media (prefers-color-scheme: dark) { :root { --paper: #17171b; --ink: #e8e8ee; --soft: #a6a6b2;
  --code: #222229; --line: #45454f; --a: #7a5420; --b: #24506f; --k: #cf9bec; --s: #98cf9e;
  --c: #a0a0ac; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 92rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 3rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; } nav a { color: inherit; }
.row { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 4fr); gap: 1rem 2rem;
  padding: 1.2rem 0; border-top: 1px solid var(--line); }
.row > * { min-width: 0; margin: 0; } .row p:first-child { margin-top: 0; }
figcaption { font-weight: 600; } figcaption small { color: var(--soft); font-weight: 400; }
pre { margin: .4rem 0; padding: .7rem; white-space: pre-wrap; background: var(--code);
  border-radius: 6px;
  font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  background: var(--code); padding: 0 .25em; border-radius: 4px; overflow-wrap: anywhere; }
pre.formula { background: none; border-left: 3px solid var(--line); border-radius: 0;
  font-size: .95rem; }
pre span { display: block; padding-left: calc(var(--i) + 4ch); text-indent: -4ch;
  overflow-wrap: anywhere; }
pre b { font-weight: 400; } .k { color: var(--k); } .s { color: var(--s); } .c { color: var(--c); }
svg { display: block; max-width: 100%; height: auto; margin: .2rem 0 .8rem; }
svg rect { fill: var(--paper); stroke: var(--ink); } svg rect.a { fill: var(--a); }
svg rect.b { fill: var(--b); } svg line { stroke: var(--ink); stroke-width: 1.5; }
svg polygon, svg text { fill: var(--ink); } svg text { text-anchor: middle; font-size: 15px; }
svg text.size { font-size: 13px; } svg text.sign { font-size: 20px; }
@media (max-width: 760px) { body { font-size: 1rem; }
  .row { grid-template-columns: minmax(0, 1fr); }
  pre { font-size: .76rem; } pre.formula { font-size: .8rem; padding-right: 0; } }
"""
