"""The demo's first steps: a chain of its own with the contracts on it."""

from __future__ import annotations

from engine.demo.walk import Found, Walk


async def start_devnet(walk: Walk) -> Found:
    """Start the devnet of the data directory, or take the one that runs."""
    status = await walk.runtime.devnet.up()
    walk.facts["devnet"] = {"url": status.url, "chain_id": status.chain_id, "version": status.version}
    return Found(f"{status.version} at {status.url}", ("devnet",))


async def deploy(walk: Walk) -> Found:
    """Deploy the contracts, or find those that are there."""
    chain = await walk.runtime.chain()
    contracts = {contract.name: contract.address for contract in chain.deployment.contracts}
    walk.facts["contracts"] = contracts
    first = next(iter(contracts))
    return Found(f"{len(contracts)} contracts; {first} at {contracts[first]}", ("contract", contracts[first]))
