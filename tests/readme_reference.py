"""The README's command reference is made from `--help`.

python -m tests.readme_reference --write    put it in
python -m tests.readme_reference --check    exit 1 if it is not what stands there
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- reference: made by `make fix` from --help -->\n"
END = "<!-- end of reference -->\n"
COMMANDS = (
    "preprocess",
    "train",
    "similar",
    "analogy",
    "similarity",
    "odd-one-out",
    "vectors",
    "evaluate",
    "report",
    "plot",
    "convert",
    "index",
    "vocab",
    "info",
    "config init",
    "config check",
    "config show",
    "config schema",
    "bench train",
    "bench batch",
    "bench preprocess",
    "cluster check",
)


def reference() -> str:
    """Return the section's Markdown."""
    parts = []
    for command in COMMANDS:
        environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
        call = [sys.executable, "-m", "w2vcli", *command.split(), "--help"]
        shown = subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts.append(f"#### w2v {command}\n\n```text\n{text}\n```\n")
    return "\n" + "\n".join(parts) + "\n"


def main() -> int:
    """Check or write, as the argument says."""
    content = README.read_text()
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print("README.md: the marks around the reference are missing", file=sys.stderr)
        return 1
    wanted = before + BEGIN + reference() + END + after
    if "--write" in sys.argv:
        README.write_text(wanted)
    elif wanted != content:
        print("README.md: the reference is not what --help says; run make fix", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
