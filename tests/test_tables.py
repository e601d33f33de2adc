"""What a notebook shows: the same cells as the printed table, as HTML."""

import re
from html import unescape

import numpy as np
import pytest

from minigan import Dense, Layer, Record, Sequential, Tanh, gradcheck, xray
from minigan.metrics import mode_coverage


class Wrong(Layer):
    """Its backward pass forgets the 2."""

    def forward(self, x, train):
        return 2 * x, None

    def backward(self, dy, cache):
        return dy.copy()

    def describe(self):
        return "<2 & 2>"


def network(*layers):
    return Sequential([Dense(2, 3), *layers], (2,), rng=0)


X = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")


@pytest.mark.parametrize("layer", [Tanh, Wrong])
@pytest.mark.parametrize("look", [lambda n: n, lambda n: gradcheck(n, X), lambda n: xray(n, X)])
def test_the_same_words_as_printed(look, layer):
    shown = look(network(layer()))
    html, text = shown._repr_html_(), str(shown)
    assert html.count("<table>") == html.count("</table>") == 1
    assert html.count("<td") % html.count("<th") == 0  # a grid
    words = unescape(re.sub(r"<(?!2)[^>]*>", " ", html)).split()
    assert words == text.split()
    assert ("color: #c00" in html) == ("WRONG" in text)


def test_figures():
    record = Record(3, 0.25, {"generator_loss": 0.123456})
    rows = [re.findall(r">([^<]+)</t[hd]>", row) for row in record._repr_html_().split("<tr>")[1:]]
    assert rows == [["step", "seconds", "generator_loss"], ["3", "0.25", "0.1235"]]
    found = mode_coverage(X.astype(float), np.zeros((1, 2)), 5.0)
    html = found._repr_html_()
    assert "<td" in html and "modes_total" in html and f"{found.reverse_kl:.4g}" in html
