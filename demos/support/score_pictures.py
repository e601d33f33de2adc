"""Pictures of what results.py has measured: which figures are fooled by blur, or by less noise."""

import json
from pathlib import Path

from minigan.files import expanded
from minigan.plotting import FAKE, OTHERS, REAL, styled

__all__ = ["draw_scores", "draw_widths", "is_fooled", "scores_of"]

LESS_IS_BETTER = {"Fréchet distance"}


def scores_of(table):
    """heading -> name of the images -> figure, for those that have it."""
    head, *rows = table
    return {
        heading: {row[0]: float(row[k].split()[0]) for row in rows if row[k][:1].isdigit()}
        for k, heading in enumerate(head[1:], 1)
    }


def called(name):
    """A set of images as the picture calls it: a run of mnist.py by its model."""
    try:
        text = (expanded(name) / "metrics.json").read_text(encoding="utf-8")
        return json.loads(text)["model"]
    except (OSError, ValueError, KeyError):
        return Path(name).name


def is_fooled(heading, figures):
    """Whether the figure prefers blurred images to the same images as they are."""
    sharp, soft = figures["training images"], figures["the same, blurred"]
    return soft < sharp if heading in LESS_IS_BETTER else soft > sharp


@styled
def draw_scores(figure, scores):
    panels = figure.subplots(2, 4).ravel()
    names = list(scores["score"])
    colours = {"test images": REAL, "training images": REAL, "the same, blurred": OTHERS[4]}
    for axes, (heading, figures) in zip(panels, scores.items(), strict=False):
        for place, name in enumerate(names):
            if name in figures:
                axes.barh(place, figures[name], color=colours.get(name, FAKE))
                digits = 0 if figures[name] > 100 else 2
                axes.text(0, place, f" {figures[name]:.{digits}f}", va="center", size=9.5)
        less = "less" if heading in LESS_IS_BETTER else "more"
        fooled = "fooled by blur" if is_fooled(heading, figures) else "not fooled"
        axes.set(title=heading.replace(", ", ",\n"), ylim=(len(names) - 0.5, -0.5), xticks=[])
        axes.set_xlabel(f"{less} is better:\n{fooled}")
        axes.set_yticks(range(len(names)), [called(name) for name in names])
        axes.tick_params(length=0, labelleft=axes in (panels[0], panels[4]))
    panels[7].set_axis_off()


@styled
def draw_widths(figure, scores):
    """Score over distance, precision over recall: a point for each width of the noise."""
    pairs = (
        ("Fréchet distance", "score", (8, -13), "left"),
        ("recall", "precision", (-8, -8), "center"),
    )
    for axes, (across, up, beside, side) in zip(figure.subplots(1, 2), pairs, strict=True):
        names = [name for name in scores[up] if name.startswith("noise")]
        x, y = ([scores[key][name] for name in names] for key in (across, up))
        axes.plot(x, y, "o-", color=FAKE)
        for name, *place in zip(names, x, y, strict=True):
            first = name == names[0]
            label, offset = (name, (7, 5)) if first else (name.removeprefix("noise "), beside)
            ha = "left" if offset[0] > 0 else "right"
            axes.annotate(label, place, offset, textcoords="offset points", color=FAKE, ha=ha)
        real = scores[across]["test images"], scores[up]["test images"]
        axes.plot(*real, "*", color=REAL, markersize=13)
        above = {"xytext": (0, 9), "ha": side, "textcoords": "offset points"}
        axes.annotate("real images", real, color=REAL, **above)
        axes.margins(0.15)
        axes.set_xlabel(f"{across} ({'less' if across in LESS_IS_BETTER else 'more'} is better)")
        axes.set_ylabel(f"{up} (more is better)")
    figure.suptitle("One generator: less noise, and figures disagree", weight="bold")
