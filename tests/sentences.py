"""Sentences of the project at random, to be read with fresh eyes: `python -m tests.sentences --seed 7 -n 120`.

Sources: docstrings, comments and messages of the package, `--help`, the pages' templates, README and docs, test names.
"""

import argparse
import ast
import io
import random
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MIN_WORDS = 4


def sentences() -> Iterator[tuple[str, str]]:
    """(where, sentence) for every sentence of at least `MIN_WORDS` words."""
    for path in sorted([*(ROOT / "audioae").rglob("*.py"), *(ROOT / "flows").glob("*.py")]):
        for text in (*_strings(path), *_comments(path)):
            yield from _split(path, text)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"def (test_\w+)", path.read_text()):
            yield from _split(path, name.removeprefix("test_").replace("_", " ") + ".")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]):
        prose = re.sub(r"```.*?```|^ {4}.*?$|^\|[-| ]+\|$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for block in re.split(r"\n\s*\n|\n[-|#]", prose):
            yield from _split(path, block)
    for path in sorted((ROOT / "audioae" / "pages").rglob("*.j2")):
        for line in re.sub(r"{[{%#].*?[}%#]}|<[^>]+>", " ", path.read_text(), flags=re.DOTALL).splitlines():
            yield from _split(path, line)


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.split(r"\n\s*\n|\n\s*(?=- |\w+ : |-{3,})|-{3,}", node.value)


def _comments(path: Path) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT and "pyright" not in token.string:
            yield token.string.lstrip("# ")


def _split(path: Path, text: str) -> Iterator[tuple[str, str]]:
    flat = " ".join(text.split())
    for sentence in re.split(r"(?<=[.!?;])\s+(?=[A-Z`\"'(])", flat):
        if len(re.findall(r"[A-Za-z]{2,}", sentence)) >= MIN_WORDS and ">>>" not in sentence:
            yield str(path.relative_to(ROOT)), sentence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=120, help="how many sentences")
    arguments = parser.parse_args()
    everything = list(sentences())
    for where, sentence in random.Random(arguments.seed).sample(everything, min(arguments.n, len(everything))):
        print(f"{where}: {sentence}")


if __name__ == "__main__":
    main()
