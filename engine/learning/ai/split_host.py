"""The processes of a split model: two that serve blocks by ``hivemind.moe``, and the front that asks them."""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import signal
from typing import Any

from engine.core.process import adopt_orphans, die_with_parent, use_one_thread
from engine.learning.ai.quiet import quiet_libraries

_NAMES = ("blocks.0", "blocks.1")


def serve_blocks(parent: int, pipe: Any, number: int, layers: tuple[int, int]) -> None:
    """Serve the layers of a range, until the pipe ends."""
    _settle(parent)
    import torch
    from hivemind import DHT
    from hivemind.moe import ModuleBackend, Server
    from hivemind.utils.tensor_descr import BatchTensorDescriptor

    from engine.learning.ai.qwen import Network

    class Blocks(torch.nn.Module):
        """Half of the layers, of whatever model is in use."""

        network: Network

        def forward(self, stream: torch.Tensor) -> torch.Tensor:
            return self.network.blocks(stream, *layers)

    blocks = Blocks()
    dht = DHT(initial_peers=pipe.recv(), start=True, host_maddrs=["/ip4/127.0.0.1/tcp/0"])
    shape = BatchTensorDescriptor(1, 1, dtype=torch.float32)
    backend = ModuleBackend(
        _NAMES[number], blocks, args_schema=(shape,), outputs_schema=shape, min_batch_size=1, max_batch_size=1 << 20
    )
    server = Server(dht, {_NAMES[number]: backend}, num_connection_handlers=1, start=True)
    try:
        pipe.send(("ready", [str(address) for address in dht.get_visible_maddrs()]))
        _obey(pipe, lambda network: setattr(blocks, "network", network), None)
    finally:
        server.shutdown()
        dht.shutdown()


def serve_front(parent: int, pipe: Any) -> None:
    """Answer for losses, by asking the blocks' servers for what lies between embedding and logits."""
    _settle(parent)
    import torch
    from hivemind import DHT
    from hivemind.moe import get_experts

    from engine.learning.ai.qwen import Network
    from engine.learning.ai.tasks import losses_of

    dht = DHT(initial_peers=pipe.recv(), start=True, client_mode=True)

    class Split(Network):
        """A network whose layers are far away."""

        def blocks(self, stream: torch.Tensor, first: int, last: int) -> torch.Tensor:
            with torch.inference_mode(False), torch.no_grad():
                far = stream.clone()
                for expert in experts:
                    far = expert(far)
            return far

    held: list[Network] = []

    def use(network: Network) -> None:
        held[:] = [Split(network.model, network.weights)]

    def ask(split: str, numbers: tuple[int, ...]) -> list[int]:
        return losses_of(held[0], split, numbers)

    try:
        experts = _found(lambda: get_experts(dht, list(_NAMES)))
        pipe.send(("ready", []))
        _obey(pipe, use, ask)
    finally:
        dht.shutdown()


def _found(look: Any) -> list[Any]:
    """Return the experts once both servers have declared theirs."""
    import time

    for _ in range(200):
        experts: list[Any] = look()
        if all(expert is not None for expert in experts):
            return experts
        time.sleep(0.1)
    raise RuntimeError("the servers of the blocks are not to be found")


def _obey(pipe: Any, use: Any, ask: Any) -> None:
    """Do what the pipe says until it ends."""
    from engine.learning.ai.tasks import network_of

    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        if order is None:
            return
        try:
            if order[0] == "use":
                use(network_of(order[1], order[2]))
                pipe.send(("done", None))
            else:
                pipe.send(("done", ask(*order[1:])))
        except Exception as error:  # whatever the libraries raise is told, and the process goes on
            pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _settle(parent: int) -> None:
    """Become a quiet process of one thread, with a group of its own, that ends with its parent."""
    os.setsid()
    die_with_parent(parent)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_one_thread()
    quiet_libraries()
    # hivemind forks beside threads that make temporary files: a lock that one holds just then would never be let go in
    # the child, so the folder is made, and all that it takes, while there is one thread.
    multiprocessing.util.get_temp_dir()
    # hivemind starts processes of its own, which those that end with their parent may not by default
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
