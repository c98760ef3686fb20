from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = [
    "w2vcli.sources",
    "w2vcli.sentences",
    "w2vcli.text",
    "w2vcli.schedule",
    "w2vcli.config",
    "w2vcli.evaluate.required",
    "w2vcli.queries",
    "w2vcli.spelling",
    "w2vcli.words",
    "w2vcli.engines.reference",
    "w2vcli.cli.output",
    "w2vcli.cli.terminal",
    "w2vcli.plots.style",
    "w2vcli.wording",
    "w2vcli.report.parts",
    "w2vcli.preprocessing.documents",
    "w2vcli.preprocessing.json_lines",
    "w2vcli.preprocessing.records",
    "w2vcli.preprocessing.wikipedia",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
