"""The house: no import points up, none runs in a circle, and a person can read each module in one sitting."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "numepi"
LONGEST = 350  # lines

# From the ground up: a module imports from its own floor or from those below.  The longest prefix counts.
# docs/figures/architecture.svg shows them: after a change, python -m docs.draw_architecture.
FLOORS = (
    ("annotations", "arguments", "markup", "result_table"),
    (
        "conditions",
        "differentiation",
        "line_functions",
        "random_streams",
        "archive",
        "identity",
        "kernels",
        "simulations",
    ),
    ("worker_threads", "support", "simulation"),
    ("priors", "property", "flow.transform", "flow.protocol", "flow.passes"),
    ("flow.networks", "flow.elementwise"),
    ("flow.couplings",),
    ("flow.families",),
    ("flow",),
    ("circuits", "initial", "observe", "result"),
    ("paper", "inference", "inference.running.shards", "inference.running.failures"),
    ("inference.running", "inference.assessment", "inference.particles"),
    ("inference.augmented_lagrangian", "inference.dual"),
    ("inference.assembly", "inference.solvers"),
    ("inference.infer",),
    ("settings", "storage"),
    ("analysis", "interop", "sweeps"),
    ("plotting",),
    ("report",),
    ("__main__",),
)
# A circuit hands out the paper's settings, which know circuits and flows; a result its report, which knows figures.
EXCEPTIONS = {("circuits.base", "paper"), ("inference.assessment.services", "report")}

# Rooms that know nothing of each other, whichever floor they stand on.
STRANGERS = (("circuits", "flow"), ("flow", "circuits"), ("flow", "property"), ("property", "flow"))


def modules():
    """Every module's name within the package, and its file."""
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del named[""]  # the package itself loads names at first use
    return named


MODULES = modules()


def names_of_types(tree):
    """Imports for those who read types only."""
    guards = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {node for guard in guards for node in ast.walk(guard)}


def imports(name):
    """The modules of the package that this one imports, at its top or within a function."""
    found, tree = set(), ast.parse(MODULES[name].read_text())
    typing = names_of_types(tree)
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute here"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            named = {member for member in members if member.removeprefix("numepi.") in MODULES}
            found |= named
            if named != members:
                found.add(node.module)
    inside = {target.removeprefix("numepi.") for target in found if target.startswith("numepi.")}
    return {target for target in inside if target in MODULES and target != name}


ARROWS = {name: imports(name) for name in MODULES}


def within(name, room):
    """Whether a module is a room, or lies in it."""
    return f"{name}.".startswith(f"{room}.")


def floor(name):
    """The floor on which a module stands."""
    on = [(prefix, number) for number, prefixes in enumerate(FLOORS) for prefix in prefixes]
    best = max((each for each in on if within(name, each[0])), key=lambda e: len(e[0]), default=None)
    assert best is not None, f"{name} stands on no floor: add it to FLOORS"
    return best[1]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_import_points_up(name):
    is_face = MODULES[name].name == "__init__.py"  # which hands on names of its own room
    up = {t for t in ARROWS[name] if floor(t) > floor(name) and not (is_face and t.startswith(f"{name}."))}
    assert up <= {target for source, target in EXCEPTIONS if source == name}


@pytest.mark.parametrize("one, other", STRANGERS)
def test_strangers_do_not_meet(one, other):
    meetings = {(a, b) for a, targets in ARROWS.items() for b in targets if within(a, one) and within(b, other)}
    assert meetings == set()


def test_the_exceptions_are_still_there():
    assert all(target in ARROWS[source] for source, target in EXCEPTIONS)


def test_no_imports_run_in_a_circle():
    arrows = {name: targets - {t for s, t in EXCEPTIONS if s == name} for name, targets in ARROWS.items()}
    while True:
        ground = {name for name, targets in arrows.items() if not targets}
        if not ground:
            break
        arrows = {name: targets - ground for name, targets in arrows.items() if name not in ground}
    assert not arrows, f"among these is a circle: {sorted(arrows)}"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_is_read_in_one_sitting(name):
    assert len(MODULES[name].read_text().splitlines()) <= LONGEST


# Records that grow while they are made, and are handed on when they are done.
GROWING = {("inference.particles.annealing", "Path")}


def test_records_are_frozen():
    """State is a typed record that others cannot edit: every dataclass is frozen."""
    loose = set()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            for decorator in getattr(node, "decorator_list", []) if isinstance(node, ast.ClassDef) else []:
                if ast.unparse(decorator).startswith("dataclass") and "frozen=True" not in ast.unparse(decorator):
                    loose.add((name, node.name))
    assert loose == GROWING
