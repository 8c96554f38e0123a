"""Change the code in small ways and see whether its tests notice: `python -m tests.mutants --seed 1 -n 30`.

Conventions
-----------
- A mutant is one change of one expression in a file of `TESTS`: another comparison, operation, number or branch.
- It is made in a copy of the project, and only the tests that belong to the file run on it, one mutant at a time.
- A survivor is a mutant that all these tests pass on. It is a hint, not a fault: some change nothing that can be seen.
"""

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
COPIED = ("audioae", "tests", "configs", "pyproject.toml")
TIMEOUT_S = 600  # of one run of tests; a mutant that never ends is noticed, too
TESTS = {
    "search/filtered.py": ["search/test_filtered.py", "search/test_scores.py"],
    "search/engine.py": ["search/test_index.py", "search/test_scores.py"],
    "search/index.py": ["search/test_index.py", "search/test_scores.py"],
    "screening/mislabeled/label_model.py": ["screening/mislabeled/test_label_model.py"],
    "screening/corrupt/classifier.py": ["screening/corrupt/test_classifier.py"],
    "recommend/scorer.py": ["recommend/test_scorer.py"],
    "audio/health.py": ["audio/test_health.py"],
    "playlists/walk.py": ["playlists/test_walk.py", "playlists/test_rules.py", "playlists/test_search.py"],
    "playlists/search.py": ["playlists/test_search.py"],
    "playlists/rules.py": ["playlists/test_rules.py", "playlists/test_search.py"],
    "model/terms.py": ["model/test_terms.py"],
    "model/losses.py": ["model/test_losses.py", "model/test_terms.py"],
    "model/augment.py": ["model/test_augment.py"],
    "model/head_nets.py": ["model/test_heads.py", "golden/test_golden.py"],
    "model/tempogram.py": ["model/test_tempogram.py", "model/test_heads.py"],
    "model/train_config.py": ["model/test_train_config.py"],
    "model/pace.py": ["model/test_pace.py"],
    "store/upkeep.py": ["store/test_upkeep.py"],
}
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


class Mutant(NamedTuple):
    """A file of `TESTS`, the line and the whole changed text, and what was changed into what."""

    file: str
    line: int
    text: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"audioae/{self.file}:{self.line}: {self.before}  ->  {self.after}"


def mutants(file: str, source: str) -> list[Mutant]:
    """Every mutant of a file.

    >>> [mutant.after for mutant in mutants("a.py", "def f(x: int = 2):\\n    return x + 1 if x < 3 else 0\\n")]
    ['3', 'x + 1 if not x < 3 else 0', 'x <= 3', '4', 'x - 1', '2', '1']
    """
    lines = source.splitlines(keepends=True)
    found = []
    for node in _expressions(ast.parse(source)):
        before = ast.get_source_segment(source, node)
        for changed in _changes(node):
            first, last = (_offset(lines, *place) for place in ((node.lineno, node.col_offset), _end(node)))
            after = ast.unparse(changed)
            inner = f"({after})" if isinstance(node, ast.expr) and not isinstance(node, ast.Constant) else after
            found.append(Mutant(file, node.lineno, source[:first] + inner + source[last:], str(before), after))
    return found


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether all tests of the file pass on a mutant."""
    path = copy / "audioae" / mutant.file
    original = path.read_text()
    path.write_text(mutant.text)
    try:
        return passes(mutant.file, copy)
    finally:
        path.write_text(original)


def passes(file: str, copy: Path) -> bool:
    """Whether all tests of a file, and the examples in it, pass in a copy of the project."""
    tests = [f"tests/{name}" for name in TESTS[file]]
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider"]
    command = [sys.executable, "-B", "-m", "pytest", *options, f"audioae/{file}", *tests]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Which mutants do the tests miss?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=30, help="number of mutants")
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"default: {', '.join(TESTS)}")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.files) - set(TESTS)):
        parser.error(f"no tests are known for {', '.join(unknown)}")
    every = [
        mutant for file in options.files or TESTS for mutant in mutants(file, (ROOT / "audioae" / file).read_text())
    ]
    chosen = random.Random(options.seed).sample(every, min(options.n, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        copy = _copy(Path(folder))
        files = sorted({mutant.file for mutant in chosen})
        print(
            f"{len(chosen)} mutants of {len(files)} files; the tests without any change come first",
            flush=True,
        )
        if broken := [file for file in files if not passes(file, copy)]:
            print(f"without any change, the tests fail for {', '.join(broken)}")
            return 2
        survivors = []
        for mutant in chosen:
            started = time.monotonic()
            survived = survives(mutant, copy)
            survivors += [mutant] * survived
            print(
                f"{'SURVIVED' if survived else 'noticed':<8} {time.monotonic() - started:4.0f} s  {mutant}", flush=True
            )
    print(f"{len(survivors)} of {len(chosen)} mutants survived (of {len(every)} possible ones, seed {options.seed})")
    return 0


def _copy(folder: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def _expressions(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that decide a result: no types, no texts, nothing in the message of an error."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not isinstance(node, (ast.Raise, ast.JoinedStr, ast.Assert)):
                if isinstance(node, ast.expr):
                    yield node
                yield from _expressions(node)


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        yield ast.Compare(node.left, [OTHER[type(node.ops[0])](), *node.ops[1:]], node.comparators)  # pyright: ignore[reportArgumentType]
    elif isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        yield ast.BinOp(node.left, OTHER[type(node.op)](), node.right)  # pyright: ignore[reportArgumentType]
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(OTHER[type(node.op)](), node.values)  # pyright: ignore[reportArgumentType]
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1 if isinstance(node.value, int) else node.value * 2 or 1.0)


def _end(node: ast.expr) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _offset(lines: Sequence[str], line: int, column: int) -> int:
    """Position in the source of a line and of a column that is counted in bytes, as `ast` does."""
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())


if __name__ == "__main__":
    sys.exit(main())
