"""A Kademlia in one process: routing tables, iterative lookups, replicas, expiry, for a thousand peers and more.

Source: Maymounkov and Mazieres, "Kademlia: A Peer-to-Peer Information System Based on the XOR Metric", 2002.
"""

from engine.learning.transport.kademlia.dht import SimDht

__all__ = ["SimDht"]
