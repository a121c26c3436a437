"""Products and convolutions with a piece of the result in registers.

Written by `generate.py`, which explains them.
"""

# mypy: ignore-errors

from math import inf

from minidil.kernels.cuda.grid import types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import cuda, float32, int32, uint32
from minidil.kernels.cuda.vector import load4

TILE, THREADS = 64, 128


@kernel(types("ffffuuu2u"))
def gemm_nn(a, b, bias, y, rows, columns, depth, between, finish):
    """y = a b; n: as it is, t: stored transposed."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    matrix, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    start_a, start_b = uint32(matrix * between[0]), uint32(matrix * between[1])
    ra, qa = uint32(row0 + (t >> uint32(3))), uint32(t & uint32(7))
    put_a = uint32(qa * uint32(68) + (t >> uint32(3)))
    rb, qb = uint32(column0 + (t & uint32(63))), uint32(t >> uint32(6))
    put_b = uint32(qb * uint32(68) + (t & uint32(63)))
    for k in range(uint32(0), depth, uint32(8)):
        v = float32(0)
        if ra + uint32(0) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(0)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(0))] = v
        v = float32(0)
        if ra + uint32(16) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(16)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(16))] = v
        v = float32(0)
        if ra + uint32(32) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(32)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(32))] = v
        v = float32(0)
        if ra + uint32(48) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(48)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(48))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(0) < depth:
            v = b[uint32(start_b + (k + qb + uint32(0)) * columns + rb)]
        tile_b[uint32(put_b + uint32(0))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(2) < depth:
            v = b[uint32(start_b + (k + qb + uint32(2)) * columns + rb)]
        tile_b[uint32(put_b + uint32(136))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(4) < depth:
            v = b[uint32(start_b + (k + qb + uint32(4)) * columns + rb)]
        tile_b[uint32(put_b + uint32(272))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(6) < depth:
            v = b[uint32(start_b + (k + qb + uint32(6)) * columns + rb)]
        tile_b[uint32(put_b + uint32(408))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    low = float32(0) if finish & uint32(2) else float32(-inf)
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    o0 = uint32(j0)
    s0 = float32(0)
    if finish & uint32(1) and j0 < columns:
        s0 = bias[j0]
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    o1 = uint32(j1)
    s1 = float32(0)
    if finish & uint32(1) and j1 < columns:
        s1 = bias[j1]
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    o2 = uint32(j2)
    s2 = float32(0)
    if finish & uint32(1) and j2 < columns:
        s2 = bias[j2]
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    o3 = uint32(j3)
    s3 = float32(0)
    if finish & uint32(1) and j3 < columns:
        s3 = bias[j3]
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c00 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c01 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c02 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c03 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c10 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c11 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c12 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c13 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c20 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c21 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c22 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c23 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c30 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c31 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c32 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c33 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c40 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c41 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c42 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c43 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c50 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c51 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c52 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c53 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c60 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c61 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c62 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c63 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c70 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c71 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c72 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c73 + s3
            y[uint32(at + o3)] = v if not v < low else low


@kernel(types("ffffuuu2u"))
def gemm_nt(a, b, bias, y, rows, columns, depth, between, finish):
    """y = a b; n: as it is, t: stored transposed."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    matrix, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    start_a, start_b = uint32(matrix * between[0]), uint32(matrix * between[1])
    ra, qa = uint32(row0 + (t >> uint32(3))), uint32(t & uint32(7))
    put_a = uint32(qa * uint32(68) + (t >> uint32(3)))
    rb, qb = uint32(column0 + (t >> uint32(3))), uint32(t & uint32(7))
    put_b = uint32(qb * uint32(68) + (t >> uint32(3)))
    for k in range(uint32(0), depth, uint32(8)):
        v = float32(0)
        if ra + uint32(0) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(0)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(0))] = v
        v = float32(0)
        if ra + uint32(16) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(16)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(16))] = v
        v = float32(0)
        if ra + uint32(32) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(32)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(32))] = v
        v = float32(0)
        if ra + uint32(48) < rows and k + qa < depth:
            v = a[uint32(start_a + (ra + uint32(48)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(48))] = v
        v = float32(0)
        if rb + uint32(0) < columns and k + qb < depth:
            v = b[uint32(start_b + (rb + uint32(0)) * depth + k + qb)]
        tile_b[uint32(put_b + uint32(0))] = v
        v = float32(0)
        if rb + uint32(16) < columns and k + qb < depth:
            v = b[uint32(start_b + (rb + uint32(16)) * depth + k + qb)]
        tile_b[uint32(put_b + uint32(16))] = v
        v = float32(0)
        if rb + uint32(32) < columns and k + qb < depth:
            v = b[uint32(start_b + (rb + uint32(32)) * depth + k + qb)]
        tile_b[uint32(put_b + uint32(32))] = v
        v = float32(0)
        if rb + uint32(48) < columns and k + qb < depth:
            v = b[uint32(start_b + (rb + uint32(48)) * depth + k + qb)]
        tile_b[uint32(put_b + uint32(48))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    low = float32(0) if finish & uint32(2) else float32(-inf)
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    o0 = uint32(j0)
    s0 = float32(0)
    if finish & uint32(1) and j0 < columns:
        s0 = bias[j0]
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    o1 = uint32(j1)
    s1 = float32(0)
    if finish & uint32(1) and j1 < columns:
        s1 = bias[j1]
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    o2 = uint32(j2)
    s2 = float32(0)
    if finish & uint32(1) and j2 < columns:
        s2 = bias[j2]
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    o3 = uint32(j3)
    s3 = float32(0)
    if finish & uint32(1) and j3 < columns:
        s3 = bias[j3]
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c00 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c01 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c02 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c03 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c10 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c11 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c12 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c13 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c20 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c21 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c22 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c23 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c30 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c31 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c32 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c33 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c40 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c41 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c42 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c43 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c50 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c51 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c52 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c53 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c60 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c61 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c62 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c63 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c70 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c71 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c72 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c73 + s3
            y[uint32(at + o3)] = v if not v < low else low


@kernel(types("ffffuuu2u"))
def gemm_tn(a, b, bias, y, rows, columns, depth, between, finish):
    """y = a b; n: as it is, t: stored transposed."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    matrix, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    start_a, start_b = uint32(matrix * between[0]), uint32(matrix * between[1])
    ra, qa = uint32(row0 + (t & uint32(63))), uint32(t >> uint32(6))
    put_a = uint32(qa * uint32(68) + (t & uint32(63)))
    rb, qb = uint32(column0 + (t & uint32(63))), uint32(t >> uint32(6))
    put_b = uint32(qb * uint32(68) + (t & uint32(63)))
    for k in range(uint32(0), depth, uint32(8)):
        v = float32(0)
        if ra < rows and k + qa + uint32(0) < depth:
            v = a[uint32(start_a + (k + qa + uint32(0)) * rows + ra)]
        tile_a[uint32(put_a + uint32(0))] = v
        v = float32(0)
        if ra < rows and k + qa + uint32(2) < depth:
            v = a[uint32(start_a + (k + qa + uint32(2)) * rows + ra)]
        tile_a[uint32(put_a + uint32(136))] = v
        v = float32(0)
        if ra < rows and k + qa + uint32(4) < depth:
            v = a[uint32(start_a + (k + qa + uint32(4)) * rows + ra)]
        tile_a[uint32(put_a + uint32(272))] = v
        v = float32(0)
        if ra < rows and k + qa + uint32(6) < depth:
            v = a[uint32(start_a + (k + qa + uint32(6)) * rows + ra)]
        tile_a[uint32(put_a + uint32(408))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(0) < depth:
            v = b[uint32(start_b + (k + qb + uint32(0)) * columns + rb)]
        tile_b[uint32(put_b + uint32(0))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(2) < depth:
            v = b[uint32(start_b + (k + qb + uint32(2)) * columns + rb)]
        tile_b[uint32(put_b + uint32(136))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(4) < depth:
            v = b[uint32(start_b + (k + qb + uint32(4)) * columns + rb)]
        tile_b[uint32(put_b + uint32(272))] = v
        v = float32(0)
        if rb < columns and k + qb + uint32(6) < depth:
            v = b[uint32(start_b + (k + qb + uint32(6)) * columns + rb)]
        tile_b[uint32(put_b + uint32(408))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    low = float32(0) if finish & uint32(2) else float32(-inf)
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    o0 = uint32(j0)
    s0 = float32(0)
    if finish & uint32(1) and j0 < columns:
        s0 = bias[j0]
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    o1 = uint32(j1)
    s1 = float32(0)
    if finish & uint32(1) and j1 < columns:
        s1 = bias[j1]
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    o2 = uint32(j2)
    s2 = float32(0)
    if finish & uint32(1) and j2 < columns:
        s2 = bias[j2]
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    o3 = uint32(j3)
    s3 = float32(0)
    if finish & uint32(1) and j3 < columns:
        s3 = bias[j3]
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c00 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c01 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c02 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c03 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c10 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c11 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c12 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c13 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c20 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c21 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c22 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c23 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c30 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c31 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c32 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c33 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c40 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c41 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c42 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c43 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c50 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c51 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c52 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c53 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c60 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c61 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c62 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c63 + s3
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((matrix * rows + i) * columns)
        if j0 < columns:
            v = c70 + s0
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c71 + s1
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c72 + s2
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c73 + s3
            y[uint32(at + o3)] = v if not v < low else low


@kernel(types("fffifuuuuuu3333u"))
def conv_forward(weight, x, bias, table, y, rows, columns, depth, groups, positions, image_size, size, out, stride, before, finish):
    """See the table of matrices in generate.py."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    group, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    start_a = uint32(group * rows * depth)
    ra, qa = uint32(row0 + (t >> uint32(3))), uint32(t & uint32(7))
    put_a = uint32(qa * uint32(68) + (t >> uint32(3)))
    rb, qb = uint32(column0 + (t & uint32(63))), uint32(t >> uint32(6))
    put_b = uint32(qb * uint32(68) + (t & uint32(63)))
    within = rb < columns
    n, p = uint32(rb // positions), uint32(rb % positions)
    w0 = int32(int32(p % uint32(out[2])) * stride[2] - before[2])
    p2 = uint32(p // uint32(out[2]))
    h0 = int32(int32(p2 % uint32(out[1])) * stride[1] - before[1])
    z0 = int32(int32(p2 // uint32(out[1])) * stride[0] - before[0])
    image = uint32((n * groups + group) * image_size)
    for k in range(uint32(0), depth, uint32(8)):
        v = float32(0)
        if ra + uint32(0) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(0)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(0))] = v
        v = float32(0)
        if ra + uint32(16) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(16)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(16))] = v
        v = float32(0)
        if ra + uint32(32) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(32)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(32))] = v
        v = float32(0)
        if ra + uint32(48) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(48)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(48))] = v
        v = float32(0)
        if within and k + qb + uint32(0) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(0)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(0))] = v
        v = float32(0)
        if within and k + qb + uint32(2) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(2)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(136))] = v
        v = float32(0)
        if within and k + qb + uint32(4) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(4)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(272))] = v
        v = float32(0)
        if within and k + qb + uint32(6) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(6)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(408))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    low = float32(0) if finish & uint32(2) else float32(-inf)
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    n, p = uint32(j0 // positions), uint32(j0 % positions)
    o0 = uint32(n * groups * rows * positions + p)
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    n, p = uint32(j1 // positions), uint32(j1 % positions)
    o1 = uint32(n * groups * rows * positions + p)
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    n, p = uint32(j2 // positions), uint32(j2 % positions)
    o2 = uint32(n * groups * rows * positions + p)
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    n, p = uint32(j3 // positions), uint32(j3 % positions)
    o3 = uint32(n * groups * rows * positions + p)
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c00 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c01 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c02 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c03 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c10 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c11 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c12 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c13 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c20 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c21 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c22 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c23 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c30 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c31 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c32 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c33 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c40 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c41 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c42 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c43 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c50 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c51 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c52 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c53 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c60 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c61 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c62 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c63 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c70 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c71 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c72 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c73 + s
            y[uint32(at + o3)] = v if not v < low else low


@kernel(types("fffifuuuuuu333333u"))
def conv_grad_input(weight, x, bias, table, y, rows, columns, depth, groups, positions, image_size, size, out, stride, before, mask, shift, finish):
    """See the table of matrices in generate.py."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    group, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    start_a = uint32(group * rows * depth)
    ra, qa = uint32(row0 + (t >> uint32(3))), uint32(t & uint32(7))
    put_a = uint32(qa * uint32(68) + (t >> uint32(3)))
    rb, qb = uint32(column0 + (t & uint32(63))), uint32(t >> uint32(6))
    put_b = uint32(qb * uint32(68) + (t & uint32(63)))
    within = rb < columns
    n, p = uint32(rb // positions), uint32(rb % positions)
    w0 = int32(int32(p % uint32(out[2])) * stride[2] - before[2])
    p2 = uint32(p // uint32(out[2]))
    h0 = int32(int32(p2 % uint32(out[1])) * stride[1] - before[1])
    z0 = int32(int32(p2 // uint32(out[1])) * stride[0] - before[0])
    image = uint32((n * groups + group) * image_size)
    for k in range(uint32(0), depth, uint32(8)):
        v = float32(0)
        if ra + uint32(0) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(0)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(0))] = v
        v = float32(0)
        if ra + uint32(16) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(16)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(16))] = v
        v = float32(0)
        if ra + uint32(32) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(32)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(32))] = v
        v = float32(0)
        if ra + uint32(48) < rows and k + qa < depth:
            v = weight[uint32(start_a + (ra + uint32(48)) * depth + k + qa)]
        tile_a[uint32(put_a + uint32(48))] = v
        v = float32(0)
        if within and k + qb + uint32(0) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(0)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            odd = (z & mask[0]) | (h & mask[1]) | (w & mask[2])
            z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])
            if odd == 0 and uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(0))] = v
        v = float32(0)
        if within and k + qb + uint32(2) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(2)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            odd = (z & mask[0]) | (h & mask[1]) | (w & mask[2])
            z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])
            if odd == 0 and uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(136))] = v
        v = float32(0)
        if within and k + qb + uint32(4) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(4)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            odd = (z & mask[0]) | (h & mask[1]) | (w & mask[2])
            z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])
            if odd == 0 and uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(272))] = v
        v = float32(0)
        if within and k + qb + uint32(6) < depth:
            offset, dz, dh, dw = load4(table, uint32((k + qb + uint32(6)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            odd = (z & mask[0]) | (h & mask[1]) | (w & mask[2])
            z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])
            if odd == 0 and uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put_b + uint32(408))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    low = float32(0) if finish & uint32(2) else float32(-inf)
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    n, p = uint32(j0 // positions), uint32(j0 % positions)
    o0 = uint32(n * groups * rows * positions + p)
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    n, p = uint32(j1 // positions), uint32(j1 % positions)
    o1 = uint32(n * groups * rows * positions + p)
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    n, p = uint32(j2 // positions), uint32(j2 % positions)
    o2 = uint32(n * groups * rows * positions + p)
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    n, p = uint32(j3 // positions), uint32(j3 % positions)
    o3 = uint32(n * groups * rows * positions + p)
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c00 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c01 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c02 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c03 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c10 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c11 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c12 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c13 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c20 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c21 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c22 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c23 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c30 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c31 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c32 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c33 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c40 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c41 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c42 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c43 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c50 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c51 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c52 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c53 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c60 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c61 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c62 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c63 + s
            y[uint32(at + o3)] = v if not v < low else low
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((group * rows + i) * positions)
        s = float32(0)
        if finish & uint32(1):
            s = bias[uint32(group * rows + i)]
        if j0 < columns:
            v = c70 + s
            y[uint32(at + o0)] = v if not v < low else low
        if j1 < columns:
            v = c71 + s
            y[uint32(at + o1)] = v if not v < low else low
        if j2 < columns:
            v = c72 + s
            y[uint32(at + o2)] = v if not v < low else low
        if j3 < columns:
            v = c73 + s
            y[uint32(at + o3)] = v if not v < low else low


@kernel(types("ffifuuuuuuu3333"))
def conv_grad_weight(grad, x, table, y, rows, columns, depth, share, groups, positions, image_size, size, out, stride, before):
    """See the table in generate.py."""
    tile_a = cuda.shared.array(544, float32, alignment=16)
    tile_b = cuda.shared.array(544, float32, alignment=16)
    t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    across = uint32((columns + uint32(63)) // uint32(64))
    down = uint32((rows + uint32(63)) // uint32(64))
    stacked, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row0, column0 = uint32(uint32(rest // across) * uint32(64)), uint32(uint32(rest % across) * uint32(64))
    c00, c01, c02, c03 = float32(0), float32(0), float32(0), float32(0)
    c10, c11, c12, c13 = float32(0), float32(0), float32(0), float32(0)
    c20, c21, c22, c23 = float32(0), float32(0), float32(0), float32(0)
    c30, c31, c32, c33 = float32(0), float32(0), float32(0), float32(0)
    c40, c41, c42, c43 = float32(0), float32(0), float32(0), float32(0)
    c50, c51, c52, c53 = float32(0), float32(0), float32(0), float32(0)
    c60, c61, c62, c63 = float32(0), float32(0), float32(0), float32(0)
    c70, c71, c72, c73 = float32(0), float32(0), float32(0), float32(0)
    part, group = uint32(stacked // groups), uint32(stacked % groups)
    first = uint32(part * share)
    last = uint32(min(first + share, depth))
    ra, rb, q = uint32(row0 + (t >> uint32(3))), uint32(column0 + (t >> uint32(3))), uint32(t & uint32(7))
    put = uint32(q * uint32(68) + (t >> uint32(3)))
    for k in range(first, last, uint32(8)):
        within = k + q < last
        n, p = uint32((k + q) // positions), uint32((k + q) % positions)
        w0 = int32(int32(p % uint32(out[2])) * stride[2] - before[2])
        p2 = uint32(p // uint32(out[2]))
        h0 = int32(int32(p2 % uint32(out[1])) * stride[1] - before[1])
        z0 = int32(int32(p2 // uint32(out[1])) * stride[0] - before[0])
        image = uint32((n * groups + group) * image_size)
        v = float32(0)
        if within and ra + uint32(0) < rows:
            v = grad[uint32(((n * groups + group) * rows + ra + uint32(0)) * positions + p)]
        tile_a[uint32(put + uint32(0))] = v
        v = float32(0)
        if within and rb + uint32(0) < columns:
            offset, dz, dh, dw = load4(table, uint32((rb + uint32(0)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put + uint32(0))] = v
        v = float32(0)
        if within and ra + uint32(16) < rows:
            v = grad[uint32(((n * groups + group) * rows + ra + uint32(16)) * positions + p)]
        tile_a[uint32(put + uint32(16))] = v
        v = float32(0)
        if within and rb + uint32(16) < columns:
            offset, dz, dh, dw = load4(table, uint32((rb + uint32(16)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put + uint32(16))] = v
        v = float32(0)
        if within and ra + uint32(32) < rows:
            v = grad[uint32(((n * groups + group) * rows + ra + uint32(32)) * positions + p)]
        tile_a[uint32(put + uint32(32))] = v
        v = float32(0)
        if within and rb + uint32(32) < columns:
            offset, dz, dh, dw = load4(table, uint32((rb + uint32(32)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put + uint32(32))] = v
        v = float32(0)
        if within and ra + uint32(48) < rows:
            v = grad[uint32(((n * groups + group) * rows + ra + uint32(48)) * positions + p)]
        tile_a[uint32(put + uint32(48))] = v
        v = float32(0)
        if within and rb + uint32(48) < columns:
            offset, dz, dh, dw = load4(table, uint32((rb + uint32(48)) * uint32(4)))
            z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)
            if uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2]):
                v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]
        tile_b[uint32(put + uint32(48))] = v
        cuda.syncthreads()
        at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
        for _ in range(4):
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
            a0, a1, a2, a3 = load4(tile_a, uint32(at_a + uint32(0)))
            a4, a5, a6, a7 = load4(tile_a, uint32(at_a + uint32(32)))
            b0, b1, b2, b3 = load4(tile_b, at_b)
            c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3
            c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3
            c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3
            c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3
            c40 += a4 * b0; c41 += a4 * b1; c42 += a4 * b2; c43 += a4 * b3
            c50 += a5 * b0; c51 += a5 * b1; c52 += a5 * b2; c53 += a5 * b3
            c60 += a6 * b0; c61 += a6 * b1; c62 += a6 * b2; c63 += a6 * b3
            c70 += a7 * b0; c71 += a7 * b1; c72 += a7 * b2; c73 += a7 * b3
            at_a, at_b = uint32(at_a + uint32(68)), uint32(at_b + uint32(68))
        cuda.syncthreads()
    j0 = uint32(column0 + tx * uint32(4) + uint32(0))
    o0 = uint32(j0)
    j1 = uint32(column0 + tx * uint32(4) + uint32(1))
    o1 = uint32(j1)
    j2 = uint32(column0 + tx * uint32(4) + uint32(2))
    o2 = uint32(j2)
    j3 = uint32(column0 + tx * uint32(4) + uint32(3))
    o3 = uint32(j3)
    i = uint32(row0 + ty * uint32(4) + uint32(0))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c00
        if j1 < columns:
            y[uint32(at + o1)] = c01
        if j2 < columns:
            y[uint32(at + o2)] = c02
        if j3 < columns:
            y[uint32(at + o3)] = c03
    i = uint32(row0 + ty * uint32(4) + uint32(1))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c10
        if j1 < columns:
            y[uint32(at + o1)] = c11
        if j2 < columns:
            y[uint32(at + o2)] = c12
        if j3 < columns:
            y[uint32(at + o3)] = c13
    i = uint32(row0 + ty * uint32(4) + uint32(2))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c20
        if j1 < columns:
            y[uint32(at + o1)] = c21
        if j2 < columns:
            y[uint32(at + o2)] = c22
        if j3 < columns:
            y[uint32(at + o3)] = c23
    i = uint32(row0 + ty * uint32(4) + uint32(3))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c30
        if j1 < columns:
            y[uint32(at + o1)] = c31
        if j2 < columns:
            y[uint32(at + o2)] = c32
        if j3 < columns:
            y[uint32(at + o3)] = c33
    i = uint32(row0 + ty * uint32(4) + uint32(32))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c40
        if j1 < columns:
            y[uint32(at + o1)] = c41
        if j2 < columns:
            y[uint32(at + o2)] = c42
        if j3 < columns:
            y[uint32(at + o3)] = c43
    i = uint32(row0 + ty * uint32(4) + uint32(33))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c50
        if j1 < columns:
            y[uint32(at + o1)] = c51
        if j2 < columns:
            y[uint32(at + o2)] = c52
        if j3 < columns:
            y[uint32(at + o3)] = c53
    i = uint32(row0 + ty * uint32(4) + uint32(34))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c60
        if j1 < columns:
            y[uint32(at + o1)] = c61
        if j2 < columns:
            y[uint32(at + o2)] = c62
        if j3 < columns:
            y[uint32(at + o3)] = c63
    i = uint32(row0 + ty * uint32(4) + uint32(35))
    if i < rows:
        at = uint32((stacked * rows + i) * columns)
        if j0 < columns:
            y[uint32(at + o0)] = c70
        if j1 < columns:
            y[uint32(at + o1)] = c71
        if j2 < columns:
            y[uint32(at + o2)] = c72
        if j3 < columns:
            y[uint32(at + o3)] = c73


GEMM = {(False, False): gemm_nn, (False, True): gemm_nt, (True, False): gemm_tn}
