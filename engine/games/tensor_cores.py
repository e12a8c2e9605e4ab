"""What number format suits a device: dense linear systems in a fast one, made exact by refinement in fp64.

Tensor cores multiply fp64 at full rate on the data-centre chips of compute capability 8.0, 9.0 and 10.0. Everywhere
else fp64 is up to 64 times slower than fp32, so the system is factorised in fp32 (from 8.0 on with TF32 inputs), its
size padded to a multiple that tensor cores take whole, and the solution refined with residuals in fp64. Source: Higham,
Mary (2022), "Mixed precision algorithms in numerical linear algebra", section 5 (iterative refinement).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FULL_RATE = ((8, 0), (9, 0), (10, 0))  # compute capabilities with fp64 tensor cores
TF32_FROM = (8, 0)
REFINEMENTS = 30
EXACT = 1e-14  # relative residual at which refinement is done
SLOWEST = 0.5  # a refinement must bring the residual down to this share, else fp64 is used


@dataclass(frozen=True, slots=True)
class Plan:
    """How to compute: ``dtype`` by name, sizes padded to a ``multiple``, and whether fp32 may be rounded to TF32."""

    dtype: str
    multiple: int = 1
    tf32: bool = False


class TensorCoreOptimizer:
    """Chooses number formats for a device and solves linear systems in them."""

    def plan(self, device: torch.device) -> Plan:
        """Return how to compute on ``device``; the processor computes in fp64 as it is."""
        import torch

        if device.type != "cuda":
            return Plan("float64")
        return self.plan_for(torch.cuda.get_device_capability(device))

    def plan_for(self, capability: tuple[int, int]) -> Plan:
        """Return how to compute on a CUDA device of this compute capability."""
        if capability in FULL_RATE:
            return Plan("float64", 8)
        return Plan("float32", 8, capability >= TF32_FROM)

    def solve(self, matrix: torch.Tensor, right: torch.Tensor, plan: Plan | None = None) -> torch.Tensor:
        """Return x (n, d) with ``matrix @ x = right`` to fp64 accuracy; both in fp64 on one device, matrix (n, n).

        Where refinement stalls, which means that the matrix is badly conditioned for the format, fp64 is used.
        """
        import torch

        plan = plan or self.plan(matrix.device)
        count = len(matrix)
        size = -(-count // plan.multiple) * plan.multiple
        padded = torch.eye(size, dtype=torch.float64, device=matrix.device)
        padded[:count, :count] = matrix
        wide = torch.zeros(size, right.shape[1], dtype=torch.float64, device=matrix.device)
        wide[:count] = right
        with _tf32(plan.tf32):
            found = self._refined(padded, wide, getattr(torch, plan.dtype))
        return (torch.linalg.solve(padded, wide) if found is None else found)[:count]

    def _refined(self, matrix: torch.Tensor, right: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
        import torch

        factors, pivots, failed = torch.linalg.lu_factor_ex(matrix.to(dtype))
        if int(failed):
            return None
        x: torch.Tensor = torch.zeros_like(right)
        residual, before = right, float("inf")
        goal = EXACT * float(right.abs().max())
        now = before
        for _ in range(REFINEMENTS):
            scale = residual.abs().max().clamp_min(1e-300)  # fp32 could not hold very small residuals
            step = torch.linalg.lu_solve(factors, pivots, (residual / scale).to(dtype))
            x = x + scale * step.to(right.dtype)
            residual = right - matrix @ x
            now = float(residual.abs().max())
            if now <= goal:
                return x
            if not now <= SLOWEST * before:
                break
            before = now
        return x if now <= 1e3 * goal else None


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Let CUDA round fp32 products to TF32, or not, for a while."""
    import torch

    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
