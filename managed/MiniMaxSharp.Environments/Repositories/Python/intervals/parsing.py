"""Interval sets as text: "1-3,7" is 1, 2, 3 and 7."""
from intervals import normalize


def parse(text):
    """Reads a text; both ends of a range belong to it."""
    parts = []
    for piece in text.split(","):
        piece = piece.strip()
        if not piece:
            continue
        first, dash, last = piece.partition("-")
        start = int(first)
        end = int(last) if dash else start
        if end < start:
            raise ValueError(f"{piece} runs backwards")
        parts.append((start, end + 1))
    return normalize(parts)


def render(intervals):
    """Writes a set as text."""
    pieces = []
    for start, end in intervals:
        if end - start == 1:
            pieces.append(str(start))
        else:
            pieces.append(f"{start}-{end - 1}")
    return ",".join(pieces)
