"""Hivemind's nodes, in processes of their own: the console never imports hivemind, torch's servers or protobuf.

``host`` is one process that imports hivemind once and forks a process a node; ``node`` is what runs there, with a
libp2p daemon for a child; ``guard`` puts our rules into it; ``frames`` is what they say to the console.
"""
