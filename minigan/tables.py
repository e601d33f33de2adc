"""Tables of text, for networks, gradient checks and X-rays."""

__all__ = ["align"]


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
