"""Translate the PTX of a kernel to C, so that a CPU can run what a GPU would.

Covers the instructions that numepi's kernels use, one C statement each, with PTX's semantics: wrapping integers, shifts
clamped to the width, fused multiply-adds, comparisons that are false (or, with a u, true) for NaN.  Any other
instruction is an error.  Memory is one address space: the CPU's.
"""

import re
from typing import NamedTuple

__all__ = ["Instruction", "instructions", "operations", "to_c"]

_C = {
    "b32": "uint32_t", "u32": "uint32_t", "s32": "int32_t", "b64": "uint64_t", "u64": "uint64_t", "s64": "int64_t",
    "f32": "float", "f64": "double", "pred": "uint8_t",
}  # fmt: skip
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_LOGIC = {"and": "&", "or": "|", "xor": "^"}
_ARITHMETIC = {"add", "sub", "mul", "div", "rcp", "sqrt", "neg", "abs", "min", "max", "setp"}
_SPECIAL = {"%tid.x": "tid", "%ctaid.x": "ctaid", "%ntid.x": "ntid", "%nctaid.x": "nctaid"}

_PRELUDE = """
#include <stdint.h>
#include <string.h>
#include <math.h>
static inline uint32_t bits_f32(float x) { uint32_t y; memcpy(&y, &x, 4); return y; }
static inline uint64_t bits_f64(double x) { uint64_t y; memcpy(&y, &x, 8); return y; }
static inline float f32_bits(uint32_t x) { float y; memcpy(&y, &x, 4); return y; }
static inline double f64_bits(uint64_t x) { double y; memcpy(&y, &x, 8); return y; }
#define LOAD(type, name) \\
    static inline type load_##name(uint64_t a) { type x; memcpy(&x, (void *)a, sizeof x); return x; }
#define STORE(type, name) static inline void store_##name(uint64_t a, type x) { memcpy((void *)a, &x, sizeof x); }
LOAD(uint32_t, u32) LOAD(uint64_t, u64) LOAD(float, f32) LOAD(double, f64)
STORE(uint32_t, u32) STORE(uint64_t, u64) STORE(float, f32) STORE(double, f64)
static void thread(uint32_t tid, uint32_t ctaid, uint32_t ntid, uint32_t nctaid, const uint64_t *param) {
"""
_LAUNCH = """
}
void launch(uint32_t blocks, uint32_t threads, const uint64_t *param) {
    for (uint32_t block = 0; block < blocks; block++)
        for (uint32_t i = 0; i < threads; i++)
            thread(i, block, threads, blocks, param);
}
"""


class Instruction(NamedTuple):
    """One instruction: its line in the PTX, guard ("" or a predicate), operation and operands."""

    line: int
    guard: str
    operation: str
    operands: tuple


def instructions(ptx):
    """Every instruction of the kernel, in order."""
    found = []
    for number, line in enumerate(ptx.splitlines()):
        match = re.fullmatch(r"\s*(?:@(!?%\w+)\s+)?([a-z][\w.]*)(?:\s+([^:]*))?;\s*(?://.*)?", line)
        if match and not line.lstrip().startswith("."):
            operands = tuple(re.split(r",\s*", match[3].strip())) if match[3] else ()
            found.append(Instruction(number, match[1] or "", match[2], operands))
    return found


def operations(instruction):
    """Operations of one instruction in single and in double precision: a multiply-add is two, moves are none."""
    name, kind = instruction.operation.split(".")[0], instruction.operation.split(".")[-1]
    number = {"fma": 2}.get(name, int(name in _ARITHMETIC))
    return number * (kind == "f32"), number * (kind == "f64")


def to_c(ptx, counted=False):
    """C source of the kernel: ``launch(blocks, threads, param)``, parameters in slots of eight bytes.

    With ``counted``, ``uint64_t executed[3]`` has how many single- and double-precision operations and how many
    instructions were executed: see `operations`.
    """
    lines = ["#include <stdint.h>\nuint64_t executed[3];" if counted else "", _PRELUDE]
    for kind, name, count in re.findall(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>;", ptx):
        registers = ", ".join(f"{name}{i} = 0" for i in range(int(count)))
        lines.append(f"{_C[kind]} {registers};")
    by_line = {instruction.line: instruction for instruction in instructions(ptx)}
    body = ptx[: ptx.index("\n{")].count("\n") + 2
    for number, line in enumerate(ptx.splitlines()):
        label = re.fullmatch(r"\s*\$(\w+):\s*", line)
        if label and number >= body:
            lines.append(f"{label[1]}:;")
        elif number in by_line:
            instruction = by_line[number]
            if counted:
                lines.extend(f"executed[{i}] += {n};" for i, n in enumerate((*operations(instruction), 1)) if n)
            lines.append(_statement(instruction))
    return "\n".join([*lines, _LAUNCH])


def _statement(instruction):
    _, guard, operation, operands = instruction
    name, *suffixes = operation.split(".")
    statement = _TRANSLATE[name](suffixes, operands)
    if guard:
        return f"if ({'!' if guard[0] == '!' else ''}{guard.lstrip('!%')}) {{ {statement} }}"
    return statement


def _value(operand, kind):
    """An operand as a C expression of PTX type ``kind``, whatever register file it lies in."""
    if operand in _SPECIAL:
        return _SPECIAL[operand]
    if re.fullmatch(r"0f[0-9A-F]{8}", operand):
        value = f"0x{operand[2:]}u"
        return f"f32_bits({value})" if kind == "f32" else value
    if re.fullmatch(r"0d[0-9A-F]{16}", operand):
        value = f"0x{operand[2:]}ull"
        return f"f64_bits({value})" if kind == "f64" else value
    if re.fullmatch(r"-?\d+", operand):
        return f"({_C[kind]}){int(operand) % 2**64}ull"
    register = re.fullmatch(r"%(fd|f|rd|rs|r|p)(\d+)", operand)
    if register is None:
        raise ValueError(f"operand {operand!r} of type {kind}")
    file = register[1]
    if file in ("f", "fd") and kind[0] != "f":
        return f"({_C[kind]})bits_{'f32' if file == 'f' else 'f64'}({operand[1:]})"
    if file in ("r", "rd") and kind[0] == "f":
        return f"{kind}_bits({operand[1:]})"
    return f"({_C[kind]}){operand[1:]}" if file in ("r", "rd") else operand[1:]


def _set(destination, kind, expression):
    """Assign an expression of PTX type ``kind`` to a register, whatever its file."""
    file = re.fullmatch(r"%(fd|f|rd|rs|r|p)\d+", destination)[1]
    if file in ("f", "fd") and kind[0] != "f":
        expression = f"{'f32' if file == 'f' else 'f64'}_bits({expression})"
    if file in ("r", "rd") and kind[0] == "f":
        expression = f"bits_{kind}({expression})"
    return f"{destination[1:]} = {expression};"


def _infix(symbol):
    def translate(suffixes, operands):
        kind = suffixes[-1]
        if "sat" in suffixes or "ftz" in suffixes or "approx" in suffixes:
            raise ValueError(f"suffixes {suffixes}")
        work = kind if kind[0] == "f" or symbol == "/" else kind.replace("s", "u")  # signed overflow is undefined in C
        a, b = (_value(operand, work) for operand in operands[1:])
        return _set(operands[0], kind, f"({a} {symbol} {b})")

    return translate


def _multiply(suffixes, operands):
    if suffixes[0] == "wide":
        kind = suffixes[1]
        wide = kind.replace("32", "64")
        a, b = (_value(operand, kind) for operand in operands[1:])
        return _set(operands[0], wide, f"(({_C[wide]}){a} * ({_C[wide]}){b})")
    if suffixes[-1][0] != "f" and suffixes[0] != "lo":
        raise ValueError(f"mul.{'.'.join(suffixes)}")
    return _infix("*")(suffixes, operands)


def _divide(suffixes, operands):
    if suffixes[-1][0] == "f" and suffixes[:-1] != ["rn"]:
        raise ValueError(f"div.{'.'.join(suffixes)}: not the rounded quotient")
    return _infix("/")(suffixes, operands)


def _fused(suffixes, operands):
    kind = suffixes[-1]
    a, b, c = (_value(operand, kind) for operand in operands[1:])
    return _set(operands[0], kind, f"{'fmaf' if kind == 'f32' else 'fma'}({a}, {b}, {c})")


def _call(single, double):
    def translate(suffixes, operands):
        kind = suffixes[-1]
        function = {"f32": single, "f64": double}[kind]
        return _set(operands[0], kind, f"{function}({_value(operands[1], kind)})")

    return translate


def _reciprocal(suffixes, operands):
    if suffixes[0] != "rn":
        raise ValueError(f"rcp.{'.'.join(suffixes)}: not the rounded reciprocal")
    return _set(operands[0], suffixes[-1], f"(({_C[suffixes[-1]]})1 / {_value(operands[1], suffixes[-1])})")


def _negate(suffixes, operands):
    kind = suffixes[-1]
    if kind[0] == "f":
        return _set(operands[0], kind, f"(-{_value(operands[1], kind)})")
    unsigned = kind.replace("s", "u")
    return _set(operands[0], unsigned, f"(0 - {_value(operands[1], unsigned)})")


def _invert(suffixes, operands):
    value = _value(operands[1], suffixes[0])
    return _set(operands[0], suffixes[0], f"(!{value})" if suffixes[0] == "pred" else f"(~{value})")


def _shift(symbol):
    def translate(suffixes, operands):
        kind = suffixes[0]
        value, count = _value(operands[1], kind), _value(operands[2], "u32")
        width = int(kind[1:])
        beyond = f"({value} < 0 ? -1 : 0)" if kind[0] == "s" else "0"
        return _set(operands[0], kind, f"({count} >= {width} ? {beyond} : ({value} {symbol} {count}))")

    return translate


def _extreme(symbol):
    def translate(suffixes, operands):
        kind = suffixes[-1]
        if kind[0] == "f":
            raise ValueError(f"floating-point minimum or maximum: {suffixes}")
        a, b = (_value(operand, kind) for operand in operands[1:])
        return _set(operands[0], kind, f"({a} {symbol} {b} ? {a} : {b})")

    return translate


def _compare(suffixes, operands):
    comparison, kind = suffixes
    a, b = (_value(operand, kind) for operand in operands[1:])
    unordered = comparison.endswith("u") and kind[0] == "f"
    if kind[0] != "f" or not unordered:
        ordered = f"({a} {_COMPARE[comparison]} {b})"
        # a C comparison is already false for NaN, but for != it is true
        guard = f" && !isnan({a}) && !isnan({b})" if kind[0] == "f" and comparison == "ne" else ""
        return _set(operands[0], "pred", f"({ordered}{guard})")
    return _set(operands[0], "pred", f"(isnan({a}) || isnan({b}) || ({a} {_COMPARE[comparison[:-1]]} {b}))")


def _select(suffixes, operands):
    kind = suffixes[0]
    a, b, p = _value(operands[1], kind), _value(operands[2], kind), _value(operands[3], "pred")
    return _set(operands[0], kind, f"({p} ? {a} : {b})")


def _convert(suffixes, operands):
    to, of = suffixes[-2:]
    rounding = suffixes[:-2]
    if rounding not in ([], ["rn"]):
        raise ValueError(f"cvt.{'.'.join(suffixes)}")
    return _set(operands[0], to, f"({_C[to]}){_value(operands[1], of)}")


def _move(suffixes, operands):
    return _set(operands[0], suffixes[-1], _value(operands[1], suffixes[-1]))


def _address(operand):
    match = re.fullmatch(r"\[%rd(\d+)(?:\+(-?\d+))?\]", operand)
    return f"rd{match[1]} + ({match[2] or 0}ll)"


def _load(suffixes, operands):
    kind = suffixes[-1]
    if suffixes[0] == "param":
        slot = re.fullmatch(r"\[\w+_param_(\d+)\]", operands[1])[1]
        return _set(operands[0], kind, f"load_{kind}((uint64_t)&param[{slot}])")
    return _set(operands[0], kind, f"load_{kind}({_address(operands[1])})")


def _store(suffixes, operands):
    kind = suffixes[-1]
    return f"store_{kind}({_address(operands[0])}, {_value(operands[1], kind)});"


_TRANSLATE = {
    "add": _infix("+"), "sub": _infix("-"), "mul": _multiply, "div": _divide, "fma": _fused, "rcp": _reciprocal,
    "neg": _negate, "abs": _call("fabsf", "fabs"), "sqrt": _call("sqrtf", "sqrt"), "not": _invert,
    "shl": _shift("<<"), "shr": _shift(">>"), "min": _extreme("<"), "max": _extreme(">"),
    "setp": _compare, "selp": _select, "cvt": _convert, "cvta": _move, "mov": _move, "ld": _load, "st": _store,
    "bra": lambda suffixes, operands: f"goto {operands[0][1:]};", "ret": lambda suffixes, operands: "return;",
} | {name: _infix(symbol) for name, symbol in _LOGIC.items()}  # fmt: skip
