"""The Merkle explorer: a round's tree down to a match, that match's trace down to a step, and their proofs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.proof import ProofWalk, inner_above, offer_inner, walk_leaf
from engine.core.errors import EngineError, UsageError
from engine.core.files import write_atomically
from engine.league.bundle import read_bundle
from engine.league.events import RoundChanged
from engine.league.inclusion import Answer, MatchBinding, ask_leaf, ask_step, root_on_chain
from engine.league.leafproof import LeafProof
from engine.league.proof import StepProof
from engine.league.results import RoundSummary
from engine.league.standings import RoundLeaf
from engine.league.trees import FlatTree, MatchTree, StepTree, leaf_tuple

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.tree_loader import TreeLoader
    from engine.core.jobs import JobContext
    from engine.runtime import Runtime

FOUND = 200


@dataclass(frozen=True, slots=True)
class FoundLeaf:
    """A leaf that a search found."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class TreeFacts:
    """The tree that is shown. ``kind`` is round or match."""

    kind: str
    title: str
    size: int
    depth: int
    root: str


@dataclass(frozen=True, slots=True)
class MerkleState:
    """``leaf`` is the match chosen in the round, ``step`` the step chosen in its trace; ``proof`` is of what is shown.

    ``onchain`` is what the contract keeps for the round, None while nobody could be asked; ``answer`` what it said of
    the proof shown. ``offered``: the proof is of an inner node that poses as a leaf. ``focus`` counts up when the tree
    should bring the chosen leaf into sight.
    """

    rounds: tuple[RoundSummary, ...] = ()
    round_id: str = ""
    loading: str = ""
    facts: TreeFacts | None = None
    leaf: int | None = None
    step: int | None = None
    fixture: int = -1
    node: tuple[int, int] | None = None
    proof: ProofWalk | None = None
    words: tuple[str, ...] = ()
    offered: bool = False
    query: str = ""
    found: tuple[FoundLeaf, ...] = ()
    onchain: Answer | None = None
    answer: Answer | None = None
    focus: int = 0
    has_match: bool = False

    @property
    def chosen(self) -> int | None:
        """The leaf chosen in the tree shown."""
        return self.step if self.facts is not None and self.facts.kind == "match" else self.leaf


class MerkleViewModel(ViewModel[MerkleState]):
    """Loads trees in a worker process, walks proofs, edits leaves, asks the contract."""

    def __init__(self, bridge: Bridge, runtime: Runtime, trees: TreeLoader) -> None:
        super().__init__(bridge, MerkleState())
        self._runtime = runtime
        self._trees = trees
        self._work: asyncio.Task[None] | None = None
        self._round: MatchTree | None = None
        self._match: StepTree | None = None
        self._bundle: Path | None = None
        bridge.subscribe(self._on_changed, RoundChanged)

    @property
    def tree(self) -> FlatTree | None:
        """The tree that is shown."""
        facts, match, played = self.state.facts, self._match, self._round
        if facts is None or played is None:
            return None
        return match.tree if facts.kind == "match" and match is not None else played.tree

    def refresh(self) -> None:
        """Read which rounds there are; the first one opens by itself."""
        rounds = tuple(self._runtime.league.rounds())
        self.update(rounds=rounds)
        if rounds and not self.state.round_id and not self.state.loading:
            self.open_round(rounds[0].round_id)

    def open_round(self, round_id: str, leaf: int | None = None) -> None:
        """Show a round's tree, and a leaf of it."""
        if self._round is not None and self._round.round_id == round_id:
            self._show_round(leaf)
        else:
            self._begin("the round", lambda job: self._open_round(job, round_id, leaf))

    def open_step(self, round_id: str, fixture: int, step: int = 0) -> None:
        """Show a match's trace tree, and a step of it."""
        self._begin(f"match {fixture}", lambda job: self._open_step(job, round_id, fixture, step))

    def open_match(self) -> None:
        """Go down into the chosen match."""
        if self._round is not None and self.state.leaf is not None:
            self.open_step(self._round.round_id, self._round.fixtures[self.state.leaf])

    def up(self) -> None:
        """Go back up to the round."""
        if self._round is not None:
            self._show_round(self.state.leaf)

    def choose(self, index: int, *, focus: bool = False) -> None:
        """Choose a leaf of the tree shown."""
        tree, facts = self.tree, self.state.facts
        if tree is None or facts is None or not 0 <= index < tree.size:
            return
        chosen: dict[str, Any] = {"step": index} if facts.kind == "match" else {"leaf": index, "has_match": False}
        if facts.kind == "round" and self._round is not None:
            chosen["fixture"] = self._round.fixtures[index] if index < len(self._round.fixtures) else -1
        self.update(
            **chosen,
            node=None,
            proof=walk_leaf(tree, index),
            words=tuple(tree.line(index)),
            offered=False,
            answer=None,
            focus=self.state.focus + focus,
        )

    def choose_node(self, level: int, index: int) -> None:
        """Choose a node; an inner one is offered as a leaf, which fails."""
        if level == 0:
            self.choose(index)
            return
        tree = self.tree
        walk = offer_inner(tree, level, index) if tree is not None else None
        if walk is not None:
            self.update(node=(level, index), proof=walk, offered=True, answer=None)

    def offer_inner(self) -> None:
        """Offer the inner node above the chosen leaf as if it were a leaf."""
        tree, chosen = self.tree, self.state.chosen
        above = inner_above(tree, chosen) if tree is not None and chosen is not None else None
        if above is not None:
            self.choose_node(*above)

    def edit_leaf(self, offset: int, value: int) -> None:
        """Change a byte of the leaf, to see the proof fail."""
        tree, proof, chosen = self.tree, self.state.proof, self.state.chosen
        if tree is None or proof is None or chosen is None or self.state.offered or not 0 <= offset < len(proof.leaf):
            return
        leaf = bytearray(proof.leaf)
        leaf[offset] = value & 0xFF
        self.update(proof=walk_leaf(tree, chosen, bytes(leaf)), answer=None)

    def revert_leaf(self) -> None:
        """Take back all edits, and an inner node that was offered."""
        if self.state.chosen is not None:
            self.choose(self.state.chosen)

    def search(self, query: str) -> None:
        """Look for leaves by number, hash or words."""
        self.update(query=query)
        self.start(self._search(query), "Searching the tree", key="merkle")

    def verify_on_chain(self) -> None:
        """Ask the contract about the leaf as it is shown."""
        proof = self.state.proof
        if proof is not None and self._round is not None:
            work = self._runtime.jobs.run("Ask the contract about a leaf", lambda _: self._verify(proof))
            self.start(work, "Asking the contract", key="merkle")

    def export_proof(self, path: Path) -> None:
        """Write the proof of the chosen leaf as JSON; ``nashboard trace check`` reads it."""
        if self.state.chosen is not None:
            work = self._runtime.jobs.run(f"Save {path.name}", lambda _: self._export(path))
            self.start(work, "Saving the proof", key="merkle")

    # Inside

    def _on_changed(self, event: RoundChanged) -> None:
        """Read the round again that is shown: it was played on, anchored or settled."""
        facts, leaf = self.state.facts, self.state.leaf
        if self._round is None or event.round_id != self._round.round_id or self.state.loading:
            return
        if facts is not None and facts.kind == "round":
            self._begin("the round", lambda job: self._open_round(job, event.round_id, leaf))
        else:
            self.start(self._ask_root(), "Reading the root", key="merkle")

    def _begin(self, what: str, work: Callable[[JobContext], Awaitable[None]]) -> None:
        """Start loading as a job; what is still loading is no longer wanted.

        What is cancelled ends at once; the worker process reads to its end all the same, and nobody takes it.
        """
        if self._work is not None:
            self._work.cancel()
        self.update(loading=what)
        self._work = self.bridge.spawn(self._loading(what, work), f"Loading {what}", key="merkle")

    async def _loading(self, what: str, work: Callable[[JobContext], Awaitable[None]]) -> None:
        mine = asyncio.current_task()
        try:
            await self._runtime.jobs.run(f"Load {what}", work)
        finally:
            if self._work is mine:
                self.update(loading="")

    async def _open_round(self, job: JobContext, round_id: str, leaf: int | None) -> None:
        job.progress(0, 2, "Making the round's tree")
        await self._load_round(round_id)
        self._show_round(leaf)
        job.progress(1, 2, "Asking for the root on chain")
        await self._ask_root()

    async def _load_round(self, round_id: str) -> MatchTree:
        loaded = await self._trees.round(round_id)
        self._round, self._match = loaded, None
        self.update(onchain=None, query="", found=())
        return loaded

    async def _open_step(self, job: JobContext, round_id: str, fixture: int, step: int) -> None:
        played = self._round
        fresh = played is None or played.round_id != round_id
        job.progress(0, 4, "Making the round's tree")
        if played is None or fresh:
            played = await self._load_round(round_id)
        leaf = played.leaf_of(fixture)
        if leaf is None:
            raise UsageError(f"The round has no match {fixture}", "it is not played, or was skipped")
        job.progress(1, 4, "Playing the match again")
        path = await self._runtime.league.bundle(round_id, fixture)
        job.progress(2, 4, "Making the match's tree")
        self._match, self._bundle = await self._trees.trace(path), path
        size, tree = self._match.tree.size, self._match.tree
        facts = TreeFacts("match", f"Match {fixture}", size, tree.depth if size else 0, self._match.trace_root.hex())
        self.update(facts=facts, round_id=round_id, leaf=leaf, fixture=fixture, step=None, proof=None, has_match=True,
                    node=None, offered=False, found=(), query="")  # fmt: skip
        self.choose(min(step, size - 1), focus=True)
        job.progress(3, 4, "Asking for the root on chain")
        if fresh:
            await self._ask_root()

    def _show_round(self, leaf: int | None) -> None:
        assert self._round is not None
        tree = self._round.tree
        facts = TreeFacts("round", self._round.title, tree.size, tree.depth, tree.root.hex())
        self.update(facts=facts, round_id=self._round.round_id, leaf=None, step=None, proof=None, node=None, words=(),
                    offered=False, found=(), query="", has_match=False)  # fmt: skip
        self.choose(0 if leaf is None else leaf, focus=leaf is not None)

    async def _ask_root(self) -> None:
        """Ask for the round's root where it may be on a chain that runs; without an answer it stays untrusted."""
        if self._round is None or not self._round.anchored or self._round.book == "local":
            return
        try:
            self.update(onchain=await root_on_chain(await self._runtime.chain(), self._round))
        except EngineError:
            self.update(onchain=None)

    async def _search(self, query: str) -> None:
        tree = self.tree
        if tree is None:
            return
        hits = await asyncio.to_thread(tree.search, query, FOUND)
        if query == self.state.query and tree is self.tree:
            self.update(found=tuple(FoundLeaf(at, ", ".join(filter(None, tree.line(at)))) for at in hits))

    async def _verify(self, proof: ProofWalk) -> None:
        played, match, facts = self._round, self._match, self.state.facts
        if played is None or facts is None:
            return
        path = [bytes.fromhex(line.sibling) for line in proof.lines]
        chain = await self._runtime.chain()
        if facts.kind == "round":
            answer = await ask_leaf(chain, played, proof.leaf, path)
        elif match is not None and self.state.leaf is not None:
            body = proof.index.to_bytes(8, "big") + proof.leaf if self.state.offered else proof.leaf
            binding = MatchBinding(match.header, match.trace_root, match.steps)
            answer = await ask_step(chain, played, self.state.leaf, binding, body, path)
        if proof is self.state.proof:
            self.update(answer=answer, onchain=await root_on_chain(chain, played))

    async def _export(self, path: Path) -> None:
        facts, chosen, played = self.state.facts, self.state.chosen, self._round
        assert facts is not None and chosen is not None and played is not None
        if facts.kind == "match" and self._bundle is not None:
            bundle = await asyncio.to_thread(read_bundle, self._bundle)
            value = StepProof.of(bundle, chosen).to_json()
        else:
            tree = played.tree
            leaf = RoundLeaf(*leaf_tuple(tree.body(chosen)))
            siblings = tuple(sibling for _, _, sibling in tree.path(chosen))
            value = LeafProof(played.title, tree.size, leaf, siblings, tree.root).to_json()
        write_atomically(path, (json.dumps(value, indent=2) + "\n").encode(), mode=0o644)
        self.bridge.notify(Notice("ok", f"Saved {path.name}", "Check it with nashboard trace check.", key="merkle"))
