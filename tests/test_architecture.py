"""The rules of the house: who imports whom, and what stays out of start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "w2vcli"

# A module may import from the lines below its own, and what its own line says.
LAYERS = [
    {"cli"},
    {"report"},
    {"bench"},
    {"plots"},
    {"observed"},
    {"convert", "describe", "preprocessing", "training"},
    {"loop", "model"},
    {"growing", "resuming"},
    {"gensim_model", "measuring"},
    {"history"},
    {"checkpoint", "engines", "evaluate", "formats", "index", "loss", "run_directory", "schedule"},
    {"encoding"},
    {"numbering"},
    {"corpus"},
    {"provenance", "vocab"},
    {"cluster"},
    {"outputs", "projection", "queries", "resources", "text"},
    {"workers", "sources", "config", "compiled", "seal", "sentences", "spelling", "vectors"},
    {"background", "errors", "npy", "wording", "words"},
]
# outside the command line, and outside the functions that use them
KEPT_OUT = {
    "typer",
    "rich",
    "gensim",
    "numba",
    "torch",
    "triton",
    "scipy",
    "smart_open",
    "boto3",
    "botocore",
    "paramiko",
    "requests",
    "urllib3",
    "azure",
    "pydantic",
    "matplotlib",
    "pyarrow",
    "usearch",
    "umap",
    "sklearn",
    "jinja2",
    "selenium",
    "ray",
}
AT_HOME = {
    "compiled": {"numba"},
    "numbering": {"numba"},
    "preprocessing": {"numba"},
    "config": {"pydantic"},
    "cli": {"typer"},
    "engines": {"gensim", "numba", "torch", "triton"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """Return the layer's name of a file: its module, or the folder it is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, top_level_only: bool) -> Iterator[str]:
    """Yield dotted names; what stands under `if TYPE_CHECKING` is not imported."""
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        nodes.extend(ast.iter_child_nodes(node))


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    home = room(path)
    if home in ("__init__", "__main__"):
        return
    for name in imports(ast.parse(path.read_text()), top_level_only=False):
        parts = name.split(".")
        if parts[0] == "w2vcli" and len(parts) > 1 and parts[1] not in ("__version__", home):
            assert layer(home) < layer(parts[1]), f"{home} imports {parts[1]}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    home = room(path)
    at_top = {name.split(".")[0] for name in imports(ast.parse(path.read_text()), top_level_only=True)}
    assert not at_top & KEPT_OUT - AT_HOME.get(home, set())
    if home != "cli":
        anywhere = {name.split(".")[0] for name in imports(ast.parse(path.read_text()), top_level_only=False)}
        assert not anywhere & {"typer", "rich"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["similar", "--help"],
        ["evaluate", "--help"],
        ["index", "--help"],
        ["train", "--help"],
        ["config", "-h"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["w2v", *{arguments!r}]
from w2vcli.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: w2v" in done.stdout
    heavy = {"gensim", "numpy", "numba", "scipy", "torch", "triton", "rich", "smart_open", "usearch"}
    assert not heavy & set(done.stderr.split())


def test_the_public_api_is_lazy() -> None:
    code = "import sys, w2vcli; assert 'numpy' not in sys.modules; w2vcli.train, w2vcli.load, w2vcli.preprocess"
    subprocess.run([sys.executable, "-c", code], check=True)
