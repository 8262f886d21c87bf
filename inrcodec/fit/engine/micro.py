"""Two register-blocked products, written as LLVM IR: everything else in the kernels is a plain loop around them.

LLVM vectorises a loop over pixels well, but it keeps no block of accumulators in registers across the loop over
inputs, and memory traffic then costs more than the arithmetic. Both products here hold a block of sums in registers
for their whole inner loop:

- :func:`panel`: ``out[j, p] = f(sum_k w[j, k] x[k, p])`` for a few rows ``j`` and ``VECTORS`` vectors of pixels ``p``;
- :func:`outer`: ``g[j, k] += sum_p a[j, p] b[k, p]`` for a block of at most ``LANES`` pairs ``(j, k)``, whose sums over
  lanes are taken by a tree of shuffles that leaves all of them in one vector, so that adding to ``g`` is one load,
  one addition and one store.

The order of all additions is fixed by the shapes alone: results do not depend on threads or timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import extending, types
from numba.core.errors import TypingError
from numba.np.arrayobj import make_array


def intrinsic(build: Callable[..., Any]) -> Any:
    """Numba's decorator, untyped: kernels call the result without the typing context that ``build`` begins with."""
    return extending.intrinsic(prefer_literal=True)(build)


def _machine() -> tuple[int, int]:
    """Lanes of a vector of float32 and the rows of :func:`panel`'s block that its registers hold."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16, 8
    if features.get("avx"):
        return 8, 5
    return 4, 6 if features.get("neon") else 5


LANES, ROWS = _machine()
"""Float32 lanes of a vector, and rows of :func:`panel` computed together."""
VECTORS = 2
"""Vectors of pixels of one panel."""
PANEL = LANES * VECTORS
"""Pixels of one panel."""
OUTER_A, OUTER_B = {16: (4, 4), 8: (2, 4), 4: (2, 2)}[LANES]
"""Rows and columns of :func:`outer`'s block; their product is at most ``LANES``."""

START_BIAS, TIMES = 0, 1
"""What :func:`panel` does beside the product: start at a bias, or multiply the result with ``extra``."""

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)
_INT32 = ir.IntType(32)
_ALIGN = 4  # offsets are any multiple of a float


def _shuffles(level: int) -> tuple[list[int], list[int]]:
    """Masks over two vectors whose sum halves the number of partial sums of each and puts them side by side."""
    if level < 2:  # inside groups of four lanes
        low = [g + s for g in range(0, LANES, 4) for s in (0, 2, LANES, LANES + 2)]
        return low, [lane + 1 for lane in low]
    even = [g + i for g in range(0, LANES, 8) for i in range(4)]
    low = even + [LANES + lane for lane in even]
    return low, [lane + 4 for lane in low]


def _lane_order() -> list[int]:
    """Which of the vectors 0 .. LANES - 1 the tree of :func:`outer` leaves in each lane."""
    vectors: list[list[int]] = [[v] * LANES for v in range(LANES)]
    level = 0
    while len(vectors) > 1:
        low, _ = _shuffles(level)
        vectors = [[(vectors[i] + vectors[i + 1])[lane] for lane in low] for i in range(0, len(vectors), 2)]
        level += 1
    return vectors[0]


ORDER = tuple(_lane_order())
"""Pair ``j * columns + k`` whose sum lies in each lane of :func:`outer`'s result."""


def _mask(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, LANES), lanes))


def _splat(builder: Any, value: Any) -> Any:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    return _mask(builder, builder.insert_element(nothing, value, _INT32(0)), nothing, [0] * LANES)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``, fused where the machine can (the flag allows it, it does not ask for it)."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _at(builder: Any, base: Any, index: Any) -> Any:
    return builder.gep(base, [index], inbounds=True)


def _load(builder: Any, base: Any, index: Any) -> Any:
    pointer = builder.bitcast(_at(builder, base, index), _VECTOR.as_pointer())
    return builder.load(pointer, align=_ALIGN)


def _store(builder: Any, value: Any, base: Any, index: Any) -> None:
    pointer = builder.bitcast(_at(builder, base, index), _VECTOR.as_pointer())
    builder.store(value, pointer, align=_ALIGN)


def _sums(builder: Any, count: Any, starts: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """A loop over 0 .. count - 1 that carries vectors in registers; returns them after it."""
    before = builder.block
    head, inner, after = (builder.append_basic_block(name) for name in ("sums.head", "sums.body", "sums.end"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(count.type)
    index.add_incoming(count.type(0), before)
    carried = [builder.phi(_VECTOR) for _ in starts]
    for phi, start in zip(carried, starts, strict=True):
        phi.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", index, count), inner, after)
    builder.position_at_end(inner)
    following = body(index, carried)
    for phi, value in zip(carried, following, strict=True):
        phi.add_incoming(value, builder.block)
    index.add_incoming(builder.add(index, count.type(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return carried


def _cases(builder: Any, value: Any, choices: Iterable[int], emit: Callable[[int], None]) -> None:
    """A switch over ``value``: for each choice the code that ``emit`` makes for it."""
    start, end = builder.block, builder.append_basic_block("cases.end")
    targets = []
    for choice in choices:
        targets.append((choice, builder.append_basic_block(f"case.{choice}")))
        builder.position_at_end(targets[-1][1])
        emit(choice)
        builder.branch(end)
    builder.position_at_end(start)
    switch = builder.switch(value, end)
    for choice, block in targets:
        switch.add_case(value.type(choice), block)
    builder.position_at_end(end)


def _literal(value: Any) -> int:
    if not isinstance(value, types.IntegerLiteral):
        raise TypingError("what a panel does is a literal integer")
    return int(value.literal_value)


def _starts(builder: Any, mode: int, extra: Any, extra_at: Any, count: int) -> list[Any]:
    """What the sums of :func:`panel` start at, ``VECTORS`` for each row."""
    if mode != START_BIAS:
        return [_ZERO] * (count * VECTORS)
    starts: list[Any] = []
    for j in range(count):
        place = builder.add(extra_at, extra_at.type(j))
        starts += [_splat(builder, builder.load(_at(builder, extra, place)))] * VECTORS
    return starts


@intrinsic
def panel(
    typingctx: Any,
    kind: Any,
    rows: Any,
    out: Any,
    out_at: Any,
    out_row: Any,
    w: Any,
    w_at: Any,
    w_row: Any,
    w_column: Any,
    x: Any,
    x_at: Any,
    x_row: Any,
    inputs: Any,
    extra: Any,
    extra_at: Any,
) -> Any:
    """``out[j, p] = sum_k w[j, k] x[k, p]`` for ``rows`` rows and ``PANEL`` pixels.

    All arrays are flat float32; element (j, k) of ``w`` lies at ``w_at + j w_row + k w_column``, and so on.

    Args:
        typingctx: numba's.
        kind: literal; ``START_BIAS`` adds ``extra[extra_at + j]``, ``TIMES`` multiplies with
            ``extra[extra_at + j out_row + p]``, which may be ``out`` itself.
        rows: 1 to ``ROWS``; each count has code of its own.
        out: where the result goes.
        out_at: its first element.
        out_row: from one row to the next.
        w: the matrix.
        w_at: its first element.
        w_row: from one row to the next.
        w_column: from one column to the next.
        x: the pixels' features.
        x_at: the first.
        x_row: from one feature to the next.
        inputs: how many ``k``.
        extra: see ``kind``.
        extra_at: its first element.
    """
    mode = _literal(kind)
    flat = types.Array(types.float32, 1, "C")
    n = types.intp
    signature = types.void(kind, n, flat, n, n, flat, n, n, n, flat, n, n, n, flat, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def data(position: int) -> Any:
            return make_array(sig.args[position])(context, builder, args[position]).data

        out_p, w_p, x_p, extra_p = data(2), data(5), data(9), data(13)
        (o_at, o_row), (a_at, a_row, a_col), (b_at, b_row, length), e_at = args[3:5], args[6:9], args[10:13], args[14]
        word = length.type

        def emit(count: int) -> None:
            starts = _starts(builder, mode, extra_p, e_at, count)
            row_starts = [builder.add(a_at, builder.mul(word(j), a_row)) for j in range(count)]

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(b_at, builder.mul(k, b_row))
                pixels = [_load(builder, x_p, builder.add(row, word(v * LANES))) for v in range(VECTORS)]
                column = builder.mul(k, a_col)
                result = []
                for j in range(count):
                    weight = _splat(builder, builder.load(_at(builder, w_p, builder.add(row_starts[j], column))))
                    result += [_fma(builder, weight, pixels[v], sums[j * VECTORS + v]) for v in range(VECTORS)]
                return result

            sums = _sums(builder, length, starts, body)
            for j in range(count):
                for v in range(VECTORS):
                    shift = builder.add(builder.mul(word(j), o_row), word(v * LANES))
                    value = sums[j * VECTORS + v]
                    if mode == TIMES:
                        value = builder.fmul(value, _load(builder, extra_p, builder.add(e_at, shift)))
                    _store(builder, value, out_p, builder.add(o_at, shift))

        _cases(builder, args[1], range(1, ROWS + 1), emit)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def outer(
    typingctx: Any,
    rows: Any,
    columns: Any,
    g: Any,
    g_at: Any,
    a: Any,
    a_at: Any,
    a_row: Any,
    b: Any,
    b_at: Any,
    b_row: Any,
    vectors: Any,
) -> Any:
    """``g[lane] += sum_p a[j, p] b[k, p]``, where pair ``ORDER[lane] = j * columns + k``.

    Args:
        typingctx: numba's.
        rows: of the block, at most ``OUTER_A``; each size has code of its own.
        columns: of the block, at most ``OUTER_B``.
        g: where ``LANES`` sums are.
        g_at: the first of them.
        a: features of the rows.
        a_at: the first.
        a_row: from one feature to the next.
        b: features of the columns.
        b_at: the first.
        b_row: from one feature to the next.
        vectors: pixels, in vectors of ``LANES``.
    """
    flat = types.Array(types.float32, 1, "C")
    n = types.intp
    signature = types.void(n, n, flat, n, flat, n, n, flat, n, n, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        g_p, a_p, b_p = (make_array(sig.args[i])(context, builder, args[i]).data for i in (2, 4, 7))
        out_at, a_at, a_row, b_at, b_row, length = args[3], args[5], args[6], args[8], args[9], args[10]
        word = length.type

        def emit(block: int) -> None:
            count_a, count_b = divmod(block, OUTER_B + 1)
            a_starts = [builder.add(a_at, builder.mul(word(j), a_row)) for j in range(count_a)]
            b_starts = [builder.add(b_at, builder.mul(word(k), b_row)) for k in range(count_b)]

            def body(p: Any, sums: list[Any]) -> list[Any]:
                shift = builder.mul(p, word(LANES))
                left = [_load(builder, a_p, builder.add(start, shift)) for start in a_starts]
                right = [_load(builder, b_p, builder.add(start, shift)) for start in b_starts]
                return [
                    _fma(builder, left[j], right[k], sums[j * count_b + k])
                    for j in range(count_a)
                    for k in range(count_b)
                ]

            sums: list[Any] = _sums(builder, length, [_ZERO] * (count_a * count_b), body)
            sums += [_ZERO] * (LANES - len(sums))
            level = 0
            while len(sums) > 1:
                low, high = _shuffles(level)
                sums = [
                    builder.fadd(_mask(builder, x, y, low), _mask(builder, x, y, high))
                    for x, y in zip(sums[::2], sums[1::2], strict=True)
                ]
                level += 1
            _store(builder, builder.fadd(_load(builder, g_p, out_at), sums[0]), g_p, out_at)

        block = builder.add(builder.mul(args[0], word(OUTER_B + 1)), args[1])
        sizes = [j * (OUTER_B + 1) + k for j in range(1, OUTER_A + 1) for k in range(1, OUTER_B + 1)]
        _cases(builder, block, sizes, emit)
        return context.get_dummy_value()

    return signature, codegen
