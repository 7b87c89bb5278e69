"""Sets of whole numbers as sorted, disjoint, half-open intervals (start, end)."""


def normalize(intervals):
    """Sorts intervals, drops empty ones and merges those that touch or overlap."""
    merged = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            last_start, last_end = merged[-1]
            merged[-1] = (last_start, max(last_end, end))
        else:
            merged.append((start, end))
    return merged


def union(a, b):
    """The numbers in one set or the other."""
    return normalize(a + b)


def intersection(a, b):
    """The numbers in both sets."""
    result = []
    i = j = 0
    while i < len(a) and j < len(b):
        start = max(a[i][0], b[j][0])
        end = min(a[i][1], b[j][1])
        if start < end:
            result.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return result


def complement(intervals, start, end):
    """The numbers from start up to end that are not in the set."""
    gaps = []
    position = start
    for low, high in intervals:
        if high <= start or low >= end:
            continue
        if low > position:
            gaps.append((position, low))
        position = max(position, high)
    if position < end:
        gaps.append((position, end))
    return gaps


def difference(a, b):
    """The numbers of the first set that are not in the second."""
    if not a:
        return []
    return intersection(a, complement(b, a[0][0], a[-1][1]))


def contains(intervals, number):
    """Whether a number is in the set, by bisection."""
    low, high = 0, len(intervals)
    while low < high:
        middle = (low + high) // 2
        start, end = intervals[middle]
        if number < start:
            high = middle
        elif number >= end:
            low = middle + 1
        else:
            return True
    return False


def size(intervals):
    """How many numbers the set holds."""
    return sum(end - start for start, end in intervals)
