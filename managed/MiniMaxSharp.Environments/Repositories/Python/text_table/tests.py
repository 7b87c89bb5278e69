from check import equal, raises
from table import align, render, widths
from wrap import shorten, wrap


def test_columns_are_as_wide_as_their_widest_cell():
    equal(widths([["a", "bcd"], ["ef", "g"]]), [2, 3])


def test_cells_are_aligned_left_and_right():
    equal([align("ab", 4, "left"), align("ab", 4, "right")], ["ab  ", "  ab"])
    raises(ValueError, lambda: align("ab", 4, "middle"))


def test_a_table_is_rendered():
    equal(render(["name", "n"], [["ab", 5], ["c", 10]]), ["name   n", "--------", "ab     5", "c     10"])


def test_text_is_wrapped_at_spaces():
    equal(wrap("the quick brown fox", 10), ["the quick", "brown fox"])


def test_short_text_is_not_shortened():
    equal(shorten("short", 10), "short")
