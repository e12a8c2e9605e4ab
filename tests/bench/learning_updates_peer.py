"""Runs in the environment of the peers: milliseconds of Flower's Krum. ``python ... VECTORS.npy F SECONDS``."""

import sys
import time
from statistics import median

import numpy as np
from flwr.server.strategy.aggregate import aggregate_krum

results = [([vector], 1) for vector in np.load(sys.argv[1])]
taken, end = [], time.perf_counter() + float(sys.argv[3])
while not taken or (time.perf_counter() < end and len(taken) < 99):
    start = time.perf_counter()
    aggregate_krum(results, int(sys.argv[2]), 0)
    taken.append(time.perf_counter() - start)
print(1e3 * median(taken))
