"""The page's files, and all of them as one: a recording needs no server.

The modules of the page import each other by relative addresses. In one file, they stand one after
another in the order in which they are needed, without `import` and `export`; their top-level names
are unique.
"""

import re
from pathlib import Path

from lab.messages import as_json

__all__ = ["FILES", "one_page"]

FOLDER = Path(__file__).parent / "page"

#: Name -> path.
FILES = {path.name: path for path in sorted(FOLDER.iterdir())}

IMPORT = re.compile(r'^import\b[^;]*?from "\./([\w.]+)";\n', re.MULTILINE | re.DOTALL)

#: Where the frames stand in the one page; the page itself fills it in, too.
SLOT = '<script type="application/json" id="recording">null</script>'


def one_page(messages=None):
    """The page as one HTML file. messages: those of a recording; None leaves their place empty."""
    page = _read("index.html")
    style = f"<style>\n{_read('lab.css')}</style>"
    page = page.replace('<link rel="stylesheet" href="lab.css">', style)
    script = '<script type="module" src="app.js"></script>'
    code = "\n".join(_read_module(name) for name in in_order("app.js"))
    page = page.replace(script, f'{SLOT}\n<script type="module">\n{code}</script>')
    if messages is not None:
        text = as_json(messages).replace("<", "\\u003c")
        page = page.replace(">null<", f">{text}<", 1)
    return page


def in_order(name):
    """The names of a module and of all that it needs, each before those that need it."""
    found = []
    for needed in IMPORT.findall(_read(name)):
        found += [other for other in in_order(needed) if other not in found]
    return [*found, name]


def _read(name):
    return FILES[name].read_text(encoding="utf-8")


def _read_module(name):
    code = IMPORT.sub("", _read(name))
    return f"// {name}\n" + re.sub(r"^export ", "", code, flags=re.MULTILINE)
