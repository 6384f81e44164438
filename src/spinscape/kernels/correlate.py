"""Sums over correlations between sublattices: the average over operations, quadratic forms, and values of bins."""

import numpy as np

from .jit import compiled


@compiled
def average_pairs(pairs, wave, mirrored, phase, site, turn, out):
    """Average correlations between sublattices over operations that permute sites, turn components and move waves.

        out[q, (p'α), (r'β)] = mean over o of φ(o, q, p)* φ(o, q, r) Σ_γδ T_αγ T_βδ C[wave(o, q), (pγ), (rδ)]

    Parameters
    ----------
    pairs : (n_wave, n_site * n_component, n_site * n_component) complex128
        Hermitian in its last two axes.
    wave : (n_operation, n_wave) int64
    mirrored : (n_operation, n_wave) bool
        The complex conjugate is meant.
    phase : (n_operation, n_wave, n_site) complex128
        φ of the site before the operation.
    site : (n_operation, n_site) int64
        Where each site goes.
    turn : (n_operation, n_site, n_component, n_component) float64
        T of the site before the operation.
    out : (n_wave, n_site * n_component, n_site * n_component) complex128
    """
    n_operation, n_wave, n_site = phase.shape
    n = turn.shape[2]
    out[:] = 0.0
    half = np.empty((n, n), np.complex128)
    for o in range(n_operation):
        for q in range(n_wave):
            w = wave[o, q]
            for p in range(n_site):
                for r in range(p, n_site):
                    factor = phase[o, q, p].conjugate() * phase[o, q, r] / n_operation
                    for a in range(n):
                        for d in range(n):
                            total = 0.0j
                            for c in range(n):
                                value = pairs[w, p * n + c, r * n + d]
                                total += turn[o, p, a, c] * (value.conjugate() if mirrored[o, q] else value)
                            half[a, d] = total * factor
                    row, column = site[o, p] * n, site[o, r] * n
                    for a in range(n):
                        for b in range(n):
                            total = 0.0j
                            for d in range(n):
                                total += turn[o, r, b, d] * half[a, d]
                            out[q, row + a, column + b] += total
                            if p != r:
                                out[q, column + b, row + a] += total.conjugate()


@compiled
def quadratic_forms(pairs, wave, vectors, out):
    """Write out[s] = Σ_k v[s, k]† C[wave[s]] v[s, k].

    Parameters
    ----------
    pairs : (n_wave, n_mode, n_mode) complex128, Hermitian in its last two axes
    wave : (n_star,) int64
    vectors : (n_star, n_form, n_mode) complex128
    out : (n_star,) float64
    """
    n_star, n_form, n_mode = vectors.shape
    for s in range(n_star):
        total = 0.0
        for m in range(n_mode):
            total += _diagonal(vectors[s], m) * pairs[wave[s], m, m].real
            for n in range(m + 1, n_mode):
                c = pairs[wave[s], m, n]
                weight = 0.0j
                for k in range(n_form):
                    weight += vectors[s, k, m].conjugate() * vectors[s, k, n]
                total += 2.0 * (weight.real * c.real - weight.imag * c.imag)
        out[s] = total


@compiled
def _diagonal(vectors, m):
    """Return Σ_k |v[k, m]|²."""
    total = 0.0
    for k in range(vectors.shape[0]):
        total += vectors[k, m].real ** 2 + vectors[k, m].imag ** 2
    return total


@compiled
def interpolate(box, base, fraction, stride, out):
    """Write the trilinear interpolation of values on a box of points, averaged over the parts of each bin.

    Parameters
    ----------
    box : (n_box,) float64
        Values, flat.
    base : (n_bin, n_part) int32
        Flat index of the lowest corner.
    fraction : (n_bin, n_part, 3) float32
        Place between this and the next corner along each axis.
    stride : (3,) int64
        Distance of neighbours along each axis of the box.
    out : (n_bin,) float32
    """
    sx, sy, sz = stride[0], stride[1], stride[2]
    n_bin, n_part = base.shape
    for i in range(n_bin):
        total = 0.0
        for j in range(n_part):
            b = base[i, j]
            x, y, z = fraction[i, j, 0], fraction[i, j, 1], fraction[i, j, 2]
            low = box[b] + z * (box[b + sz] - box[b])
            high = box[b + sy] + z * (box[b + sy + sz] - box[b + sy])
            near = low + y * (high - low)
            c = b + sx
            low = box[c] + z * (box[c + sz] - box[c])
            high = box[c + sy] + z * (box[c + sy + sz] - box[c + sy])
            far = low + y * (high - low)
            total += near + x * (far - near)
        out[i] = total / n_part


@compiled
def gather(values, index, out):
    """Write out[i] = mean over j of values[index[i, j]].

    Parameters
    ----------
    values : (n_value,) float64
    index : (n_bin, n_part) int32
    out : (n_bin,) float32
    """
    n_bin, n_part = index.shape
    for i in range(n_bin):
        total = 0.0
        for j in range(n_part):
            total += values[index[i, j]]
        out[i] = total / n_part
