"""The two engine configurations: one that says what is valid, one that runs it."""

from __future__ import annotations

from dataclasses import dataclass

from wasmtime import Config, Engine
from wasmtime import _ffi as ffi

MAX_WASM_STACK = 1024 * 1024
# What the pool must hold; the gate's limits lie within. The largest memory is the referee's: its trace and some growth.
MAX_TRACE_BYTES = 256 * 1024 * 1024
MAX_MEMORY_BYTES = MAX_TRACE_BYTES + 16 * 65_536
MAX_TABLE_ENTRIES = 65_536
_POOL_SLOTS = 16
_KEEP_RESIDENT = 65_536


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How code is compiled. ``optimise`` is Cranelift's level; ``pulley`` interprets portable bytecode instead."""

    optimise: str = "speed"
    pulley: bool = False

    def describe(self) -> str:
        """Return the part of a cache key that stands for this configuration."""
        return f"opt={self.optimise},pulley={int(self.pulley)},stack={MAX_WASM_STACK},nan,epoch,multi-memory,pool"


def _restricted() -> Config:
    """Everything off that agents may not use; several of these are on by default."""
    config = Config()
    config.wasm_threads = False
    config.shared_memory = False
    config.wasm_tail_call = False
    config.wasm_relaxed_simd = False
    config.wasm_multi_memory = False
    config.wasm_memory64 = False
    config.wasm_exceptions = False
    config.wasm_function_references = False
    config.wasm_gc = False
    config.wasm_component_model = False
    config.wasm_wide_arithmetic = False
    config.wasm_custom_page_sizes = False
    config.wasm_stack_switching = False
    config.wasm_bulk_memory = True
    config.wasm_simd = True
    config.wasm_multi_value = True
    config.wasm_reference_types = True
    config.consume_fuel = False
    config.parallel_compilation = False
    return config


def validation_engine() -> Engine:
    """Return the engine whose validation decides what is a valid submission."""
    return Engine(_restricted())


def run_engine(options: EngineOptions | None = None) -> Engine:
    """Return the engine that compiles and runs what the gate let through, and the referee."""
    options = options or EngineOptions()
    config = _restricted()
    config.wasm_multi_memory = True
    config.cranelift_nan_canonicalization = True
    config.cranelift_opt_level = options.optimise
    config.epoch_interruption = True
    config.max_wasm_stack = MAX_WASM_STACK
    if options.pulley:
        config.target = "pulley64"
    _use_pool(config)
    return Engine(config)


def _use_pool(config: Config) -> None:
    """Keep the memory of finished matches for the next: mapping it anew costs as much as a match.

    wasmtime gives every instance a zeroed memory either way. A match needs an instance a seat and two more.
    """
    pool = ffi.wasmtime_pooling_allocation_config_new()
    ffi.wasmtime_pooling_allocation_config_total_core_instances_set(pool, _POOL_SLOTS)
    ffi.wasmtime_pooling_allocation_config_total_memories_set(pool, _POOL_SLOTS)
    ffi.wasmtime_pooling_allocation_config_total_tables_set(pool, _POOL_SLOTS)
    # Neither asynchronous calls nor collected objects are used; their default pools are a thousand slots large.
    ffi.wasmtime_pooling_allocation_config_total_stacks_set(pool, 0)
    ffi.wasmtime_pooling_allocation_config_total_gc_heaps_set(pool, 0)
    ffi.wasmtime_pooling_allocation_config_max_memory_size_set(pool, MAX_MEMORY_BYTES)
    ffi.wasmtime_pooling_allocation_config_table_elements_set(pool, MAX_TABLE_ENTRIES)
    ffi.wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, _KEEP_RESIDENT)
    ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    ffi.wasmtime_pooling_allocation_config_delete(pool)
