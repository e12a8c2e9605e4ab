"""Bare hivemind for comparison: nodes, subkeys. Prints the medians of a store and of a fetch of all subkeys, in ms."""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import hivemind
from hivemind.utils.timed_storage import get_dht_time


def main(nodes: int, subkeys: int) -> None:
    """Start nodes, store a subkey after the other under one key, read all of them from each node."""
    settings = {
        "host_maddrs": ["/ip4/127.0.0.1/tcp/0"],
        "use_relay": False,
        "use_auto_relay": False,
        "num_replicas": 20,
    }
    dhts = [hivemind.DHT(start=True, cache_locally=False, cache_nearest=0, **settings)]
    for _ in range(nodes - 1):
        initial = dhts[0].get_visible_maddrs()
        dhts.append(hivemind.DHT(start=True, initial_peers=initial, cache_locally=False, cache_nearest=0, **settings))
    stores, fetches = [], []
    until = get_dht_time() + 3600
    for number in range(subkeys):
        began = time.perf_counter()
        assert dhts[number % nodes].store("key", subkey=f"{number:016x}", value=bytes(260), expiration_time=until)
        stores.append(time.perf_counter() - began)
    for number in range(3 * nodes):
        began = time.perf_counter()
        found = dhts[number % nodes].get("key", latest=True)
        assert found is not None and len(found.value) == subkeys
        fetches.append(time.perf_counter() - began)
    for dht in dhts:
        dht.shutdown()
    print(json.dumps({"store": median(stores) * 1e3, "fetch": median(fetches) * 1e3}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
