"""Colours of a graph, no two neighbours alike: what may be updated at once.

Greedy, the vertex with the most colours around it next: exact for bipartite graphs. Source: D. Brélaz, Commun. ACM 22,
251 (1979).
"""

import numpy as np

from .jit import compiled

MAX_COLOUR = 62


@compiled
def colour_graph(neighbour, colour):
    """Give each vertex the least colour that no neighbour has.

    Parameters
    ----------
    neighbour : (n, m) int64
        Padded with −1.
    colour : (n,) int64, written

    Returns
    -------
    int
        Number of colours; 0 where a vertex is its own neighbour, or where more than MAX_COLOUR would be needed.
    """
    n, m = neighbour.shape
    around = np.zeros(n, dtype=np.int64)
    count = np.zeros(n, dtype=np.int64)
    colour[:] = -1
    n_colour = 0
    for _ in range(n):
        best = -1
        for i in range(n):
            if colour[i] < 0 and (best < 0 or count[i] > count[best]):
                best = i
        free = 0
        while (around[best] >> free) & 1:
            free += 1
        if free >= MAX_COLOUR:
            return 0
        colour[best] = free
        n_colour = max(n_colour, free + 1)
        for k in range(m):
            j = neighbour[best, k]
            if j == best:
                return 0
            if j >= 0 and not (around[j] >> free) & 1:
                around[j] |= 1 << free
                count[j] += 1
    return n_colour
