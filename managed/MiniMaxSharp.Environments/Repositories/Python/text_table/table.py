"""Tables of text with columns as wide as they need to be."""


def widths(rows):
    """The width of each column."""
    columns = max((len(row) for row in rows), default=0)
    result = [0] * columns
    for row in rows:
        for i, cell in enumerate(row):
            result[i] = max(result[i], len(str(cell)))
    return result


def align(cell, width, mode):
    """A cell in a field: left, right or center with the odd space on the right."""
    text = str(cell)
    space = width - len(text)
    if mode == "left":
        return text + " " * space
    if mode == "right":
        return " " * space + text
    if mode == "center":
        before = space // 2
        return " " * before + text + " " * (space - before)
    raise ValueError(f"unknown alignment {mode}")


def is_number(cell):
    """Whether a cell holds a number, with a sign and a decimal point at most."""
    text = str(cell).strip()
    if text[:1] in ("-", "+"):
        text = text[1:]
    whole, _, fraction = text.partition(".")
    return whole.isdigit() and (fraction == "" or fraction.isdigit())


def alignments(rows):
    """Right for columns that hold numbers only, left for the others; empty cells do not count."""
    result = []
    for i in range(len(widths(rows))):
        cells = [row[i] for row in rows if i < len(row) and str(row[i]) != ""]
        result.append("right" if cells and all(is_number(cell) for cell in cells) else "left")
    return result


def render(header, rows, separator="  "):
    """The table as lines, the header over a rule; white space at the ends of lines is dropped."""
    columns = widths([header] + rows)
    modes = alignments(rows)
    modes += ["left"] * (len(columns) - len(modes))

    def line(row):
        cells = [align(cell, width, mode) for cell, width, mode in zip(row, columns, modes)]
        return separator.join(cells).rstrip()

    rule = "-" * (sum(columns) + len(separator) * (len(columns) - 1))
    return [line(header), rule] + [line(row) for row in rows]
