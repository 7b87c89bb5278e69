from check import equal, raises
from table import align, alignments, is_number, render, widths
from wrap import shorten, wrap


def test_rows_may_differ_in_length():
    equal(widths([["a"], ["b", "cc", "d"]]), [1, 2, 1])


def test_no_rows_have_no_widths():
    equal(widths([]), [])


def test_the_odd_space_of_a_centred_cell_is_on_the_right():
    equal([align("ab", 5, "center"), align("ab", 6, "center")], [" ab  ", "  ab  "])


def test_numbers_have_a_sign_and_a_point_at_most():
    cells = ["5", "-5", "+1.5", "1.", "", "-", "a1", "1.2.3", "1a"]
    equal([cell for cell in cells if is_number(cell)], ["5", "-5", "+1.5", "1."])


def test_empty_cells_do_not_make_a_column_text():
    equal(alignments([["1", "x"], ["", "2"], ["30"]]), ["right", "left"])


def test_a_column_without_cells_is_left():
    equal(alignments([["", "1"], ["", "2"]]), ["left", "right"])


def test_a_wide_separator_lengthens_the_rule():
    equal(render(["a", "b", "c"], [["x", "y", "z"]], separator=" | "), ["a | b | c", "---------", "x | y | z"])


def test_a_table_without_rows_has_a_header():
    equal(render(["a", "bc"], []), ["a  bc", "-----"])


def test_a_line_may_be_exactly_full():
    equal(wrap("aaa bbb ccc", 7), ["aaa bbb", "ccc"])


def test_long_words_are_cut():
    equal(wrap("a bcdefghij k", 4), ["a", "bcde", "fghi", "j k"])


def test_words_of_exactly_the_width_stand_alone():
    equal(wrap("abcd abcd", 4), ["abcd", "abcd"])
    raises(ValueError, lambda: wrap("a", 0))


def test_no_text_has_no_lines():
    equal(wrap("   ", 5), [])


def test_long_text_ends_in_a_mark():
    equal([shorten("a long text", 8), shorten("a long text", 2), shorten("exact", 5)], ["a lon...", "..", "exact"])


def test_no_space_stands_before_the_mark():
    equal(shorten("ab cdefg", 6), "ab...")
