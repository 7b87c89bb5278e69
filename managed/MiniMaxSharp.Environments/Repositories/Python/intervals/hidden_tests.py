from check import equal
from intervals import complement, contains, difference, intersection, normalize, size
from parsing import parse, render


def test_intervals_that_touch_are_merged():
    equal(normalize([(1, 3), (3, 5)]), [(1, 5)])


def test_a_contained_interval_does_not_shorten_the_outer_one():
    equal(normalize([(1, 9), (2, 4)]), [(1, 9)])


def test_empty_intervals_are_dropped():
    equal(normalize([(4, 4), (6, 5), (1, 2)]), [(1, 2)])


def test_intersection_of_sets_that_only_touch_is_empty():
    equal(intersection([(0, 3)], [(3, 6)]), [])


def test_intersection_of_many_pieces():
    equal(intersection([(0, 2), (4, 6), (8, 10)], [(1, 5), (5, 9)]), [(1, 2), (4, 5), (5, 6), (8, 9)])


def test_complement_inside_bounds():
    equal(complement([(2, 4), (6, 8)], 0, 10), [(0, 2), (4, 6), (8, 10)])


def test_complement_of_a_set_that_reaches_over_the_bounds():
    equal(complement([(-5, 2), (9, 15), (20, 22)], 0, 10), [(2, 9)])


def test_complement_of_a_full_set_is_empty():
    equal(complement([(0, 10)], 0, 10), [])


def test_difference_leaves_what_the_second_lacks():
    equal(difference([(0, 10), (20, 30)], [(3, 5), (8, 22)]), [(0, 3), (5, 8), (22, 30)])


def test_difference_of_nothing_is_nothing():
    equal(difference([], [(1, 2)]), [])


def test_ends_are_half_open():
    numbers = [n for n in range(-1, 14) if contains([(0, 3), (8, 12)], n)]
    equal(numbers, [0, 1, 2, 8, 9, 10, 11])


def test_size_counts_numbers():
    equal(size([(0, 3), (8, 12)]), 7)


def test_single_numbers_are_written_without_a_dash():
    equal(render([(1, 2), (4, 6)]), "1,4-5")


def test_neighbours_in_text_become_one_range():
    equal(parse("1,2,3,, 9"), [(1, 4), (9, 10)])
