"""Tables, as text and, in a notebook, as HTML: of networks, checks, X-rays, records and metrics."""

from html import escape

__all__ = ["Figures", "Table", "align"]


def align(rows, left):
    """Rows of cells (text) as lines; the columns numbered in `left` start at the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


class Table:
    """What is shown as a table. Subclasses give `table`."""

    def table(self):
        """Rows of cells, the head first; which columns start at the left; the lines below."""
        raise NotImplementedError

    def __str__(self):
        rows, left, below = self.table()
        return "\n".join([*(align(rows, left) if len(rows) > 1 else []), *below])

    def _repr_html_(self):
        return as_html(*self.table())


class Figures:
    """Whose numbers a notebook shows as a table, names above values; printed, they are as ever."""

    def _repr_html_(self):
        figures = self.as_dict() if hasattr(self, "as_dict") else dict(vars(self))
        figures |= figures.pop("figures", {})
        values = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in figures.values()]
        return as_html([list(figures), values], (), ())


def as_html(rows, left, below):
    """A table, and lines below it; what is wrong is red."""

    def marked(text):
        wrong = text.startswith(("WRONG", "BROKEN", "! "))
        return f'<b style="color: #c00">{escape(text)}</b>' if wrong else escape(text)

    def line(tag, cells):
        sides = ["left" if k in left else "right" for k in range(len(cells))]
        cells = zip(sides, map(marked, cells), strict=True)
        return "".join(f'<{tag} style="text-align: {side}">{c}</{tag}>' for side, c in cells)

    body = [f"<tr>{line('td' if i else 'th', row)}</tr>" for i, row in enumerate(rows)]
    return "\n".join(["<table>", *body, "</table>", "<br>".join(map(marked, below))])
