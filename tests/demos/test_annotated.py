"""The page of derivations: whole, alone, and true of the code."""

import inspect
import re
import textwrap
from html.parser import HTMLParser

import pytest

from minigan import Dense, Tanh
from support.annotation import Passage, page

VOID = {"meta"}


class Reader(HTMLParser):
    """Tags must close in order; `code` is the text of each piece of source."""

    def __init__(self, text):
        super().__init__()
        self.open, self.code, self.drawings = [], [], 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert not {"src", "xlink:href"} & {name for name, _ in attributes}
        assert all(value.startswith("#") for name, value in attributes if name == "href")
        assert tag not in ("link", "script", "img", "iframe")
        self.drawings += tag == "svg"
        if tag == "pre" and not attributes:
            self.code.append("")
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag
        if tag == "span" and ("pre", {}) in self.open:
            self.code[-1] += "\n"

    def handle_data(self, data):
        if ("pre", {}) in self.open:
            self.code[-1] += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("annotated")


def test_one_file_with_the_source_as_it_is(run_demo, made, metrics):
    demo = run_demo("annotated", "--out", made)
    text = (made / "annotated.html").read_text(encoding="utf-8")
    assert "://" not in text and "@import" not in text and "url(" not in text
    read = Reader(text)
    functions = [row[0] for passage in demo["passages"] for row in passage.rows]
    assert len(read.code) == len(functions) == metrics(made)["pieces"] >= 15
    for function, code in zip(functions, read.code, strict=True):
        source = textwrap.dedent(inspect.getsource(function))
        words = re.findall(r"\S+", code)
        assert words == re.findall(r"\S+", source), function
    assert read.drawings >= 8
    assert {p.title for p in demo["passages"]} == {
        "A dense layer",
        "Tanh",
        "Batch norm",
        "Transposed convolution",
        "The gradient penalty",
    }
    for part in ("<title>", 'charset="utf-8"', "viewport", "prefers-color-scheme: dark"):
        assert part in text


def test_a_text_about_other_code_is_refused():
    page("", [Passage("", "", [(Tanh.backward, "`dy * (1 - y * y)`", "")])])
    with pytest.raises(ValueError, match=r"Dense.backward has no 'dy.dot\(self.weight\)' any more"):
        page("", [Passage("", "", [(Dense.backward, "so `dy.dot(self.weight)`", "")])])


def test_what_looks_like_html_is_text():
    def compare(a, b):
        return a < b and "&amp;"  # <b>

    (code,) = Reader(page("<>", [Passage("<b>", "&", [(compare, "a < b", "")])])).code
    assert 'return a < b and "&amp;"  # <b>' in code
