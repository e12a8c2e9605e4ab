"""Runs in the environment of the peers: Flower's rules on vectors from an npz, answers as an npz.

``python flower_worker.py IN OUT``: IN holds vectors (n, d) named ``v0``, ``v1`` and so on, and ``f``, (cases,).
"""

import sys

import numpy as np
from flwr.server.strategy.aggregate import (
    _compute_distances,
    aggregate,
    aggregate_krum,
    aggregate_median,
    aggregate_trimmed_avg,
)

cases = np.load(sys.argv[1])
found = {}
for number, f in enumerate(cases["f"].tolist()):
    vectors = cases[f"v{number}"]
    n = len(vectors)
    results = [([vector], 1) for vector in vectors]
    found[f"distances{number}"] = _compute_distances([[vector] for vector in vectors])
    found[f"fedavg{number}"] = aggregate(results)[0]
    found[f"median{number}"] = aggregate_median(results)[0]
    found[f"trimmed_mean{number}"] = aggregate_trimmed_avg(results, (f + 0.5) / n)[0]
    found[f"krum{number}"] = aggregate_krum(results, f, 0)[0]
    found[f"multi_krum{number}"] = aggregate_krum(results, f, n - f)[0]
np.savez(sys.argv[2], **found)
