"""Vector code of the numba engine: the arithmetic on rows, written as LLVM code.

An array loop compiled by numba leaves LLVM to prove that rows do not overlap, which it cannot, and then it neither
keeps them in registers nor uses the full vector width. So these functions emit LLVM's vector instructions themselves;
LLVM turns them into those of the processor. To a compiled function they are ordinary functions.

Words of this file:
    lanes     floats in one vector: 16 with AVX-512, else 8. Rows are padded with zeros to whole vectors and aligned.
    tile      the outputs whose rows are held in registers together. Of more than one tile, each does the whole window.
    group     the contexts that are scored together: with 16 lanes two, else one.
    slot      where in a context's 8 coefficients an output's stands; the order comes out of the summing of the lanes.

Addresses are int64; what they point to is kept alive by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from w2vcli import compiled

SLOTS = 8
VERSION = crc32(Path(__file__).read_bytes() + Path(compiled.__file__).read_bytes())
"""For numba's cache, which looks at no file but a function's own: what this code is compiled into, it belongs to."""


def native_lanes() -> int:
    """Return how many floats this processor's widest useful vector holds."""
    return 16 if llvm.get_host_cpu_features().get("avx512f") else 8


def tiling(outputs: int, lanes: int) -> tuple[int, int]:
    """Return how many tiles of which size hold `outputs` output rows within the registers.

    >>> tiling(6, 16), tiling(11, 16), tiling(6, 8), tiling(21, 8)
    ((1, 6), (2, 6), (1, 6), (4, 6))
    """
    most = 8 if lanes == 16 else 6  # 32 registers, or 16
    tiles = -(-outputs // most)
    return tiles, -(-outputs // tiles)


_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FLOAT_BYTES, _ADDRESS_BYTES = 4, 8
_LOG2_E = 1.4426950408889634
# 2 ** x for |x| <= 1/2: the Taylor polynomial of degree 5, its relative error below 3e-6
_POWER_OF_TWO = (
    0.0013333558146428443,
    0.009618129107628477,
    0.05550410866482158,
    0.2402265069591007,
    0.6931471805599453,
    1.0,
)
_Value = Any


class _Code:
    """Writes LLVM code on vectors of `lanes` floats."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.bytes = _FLOAT_BYTES * lanes
        self.vector = ir.VectorType(_FLOAT, lanes)
        self.ints = ir.VectorType(_INT32, lanes)

    def constant(self, value: float) -> _Value:
        return ir.Constant(self.vector, [ir.Constant(_FLOAT, float(np.float32(value)))] * self.lanes)

    def integers(self, value: int) -> _Value:
        return ir.Constant(self.ints, [value] * self.lanes)

    def plus(self, address: _Value, offset: _Value | int) -> _Value:
        return self.builder.add(address, ir.Constant(_INT64, offset) if isinstance(offset, int) else offset)

    def times(self, number: _Value, factor: _Value | int) -> _Value:
        return self.builder.mul(number, ir.Constant(_INT64, factor) if isinstance(factor, int) else factor)

    def pointer(self, address: _Value, kind: Any) -> _Value:
        return self.builder.inttoptr(address, ir.PointerType(kind))

    def load(self, address: _Value) -> _Value:
        return self.builder.load(self.pointer(address, self.vector), align=self.bytes)

    def store(self, value: _Value, address: _Value) -> None:
        self.builder.store(value, self.pointer(address, self.vector), align=self.bytes)

    def load_address(self, address: _Value) -> _Value:
        return self.builder.load(self.pointer(address, _INT64), align=_ADDRESS_BYTES)

    def store_address(self, value: _Value, address: _Value) -> None:
        self.builder.store(value, self.pointer(address, _INT64), align=_ADDRESS_BYTES)

    def shuffle(self, a: _Value, b: _Value, lanes: Sequence[int]) -> _Value:
        return self.builder.shuffle_vector(a, b, ir.Constant(self.ints, list(lanes)))

    def spread(self, number: _Value) -> _Value:
        """Return a vector that holds the float `number` in every lane."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(_INT32, 0))
        return self.shuffle(first, nothing, [0] * self.lanes)

    def load_spread(self, address: _Value) -> _Value:
        return self.spread(self.builder.load(self.pointer(address, _FLOAT), align=_FLOAT_BYTES))

    def call(self, name: str, *arguments: _Value) -> _Value:
        """Call an LLVM intrinsic of vectors."""
        name = f"llvm.{name}.v{self.lanes}f32"
        module = self.builder.module
        kind = ir.FunctionType(self.vector, [self.vector] * len(arguments))
        return self.builder.call(module.globals.get(name) or ir.Function(module, kind, name), arguments)

    def prefetch(self, address: _Value) -> None:
        """Ask for the cache line at an address, to be written to."""
        pointer = ir.PointerType(ir.IntType(8))
        name, module = "llvm.prefetch.p0", self.builder.module
        kind = ir.FunctionType(ir.VoidType(), [pointer, _INT32, _INT32, _INT32])
        function = module.globals.get(name) or ir.Function(module, kind, name)
        to_write, keep_close, data = 1, 3, 1
        options = [ir.Constant(_INT32, option) for option in (to_write, keep_close, data)]
        self.builder.call(function, [self.builder.inttoptr(address, pointer), *options])

    def multiply_add(self, a: _Value, b: _Value, c: _Value) -> _Value:
        """Return a * b + c, rounded once where the processor can."""
        return self.call("fmuladd", a, b, c)

    def loop(
        self, number: _Value, start: Sequence[_Value], body: Callable[[_Value, list[_Value]], Sequence[_Value]]
    ) -> list[_Value]:
        """Run `body` for 0 .. number - 1; what it returns is given to the next round, `start` to the first."""
        builder = self.builder
        before = builder.block
        head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(_INT64)
        carried = [builder.phi(value.type) for value in start]
        builder.cbranch(builder.icmp_signed("<", index, number), inside, after)
        builder.position_at_end(inside)
        results = [self.plus(index, 1), *body(index, carried)]
        builder.branch(head)
        first = [ir.Constant(_INT64, 0), *start]
        for phi, initial, result in zip([index, *carried], first, results, strict=True):
            phi.add_incoming(initial, before)
            phi.add_incoming(result, builder.block)
        builder.position_at_end(after)
        return carried

    def sigmoid(self, x: _Value) -> _Value:
        """Return 1 / (1 + exp(-x)) in every lane, to within 1e-6."""
        builder = self.builder
        low, high = self.constant(-30), self.constant(30)
        x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
        x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
        # exp(-x) = 2 ** whole * 2 ** part
        exponent = builder.fmul(x, self.constant(-_LOG2_E))
        whole = self.call("nearbyint", exponent)
        part = builder.fsub(exponent, whole)
        power = self.constant(_POWER_OF_TWO[0])
        for coefficient in _POWER_OF_TWO[1:]:
            power = self.multiply_add(power, part, self.constant(coefficient))
        # 2 ** whole is the float whose exponent field is whole + 127
        field = builder.shl(builder.add(builder.fptosi(whole, self.ints), self.integers(127)), self.integers(23))
        power = builder.fmul(power, builder.bitcast(field, self.vector))
        return builder.fdiv(self.constant(1), builder.fadd(power, self.constant(1)))

    def sums(self, vectors: dict[int, _Value]) -> _Value:
        """Return a vector with the sum over the lanes of `vectors[leaf]` in the lane `_lane_of_leaves(lanes)[leaf]`."""
        level, width = vectors, self.lanes
        while width > 1:
            front, back = _halves(self.lanes, width)
            pairs = {leaf // 2: (level.get(leaf & ~1), level.get(leaf | 1)) for leaf in level}
            level = {}
            for leaf, (a, b) in pairs.items():
                a, b = a or b, b or a
                level[leaf] = self.builder.fadd(self.shuffle(a, b, front), self.shuffle(a, b, back))
            width //= 2
        return level[0]


def _halves(lanes: int, width: int) -> tuple[list[int], list[int]]:
    """Return the lanes of two vectors a, b (lanes + i is lane i of b) that hold the front halves of all runs of
    `width` lanes, and those that hold the back halves.

    Runs stay within 128 bits where they fit, so that each of the two shuffles is a single instruction.
    """
    front: list[int] = []
    back: list[int] = []
    chunk = lanes if width > 4 else 4
    for start in range(0, lanes, chunk):
        for vector in (0, lanes):
            for run in range(vector + start, vector + start + chunk, width):
                front += range(run, run + width // 2)
                back += range(run + width // 2, run + width)
    return front, back


@cache
def _lane_of_leaves(lanes: int) -> list[int]:
    """Return the lane in which `sums` leaves the sum of each leaf."""
    level = [[leaf] * lanes for leaf in range(lanes)]
    width = lanes
    while width > 1:
        front, _ = _halves(lanes, width)
        level = [[(a + b)[lane] for lane in front] for a, b in zip(level[::2], level[1::2], strict=True)]
        width //= 2
    return [level[0].index(leaf) for leaf in range(lanes)]


@cache
def _leaves(lanes: int) -> list[list[int]]:
    """Return, for each context of a group, the leaves whose sums end in its SLOTS lanes."""
    ends = _lane_of_leaves(lanes)
    return [[leaf for leaf in range(lanes) if ends[leaf] // SLOTS == member] for member in range(lanes // SLOTS)]


def slots_of_outputs(lanes: int) -> list[int]:
    """Return the slot of each output of a tile; for every member of a group they are the same."""
    return [_lane_of_leaves(lanes)[leaf] for leaf in _leaves(lanes)[0]]


class _Step(NamedTuple):
    """What one step works on; addresses, but for the numbers n_…"""

    contexts: _Value
    """int64 (n_contexts + 1,) addresses of input rows; the last is there to fill a group."""
    n_contexts: _Value
    outputs: _Value
    """int64 (n_tiles * tile,) addresses of output rows, all different."""
    n_tiles: _Value
    factors: _Value
    """float32 (n_tiles, 2, lanes): each output's factor in its slots, and factor * label."""
    n_vectors: _Value
    gradients: _Value
    """float32 (n_tiles, n_contexts + 1, SLOTS), to work with."""
    changes: _Value
    """float32 (n_contexts, width), where not done in place."""
    outputs_ahead: _Value
    """int64 (n_tiles * tile,) addresses of rows that will be needed soon."""
    input_ahead: _Value
    """The address of one more."""


@intrinsic(prefer_literal=True)
def skipgram_step(
    typing: Any, lanes: Any, tile: Any, in_place: Any, contexts: Any, n_contexts: Any, outputs: Any, n_tiles: Any,
    factors: Any, n_vectors: Any, gradients: Any, changes: Any, outputs_ahead: Any, input_ahead: Any,
) -> Any:  # fmt: skip
    """Make one step of gradient descent on every pair of the contexts and outputs listed, all from the old rows.

        g_ij = factor_j * (label_j - s(u_i . v_j))      u_i += sum_j g_ij v_j      v_j += sum_i g_ij u_i

    `in_place`, for a single tile, saves the detour over `changes`; then a context listed twice is read again the
    second time.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(builder, signature.args[0].literal_value)
        in_place = bool(signature.args[2].literal_value)
        step = _Step(*arguments[3:])
        _window_step(code, signature.args[1].literal_value, in_place, step)
        if not in_place:
            row_bytes = code.times(step.n_vectors, code.bytes)
            one = ir.Constant(_FLOAT, 1)
            _add_to_rows(code, step.contexts, step.n_contexts, step.n_vectors, one, step.changes, row_bytes)
        return context.get_dummy_value()

    return types.void(lanes, tile, in_place, *[types.int64] * 10), emit


@intrinsic(prefer_literal=True)
def cbow_step(
    typing: Any, lanes: Any, tile: Any, contexts: Any, n_contexts: Any, outputs: Any, n_tiles: Any, factors: Any,
    n_vectors: Any, gradients: Any, changes: Any, outputs_ahead: Any, input_ahead: Any, mean: Any, only_sum: Any,
    the_sum: Any,
) -> Any:  # fmt: skip
    """Make one step of gradient descent on the mean of the contexts, or their sum, and the outputs listed.

    The mean's change is added to every context, the sum's is shared out. `the_sum`: the address of a row to work with;
    `only_sum`: that of int64 (2,).
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(builder, signature.args[0].literal_value)
        *described, mean, only_sum, the_sum = arguments[2:]
        step = _Step(*described)
        one = ir.Constant(_FLOAT, 1)
        share = builder.fdiv(one, builder.sitofp(step.n_contexts, _FLOAT))
        scale, back = builder.select(mean, share, one), builder.select(mean, one, share)
        _sum_rows(code, step.contexts, step.n_contexts, step.n_vectors, scale, the_sum)
        for place in range(2):
            code.store_address(the_sum, code.plus(only_sum, _ADDRESS_BYTES * place))
        alone = step._replace(contexts=only_sum, n_contexts=ir.Constant(_INT64, 1))
        _window_step(code, signature.args[1].literal_value, False, alone)
        nothing = ir.Constant(_INT64, 0)
        _add_to_rows(code, step.contexts, step.n_contexts, step.n_vectors, back, step.changes, nothing)
        return context.get_dummy_value()

    return types.void(lanes, tile, *[types.int64] * 10, types.boolean, types.int64, types.int64), emit


def _window_step(code: _Code, tile: int, in_place: bool, step: _Step) -> None:
    """Do what `skipgram_step` says, but without `in_place` leave the contexts' changes in `changes`."""

    def clear(vector: _Value, _: Any) -> Sequence[_Value]:
        code.store(code.constant(0), code.plus(step.changes, code.times(vector, code.bytes)))
        return []

    if not in_place:
        code.loop(code.times(step.n_contexts, step.n_vectors), [], clear)
    code.loop(step.n_tiles, [], lambda t, _: _find_gradients(code, tile, step, t))
    code.loop(step.n_tiles, [], lambda t, _: _update(code, tile, in_place, step, t))


def _number_of_groups(code: _Code, step: _Step) -> _Value:
    group = code.lanes // SLOTS
    return code.builder.sdiv(code.plus(step.n_contexts, group - 1), ir.Constant(_INT64, group))


def _rows_of(code: _Code, tile: int, listed: _Value, t: _Value) -> list[_Value]:
    """Return the addresses of the rows of tile number t."""
    listed = code.plus(listed, code.times(t, _ADDRESS_BYTES * tile))
    return [code.load_address(code.plus(listed, _ADDRESS_BYTES * output)) for output in range(tile)]


def _gradients_of(code: _Code, step: _Step, t: _Value) -> _Value:
    return code.plus(step.gradients, code.times(t, code.times(_number_of_groups(code, step), code.bytes)))


def _find_gradients(code: _Code, tile: int, step: _Step, t: _Value) -> Sequence[_Value]:
    """Write the g_ij of all contexts and the outputs of one tile."""
    builder, group = code.builder, code.lanes // SLOTS
    rows, gradients = _rows_of(code, tile, step.outputs, t), _gradients_of(code, step, t)
    factor_address = code.plus(step.factors, code.times(t, 2 * code.bytes))
    factor = code.load(factor_address)
    factor_times_label = code.load(code.plus(factor_address, code.bytes))

    def of_group(index: _Value, _: Any) -> Sequence[_Value]:
        listed = code.plus(step.contexts, code.times(index, _ADDRESS_BYTES * group))
        members = [code.load_address(code.plus(listed, _ADDRESS_BYTES * member)) for member in range(group)]

        def multiply(vector: _Value, sums: list[_Value]) -> Sequence[_Value]:
            offset = code.times(vector, code.bytes)
            u = [code.load(code.plus(row, offset)) for row in members]
            v = [code.load(code.plus(row, offset)) for row in rows]
            return [code.multiply_add(u[i], v[j], sums[i * tile + j]) for i in range(group) for j in range(tile)]

        products = code.loop(step.n_vectors, [code.constant(0)] * (group * tile), multiply)
        leaves = [leaf for member in _leaves(code.lanes) for leaf in member[:tile]]
        score = code.sums(dict(zip(leaves, products, strict=True)))
        code.store(score, code.plus(gradients, code.times(index, code.bytes)))
        return []

    def of_scores(index: _Value, _: Any) -> Sequence[_Value]:
        place = code.plus(gradients, code.times(index, code.bytes))
        gradient = builder.fsub(factor_times_label, builder.fmul(factor, code.sigmoid(code.load(place))))
        code.store(gradient, place)
        return []

    code.loop(_number_of_groups(code, step), [], of_group)
    # apart, so that their long chains of dependent instructions overlap
    code.loop(_number_of_groups(code, step), [], of_scores)
    return []


def _update(code: _Code, tile: int, in_place: bool, step: _Step, t: _Value) -> Sequence[_Value]:
    """Add to the outputs of one tile, and to the contexts or their changes, what the gradients say."""
    rows, gradients = _rows_of(code, tile, step.outputs, t), _gradients_of(code, step, t)
    row_bytes = code.times(step.n_vectors, code.bytes)

    def prefetch_ahead(offset: _Value) -> None:
        # a line of each row now and then: all lines at once would wait for each other
        for row in _rows_of(code, tile, step.outputs_ahead, t):
            code.prefetch(code.plus(row, offset))
        code.prefetch(code.plus(step.input_ahead, offset))

    def of_vector(vector: _Value, _: Any) -> Sequence[_Value]:
        offset = code.times(vector, code.bytes)
        prefetch_ahead(offset)
        old = [code.load(code.plus(row, offset)) for row in rows]

        def of_context(index: _Value, new: list[_Value]) -> Sequence[_Value]:
            row = code.load_address(code.plus(step.contexts, code.times(index, _ADDRESS_BYTES)))
            u = code.load(code.plus(row, offset))
            changed_row = row if in_place else code.plus(step.changes, code.times(index, row_bytes))
            changed = u if in_place else code.load(code.plus(changed_row, offset))
            own = code.plus(gradients, code.times(index, _FLOAT_BYTES * SLOTS))
            updated = []
            for output, slot in enumerate(slots_of_outputs(code.lanes)[:tile]):
                g = code.load_spread(code.plus(own, _FLOAT_BYTES * slot))
                changed = code.multiply_add(g, old[output], changed)
                updated.append(code.multiply_add(g, u, new[output]))
            code.store(changed, code.plus(changed_row, offset))
            return updated

        new = code.loop(step.n_contexts, old, of_context)
        for row, value in zip(rows, new, strict=True):
            code.store(value, code.plus(row, offset))
        return []

    code.loop(step.n_vectors, [], of_vector)
    return []


def _sum_rows(code: _Code, rows: _Value, number: _Value, n_vectors: _Value, scale: _Value, total: _Value) -> None:
    """Write the sum of the rows listed, times `scale`, to the row at `total`."""

    def of_vector(vector: _Value, _: Any) -> Sequence[_Value]:
        offset = code.times(vector, code.bytes)

        def add(index: _Value, sums: list[_Value]) -> Sequence[_Value]:
            row = code.load_address(code.plus(rows, code.times(index, _ADDRESS_BYTES)))
            return [code.builder.fadd(sums[0], code.load(code.plus(row, offset)))]

        (result,) = code.loop(number, [code.constant(0)], add)
        code.store(code.builder.fmul(result, code.spread(scale)), code.plus(total, offset))
        return []

    code.loop(n_vectors, [], of_vector)


def _add_to_rows(
    code: _Code, rows: _Value, number: _Value, n_vectors: _Value, scale: _Value, changes: _Value, stride: _Value
) -> None:
    """Add `scale` times the row at `changes` + i * `stride` to the i-th of the rows listed."""

    def of_row(index: _Value, _: Any) -> Sequence[_Value]:
        row = code.load_address(code.plus(rows, code.times(index, _ADDRESS_BYTES)))
        change = code.plus(changes, code.times(index, stride))

        def of_vector(vector: _Value, _: Any) -> Sequence[_Value]:
            offset = code.times(vector, code.bytes)
            place = code.plus(row, offset)
            addend = code.load(code.plus(change, offset))
            code.store(code.multiply_add(code.spread(scale), addend, code.load(place)), place)
            return []

        code.loop(n_vectors, [], of_vector)
        return []

    code.loop(number, [], of_row)


def _reader(kind: Any) -> Any:
    """Return a function that reads the index-th integer from an address, without a check."""

    @intrinsic
    def read(typing: Any, address: Any, index: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.PointerType(kind))
            value = builder.load(builder.gep(pointer, [arguments[1]], source_etype=kind))
            return value if kind is _INT64 else builder.sext(value, _INT64)

        return types.int64(types.int64, types.int64), emit

    return read


read_int32 = _reader(_INT32)
read_int64 = _reader(_INT64)


@intrinsic
def write_int64(typing: Any, address: Any, index: Any, value: Any) -> Any:
    """Write `value` as the index-th integer from an address, without a check."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(_INT64))
        builder.store(arguments[2], builder.gep(pointer, [arguments[1]], source_etype=_INT64))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic
def fetch_add(typing: Any, address: Any, number: Any) -> Any:
    """Add to the int64 at `address`, no thread interfering, and return what it was before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(_INT64))
        return builder.atomic_rmw("add", pointer, arguments[1], "monotonic")

    return types.int64(types.int64, types.int64), emit
