"""Runs every function called test_* of every module called *tests and reports one line each.

The first line of standard input, if there is one, stands before each report: whoever asks can tell our lines from others.
Test modules import this one first, before the code that they test.
"""
import importlib
import os
import sys


def equal(actual, expected):
    """Fails unless both are equal."""
    if actual != expected:
        raise AssertionError(f"expected {expected!r} but was {actual!r}")


def raises(kind, action):
    """Fails unless the action raises an exception of this kind."""
    try:
        value = action()
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__} but was {value!r}")


def main():
    mark = sys.stdin.readline().strip()
    failed = 0
    for name in sorted(file[:-3] for file in os.listdir(".") if file.endswith("tests.py")):
        module = vars(importlib.import_module(name))
        for test in sorted(key for key in module if key.startswith("test_")):
            try:
                module[test]()
                report = f"PASS {test}"
            except Exception as error:
                failed += 1
                text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
                report = f"FAIL {test}: " + " ".join(text.split())
            print(f"{mark} {report}".strip(), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
