"""Text in lines of limited width."""


def wrap(text, width):
    """Breaks a text at spaces; words that are too long are cut."""
    if width < 1:
        raise ValueError("the width has to be positive")
    lines = []
    line = ""
    for word in text.split():
        while len(word) > width:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:width])
            word = word[width:]
        if not word:
            continue
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = line + " " + word if line else word
    if line:
        lines.append(line)
    return lines


def shorten(text, width, mark="..."):
    """Cuts a text that is too long and puts a mark at its end."""
    if len(text) <= width:
        return text
    if width < len(mark):
        return mark[:width]
    return text[: width - len(mark)].rstrip() + mark
