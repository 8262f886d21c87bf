"""More register-blocked loops like those of :mod:`inrcodec.fit.engine.micro`: products over tables of places, sums.

A filter reads the same samples at several shifts and rows, and near an edge some of them repeat. Where each product of
:mod:`micro` walks its inputs with one stride, these look every input's place up, so one piece of code serves
upsampling along either axis, 3x3 layers, their transposes and their gradients, edges included.
"""

# ruff: noqa: ARG001 - numba reads an intrinsic's parameters; its builder need not

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.np.arrayobj import make_array

from inrcodec.fit.engine.micro import (
    _ZERO,
    LANES,
    VECTORS,
    _at,
    _cases,
    _fma,
    _load,
    _mask,
    _shuffles,
    _splat,
    _store,
    _sums,
    intrinsic,
)

STENCIL_ROWS = 3
"""Rows that :func:`stencil` and :func:`correlate` take at most."""
TABLE_COLUMNS = {rows: min(4, LANES // rows) for rows in range(1, STENCIL_ROWS + 1)}
"""Columns that :func:`correlate` takes at most with so many rows."""

_FLOATS, _INTS, _N = types.Array(types.float32, 1, "C"), types.Array(types.int64, 1, "C"), types.intp


def _literals(*kinds: Any) -> list[int] | None:
    """What a caller that writes numbers asks for: then no other sizes need code."""
    if not all(isinstance(kind, types.IntegerLiteral) for kind in kinds):
        return None
    return [int(kind.literal_value) for kind in kinds]


def _data(context: Any, builder: Any, sig: Any, args: Any, position: int) -> Any:
    return make_array(sig.args[position])(context, builder, args[position]).data


@intrinsic
def stencil(
    typingctx: Any,
    rows: Any,
    out: Any,
    out_at: Any,
    out_row: Any,
    w: Any,
    w_at: Any,
    w_row: Any,
    x: Any,
    x_at: Any,
    places: Any,
    places_at: Any,
    count: Any,
) -> Any:
    """``out[j, p] = sum_k w[j, k] x[places[k] + p]`` for ``rows`` rows and ``PANEL`` samples.

    Args:
        typingctx: numba's.
        rows: 1 to ``STENCIL_ROWS``; each count has code of its own, or that one alone that is written at the call.
        out: where the result goes.
        out_at: its first element.
        out_row: from one row to the next.
        w: the weights.
        w_at: the first.
        w_row: from one row to the next.
        x: the samples.
        x_at: what is added to every place.
        places: where in ``x`` each input begins.
        places_at: the first place.
        count: how many ``k``.
    """
    fixed = _literals(rows)
    signature = types.void(rows if fixed else _N, _FLOATS, _N, _N, _FLOATS, _N, _N, _FLOATS, _N, _INTS, _N, _N)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_p, w_p, x_p, places_p = (_data(context, builder, sig, args, i) for i in (1, 4, 7, 9))
        (o_at, o_row), (a_at, a_row), b_at, (table, length) = args[2:4], args[5:7], args[8], args[10:12]
        word = length.type

        def emit(number: int) -> None:
            row_starts = [builder.add(a_at, builder.mul(word(j), a_row)) for j in range(number)]

            def body(k: Any, sums: list[Any]) -> list[Any]:
                place = builder.add(b_at, builder.load(_at(builder, places_p, builder.add(table, k))))
                samples = [_load(builder, x_p, builder.add(place, word(v * LANES))) for v in range(VECTORS)]
                result = []
                for j in range(number):
                    weight = _splat(builder, builder.load(_at(builder, w_p, builder.add(row_starts[j], k))))
                    result += [_fma(builder, weight, samples[v], sums[j * VECTORS + v]) for v in range(VECTORS)]
                return result

            sums = _sums(builder, length, [_ZERO] * (number * VECTORS), body)
            for j in range(number):
                for v in range(VECTORS):
                    shift = builder.add(builder.mul(word(j), o_row), word(v * LANES))
                    _store(builder, sums[j * VECTORS + v], out_p, builder.add(o_at, shift))

        if fixed:
            emit(*fixed)
        else:
            _cases(builder, args[0], range(1, STENCIL_ROWS + 1), emit)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def correlate(
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
    places: Any,
    places_at: Any,
    vectors: Any,
) -> Any:
    """``g[lane] += sum_p a[j, p] b[places[k] + p]``, where pair ``ORDER[lane] = j * columns + k``.

    Args:
        typingctx: numba's.
        rows: 1 to ``STENCIL_ROWS``.
        columns: 1 to ``TABLE_COLUMNS[rows]``; code as for :func:`stencil`.
        g: where ``LANES`` sums are.
        g_at: the first of them.
        a: the rows' samples.
        a_at: the first.
        a_row: from one row to the next.
        b: the columns' samples.
        b_at: what is added to every place.
        places: where in ``b`` each column begins.
        places_at: the first place.
        vectors: samples, in vectors of ``LANES``.
    """
    fixed = _literals(rows, columns)
    counts = (rows, columns) if fixed else (_N, _N)
    signature = types.void(*counts, _FLOATS, _N, _FLOATS, _N, _N, _FLOATS, _N, _INTS, _N, _N)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        g_p, a_p, b_p, places_p = (_data(context, builder, sig, args, i) for i in (2, 4, 7, 9))
        out_at, (a_at, a_row), b_at, (table, length) = args[3], args[5:7], args[8], args[10:12]
        word = length.type

        def emit(count_a: int, count_b: int) -> None:
            a_starts = [builder.add(a_at, builder.mul(word(j), a_row)) for j in range(count_a)]
            found = [builder.load(_at(builder, places_p, builder.add(table, word(k)))) for k in range(count_b)]
            b_starts = [builder.add(b_at, place) for place in found]

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
            sums += [ir.Constant(_ZERO.type, [0.0] * LANES)] * (LANES - len(sums))
            level = 0
            while len(sums) > 1:
                low, high = _shuffles(level)
                sums = [
                    builder.fadd(_mask(builder, x, y, low), _mask(builder, x, y, high))
                    for x, y in zip(sums[::2], sums[1::2], strict=True)
                ]
                level += 1
            _store(builder, builder.fadd(_load(builder, g_p, out_at), sums[0]), g_p, out_at)

        if fixed:
            emit(*fixed)
        else:
            block = builder.add(builder.mul(args[0], word(5)), args[1])
            blocks = [j * 5 + k for j, most in TABLE_COLUMNS.items() for k in range(1, most + 1)]
            _cases(builder, block, blocks, lambda block: emit(*divmod(block, 5)))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def add_lanes(typingctx: Any, g: Any, g_at: Any, a: Any, a_at: Any, vectors: Any) -> Any:
    """``g[lane] += a[lane] + a[LANES + lane] + ...``, vector by vector, in a register.

    As a loop over arrays, every addition would wait for the one before to reach memory and come back.

    Args:
        typingctx: numba's.
        g: where ``LANES`` sums are.
        g_at: the first of them.
        a: what is added.
        a_at: its first element.
        vectors: how much, in vectors of ``LANES``.
    """
    signature = types.void(_FLOATS, _N, _FLOATS, _N, _N)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        g_p, a_p = (_data(context, builder, sig, args, i) for i in (0, 2))
        _, out_at, _, a_at, length = args

        def body(p: Any, sums: list[Any]) -> list[Any]:
            place = builder.add(a_at, builder.mul(p, length.type(LANES)))
            return [builder.fadd(sums[0], _load(builder, a_p, place))]

        _store(builder, _sums(builder, length, [_load(builder, g_p, out_at)], body)[0], g_p, out_at)
        return context.get_dummy_value()

    return signature, codegen
