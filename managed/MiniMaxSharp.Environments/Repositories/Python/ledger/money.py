"""Amounts of money in whole cents."""


def parse(text):
    """Cents of a text such as "12.50", "-3" or "1,200.5"."""
    text = text.strip().replace(",", "")
    sign = 1
    if text.startswith("-"):
        sign = -1
        text = text[1:]
    whole, _, fraction = text.partition(".")
    if not whole.isdigit() or len(fraction) > 2 or (fraction and not fraction.isdigit()):
        raise ValueError(f"{text!r} is not an amount")
    return sign * (int(whole) * 100 + int(fraction.ljust(2, "0") or "0"))


def render(cents):
    """A text with two decimals and commas between thousands."""
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{fraction:02d}"


def share(cents, parts):
    """Splits an amount into parts that differ by one cent at most, the larger ones first."""
    if parts < 1:
        raise ValueError("at least one part is needed")
    each, rest = divmod(cents, parts)
    return [each + 1 if i < rest else each for i in range(parts)]


def percent(cents, rate):
    """A percentage of an amount, half a cent rounded away from zero."""
    scaled = abs(cents) * rate
    rounded = (scaled + 50) // 100
    return rounded if cents >= 0 else -rounded
