from check import equal, raises
from intervals import contains, intersection, normalize, union
from parsing import parse, render


def test_overlapping_intervals_are_merged():
    equal(normalize([(5, 9), (1, 3), (2, 6)]), [(1, 9)])


def test_union_of_distant_sets_keeps_both():
    equal(union([(1, 2)], [(5, 6)]), [(1, 2), (5, 6)])


def test_intersection_of_overlapping_sets():
    equal(intersection([(0, 5), (8, 12)], [(3, 10)]), [(3, 5), (8, 10)])


def test_a_number_inside_is_contained():
    equal(contains([(0, 5), (8, 12)], 9), True)


def test_text_is_read_and_written():
    equal(render(parse("7, 1-3")), "1-3,7")
    raises(ValueError, lambda: parse("5-2"))
