"""What every test run shares: the library's, the notebooks' and the browser's."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

# Set here for the kernels that nbval starts: no log lines among the outputs, the environment's own kernel.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")

KINDS = {"notebooks/": "notebook cells", "tests/browser/": "browser", "tests/test_project": "project"}


def kind_of(nodeid):
    """The kind of test, told by where it stands."""
    return next((kind for start, kind in KINDS.items() if nodeid.startswith(start)), "library")


def pytest_report_header(config):
    """Say aloud whether there is a browser for the browser tests."""
    import browser

    found = browser.find_chromium()
    return f"Chromium: {found}" if found else f"Chromium: none. The browser tests do NOT run: {browser.HOW_TO}"


def pytest_itemcollected(item):
    """Give a busy machine longer than nbval's fixed five seconds to hand over a cell's outputs."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = 120


def pytest_collection_modifyitems(items):
    """Leave out notebooks whose data are not here; put the longest first, so that two workers end about together."""
    lacking = {}
    if books := {item.path for item in items if item.path.suffix == ".ipynb"}:
        import execute_notebooks  # not where only the library is tested, with fewer packages

        lacking = {path: execute_notebooks.lacking_data(path) for path in books}
    for item in items:
        if lacking.get(item.path) is not None:
            item.add_marker(pytest.mark.skip(reason=lacking[item.path]))
    order = {"notebook cells": 0, "browser": 1, "project": 2, "library": 3}
    items.sort(key=lambda item: order[kind_of(item.nodeid)])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Count the tests by kind, and say what did not run."""
    import browser

    counts = {}
    for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
        for report in terminalreporter.stats.get(outcome, []):
            counts.setdefault(kind_of(report.nodeid), Counter())[outcome] += 1
    if counts:
        terminalreporter.section("tests by kind")
    for kind, counter in sorted(counts.items()):
        words = ", ".join(f"{number} {outcome}" for outcome, number in counter.items())
        terminalreporter.write_line(f"{kind}: {words}")
    absent = {}
    for report in terminalreporter.stats.get("skipped", []):
        name = report.nodeid.split("::")[0]
        if name.endswith(".ipynb") and isinstance(report.longrepr, tuple):
            absent[name] = report.longrepr[2].removeprefix("Skipped: ")
    for name, reason in sorted(absent.items()):
        terminalreporter.write_line(f"{name} did NOT run: {reason}")
    if browser.find_chromium() is None:
        terminalreporter.write_line(f"The browser tests did NOT run: {browser.HOW_TO}")
