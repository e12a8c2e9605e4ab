"""What a learning chain runs by: the specification's numbers, each of which can be set."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.learning.errors import LearnSettingError

DEFAULT_SEED = "0123456789abcdef" * 4
RULES = ("fedavg", "krum", "multi_krum", "trimmed_mean", "median")
DEPOSIT = 32 * 10**18  # 32 POL in base units
DELTA_LIMIT = 150_000  # bytes of one LoRA delta
ACK_TTL = 3600.0  # seconds
ACK_TIMEOUT = 30.0  # seconds from opening a round until its update may no longer be included
INCLUSION_SLOTS = 2  # a round opened at slot s may put its update into s + 1 or s + 2
GATE_RATIO = (999, 1000)  # accept if after < 0.999 * before, computed in integers
GATE_FLOOR = 50_000_000  # nano-nats a token: below a mean loss of 0.05 the gate is skipped
EVALUATION_TOLERANCE = 1_000  # nano-nats: 1e-6 nats between two honest evaluations

Rule = Literal["fedavg", "krum", "multi_krum", "trimmed_mean", "median"]


class LearnConfig(BaseModel):
    """One run. Times are seconds of the chain's clock, losses nats, stakes base units of POL."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    genesis_seed: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] = DEFAULT_SEED
    chain_id: Annotated[int, Field(ge=1, le=2**53)] = 1337
    validators: Annotated[int, Field(ge=1, le=4096)] = 8
    slots: Annotated[int, Field(ge=1, le=100_000)] = 32
    seconds_per_slot: Annotated[float, Field(gt=0, le=3600)] = 12.0
    slots_per_epoch: Annotated[int, Field(ge=2, le=64)] = 8

    clock: Literal["simulated", "scaled", "wall"] = "simulated"
    speed: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    """Seconds of the chain in a second of the wall, for the scaled clock; record lifetimes scale with it."""
    transport: Literal["sim", "dht"] = "sim"
    training: Literal["replayed", "real"] = "replayed"
    model: str = "auto"
    """``nano``, ``tiny``, or the folder or hub name of a checkpoint; ``auto``: nano replayed, tiny trained."""

    split: bool = False
    """Evaluate on two servers of ``hivemind.moe`` that hold half of the model's blocks each (the learn extra)."""

    nodes: Annotated[int, Field(ge=0, le=64)] = 0
    """Beacon nodes that the validators share out; 0: one a validator up to 16 (in real mode 8, one DHT node each)."""
    dht_peers: Annotated[int, Field(ge=0, le=4096)] = 0
    """0: one a validator in the simulated DHT, 8 real ones (at most 40)."""
    trainers: Annotated[int, Field(ge=0, le=64)] = 4
    training_steps: Annotated[int, Field(ge=1, le=100_000)] = 20
    round_every: Annotated[int, Field(ge=1, le=64)] = 1
    """A new round opens at the first slot divisible by this after the last one ended."""

    quorum: Annotated[str, Field(pattern=r"^(spec|bft|[1-9][0-9]{0,3})$")] = "spec"
    """``spec``: ceil(n/2); ``bft``: floor(2n/3) + 1; or a number (AI_QUORUM)."""
    rule: Rule = "multi_krum"
    byzantine: Annotated[int, Field(ge=0, le=31)] | None = None
    """The f of Krum and of the trimmed mean; None: as many as the rule can bear among the trainers."""
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    gate_texts: Annotated[int, Field(ge=1, le=4096)] = 512
    gate_pool: Literal["drawn", "public"] = "drawn"
    """``public`` gates on the first texts of the pool, which trainers know: the specification's hole, to be shown."""
    canary_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    reveal: bool = True
    """Whether members commit to their loss on texts of their own and open it afterwards."""

    pow_bits: Annotated[int, Field(ge=0, le=28)] = 10
    """Leading zero bits of a block's hash."""
    latency: Annotated[float, Field(ge=0, le=10)] = 0.08
    jitter: Annotated[float, Field(ge=0, le=10)] = 0.04
    loss_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of messages between nodes that get lost; they are asked for again."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Of latency, losses and faults; keys come of the genesis seed alone."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.transport == "dht" and self.clock == "simulated":
            raise ValueError("a real DHT needs a clock that passes: clock scaled or wall")
        if self.transport == "dht" and self.dht_peers > 40:
            raise ValueError("at most 40 real DHT nodes")
        if self.quorum.isdigit() and int(self.quorum) > self.validators:
            raise ValueError(f"a quorum of {self.quorum} is more than the {self.validators} validators")
        return self

    @property
    def node_count(self) -> int:
        """Beacon nodes, between 1 and one a validator."""
        return min(self.nodes or (8 if self.transport == "dht" else 16), self.validators)

    @property
    def peer_count(self) -> int:
        """DHT peers."""
        return self.dht_peers or (8 if self.transport == "dht" else self.validators)

    @property
    def tolerated(self) -> int:
        """The f in force: how many bad trainers the rule is to bear; by default the most that n >= 2f + 3 allows."""
        return max(0, (self.trainers - 3) // 2) if self.byzantine is None else self.byzantine

    @property
    def model_name(self) -> str:
        """The model that ``auto`` stands for."""
        return {"replayed": "nano", "real": "tiny"}[self.training] if self.model == "auto" else self.model

    @classmethod
    def read(cls, document: object) -> LearnConfig:
        """Return the configuration in a document. Raises LearnSettingError naming each setting that is wrong."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {_plain(e)}" for e in error.errors()]
            raise LearnSettingError("The settings cannot be used", "; ".join(lines[:8]), "Correct them.") from error

    def changed(self, **settings: Any) -> LearnConfig:
        """Return a copy with settings changed and checked. Raises LearnSettingError."""
        return self.read({**self.model_dump(), **settings})


def _plain(error: Any) -> str:
    if error["loc"] and error["loc"][0] == "genesis_seed":
        return f"GENESIS_SEED is 64 hexadecimal characters, got {len(str(error['input']))}"
    return str(error["msg"]).removeprefix("Value error, ")


def quorum_of(mode: str, committee: int) -> int:
    """Return how many ACKs a committee of that size needs. Source: spec/pol-ai.md (``spec``), PBFT (``bft``).

    A number stands for itself, but never for more than the committee has.
    """
    if mode == "spec":
        return max(1, (committee + 1) // 2)
    if mode == "bft":
        return 2 * committee // 3 + 1 if committee > 1 else 1
    return min(int(mode), max(1, committee))
