"""Whether the tests notice a slip: random single-line changes of the code, each against the tests of its own room.

    python -m tests.mutations --seed 0 --count 40

works on a copy of the committed tree.  A change is *caught* when a test fails within the limit (two minutes a change);
it *survives* when they pass, or when time is up twice: the second time most kernels are compiled.  What survives is
printed for a person to judge: some changes make no difference that a test should see.
"""

import argparse
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ROOMS = ("inference", "flow", "property", "analysis")
_SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_NAMES = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "argmin": "argmax",
          "argmax": "argmin", "any": "all", "all": "any", "mean": "sum", "log": "exp", "exp": "log"}  # fmt: skip


class Change(NamedTuple):
    """One line of a file, as it is and as it becomes."""

    path: Path
    line: int
    before: str
    after: str


def main():
    """Draw the changes, try each, and print what survived; exit with 1 below nine in ten."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for each change")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the changes to try, of those that are drawn")
    arguments = parser.parse_args()
    copy = Path(tempfile.gettempdir()) / "numepi-mutations"  # always there: compiled kernels are known by their path
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    drawn = dict(enumerate(draw(copy, arguments.seed, arguments.count)))
    if arguments.only is not None:
        drawn = {number: drawn[number] for number in arguments.only}
    outcomes = {}
    for number in [*drawn, *drawn]:
        if outcomes.get(number, "no time") == "no time":
            outcomes[number], seconds = attempt(copy, drawn[number], arguments.limit)
            where = f"{drawn[number].path.relative_to(copy)}:{drawn[number].line}"
            print(f"{number:3} {outcomes[number]:8} {seconds:4.0f} s  {where}", flush=True)
    left = {number: outcome for number, outcome in outcomes.items() if outcome != "caught"}
    print(f"{len(drawn) - len(left)} of {len(drawn)} caught (seed {arguments.seed})")
    for number, outcome in left.items():
        change = drawn[number]
        print(f"{number:3} {outcome} {change.path.relative_to(copy)}:{change.line}")
        print(f"    - {change.before}\n    + {change.after.strip()}")
    return int(len(left) > len(drawn) / 10)


def draw(root, seed, count):
    """``count`` changes of different lines, each line of the rooms' code as likely as another."""
    generator = random.Random(seed)
    lines = {}
    for room in ROOMS:
        for path in sorted((root / "numepi" / room).rglob("*.py")):
            for change in changes(path):
                lines.setdefault((path, change.line), []).append(change)
    return [generator.choice(lines[key]) for key in generator.sample(sorted(lines), count)]


def changes(path):
    """Every change of one line that is tried: operators, comparisons, constants, names, statements left out."""
    source = path.read_text()
    lines, tree, found = source.splitlines(), ast.parse(source), []
    told = _told(tree)
    for node in ast.walk(tree):
        place = getattr(node, "lineno", None)
        if place is None or node in told or place != node.end_lineno or not lines[place - 1].isascii():
            continue
        for text in _replacements(node):
            line = lines[place - 1]
            after = line[: node.col_offset] + text + line[node.end_col_offset :]
            if after != line:
                found.append(Change(path, place, line.strip(), after))
    return found


def _told(tree):
    """Nodes that make messages, documentation, types, names of a module or imports: no behaviour that tests check."""
    told = set()
    for node in ast.walk(tree):
        skipped = []
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)):
            skipped = [node]
        elif isinstance(node, ast.FunctionDef):
            skipped = [a.annotation for a in node.args.args if a.annotation] + [node.returns] * bool(node.returns)
            skipped += node.decorator_list
        elif isinstance(node, ast.AnnAssign):
            skipped = [node.annotation]
        elif isinstance(node, ast.If):
            skipped = [node] if ast.unparse(node.test) == "TYPE_CHECKING" else []
        elif isinstance(node, ast.Assign):
            skipped = [node] if ast.unparse(node.targets[0]) == "__all__" else []
        for each in skipped:
            told.update(ast.walk(each))
    return told


def _replacements(node):
    """What an expression or statement may become, as source."""
    if isinstance(node, ast.BinOp) and type(node.op) in _SWAPS:
        yield f"({ast.unparse(ast.BinOp(node.left, _SWAPS[type(node.op)](), node.right))})"
    elif isinstance(node, ast.BoolOp):
        yield f"({ast.unparse(ast.BoolOp(_SWAPS[type(node.op)](), node.values))})"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _SWAPS:
        yield f"({ast.unparse(ast.Compare(node.left, [_SWAPS[type(node.ops[0])]()], node.comparators))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield ast.unparse(node.operand)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield repr(node.value + 1 if isinstance(node.value, int) else 2 * node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield repr(not node.value)
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield f"{ast.unparse(node.value)}.{_NAMES[node.attr]}"
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield "return None"
    elif isinstance(node, (ast.AugAssign, ast.Expr)) and not isinstance(getattr(node, "value", None), ast.Constant):
        yield "pass"


def attempt(copy, change, limit):
    """Make the change in the copy, run the room's tests, and take it back: (outcome, seconds)."""
    original = change.path.read_text()
    lines = original.splitlines(keepends=True)
    lines[change.line - 1] = change.after + "\n"
    change.path.write_text("".join(lines))
    start = time.monotonic()
    try:
        environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}
        environment |= {"NUMBA_CACHE_DIR": f"{copy}-cache"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests_of(copy, change.path)]
        outcome = _outcome(command, copy, environment, limit)
    finally:
        change.path.write_text(original)
    return outcome, time.monotonic() - start


def _outcome(command, copy, environment, limit):
    """Run the tests; those that are out of time are stopped with the processes that they have started."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, cwd=copy, env=environment, **quiet) as run:
        try:
            return "survives" if run.wait(limit) == 0 else "caught"
        except subprocess.TimeoutExpired:
            return "no time"
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)


def tests_of(copy, path):
    """The tests of a module's room, its own first, then its neighbours'."""
    parts = path.relative_to(copy / "numepi").parts
    found = [Path("tests", *parts[:-1], f"test_{parts[-1]}")]
    found += [Path("tests", *parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]
    return list(dict.fromkeys(str(each) for each in found if (copy / each).exists()))


if __name__ == "__main__":
    sys.exit(main())
