// The first equilibrium in pure strategies of each bimatrix game, by rows: a warp a game.
#include "common.cuh"

// `a` and `b` (games, n, m); `found` (games,) gets row * m + column, -1 where there is none. A block is BLOCK_WARPS warps.
// `memory`: n doubles a warp, the best payoff of player 2 against each row.
__global__ void pure_check(const double *__restrict__ a, const double *__restrict__ b, int games, int n, int m,
                           int *__restrict__ found) {
    SHARED_BYTES(memory);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int game = blockIdx.x * (blockDim.x / WARP) + warp;
    if (game >= games) return;  // whole warps
    double *const best_reply = reinterpret_cast<double *>(memory) + warp * n;
    a += static_cast<size_t>(game) * n * m;
    b += static_cast<size_t>(game) * n * m;
    // 1. Player 2's best payoff against each row.
    for (int i = 0; i < n; ++i) {
        double best = b[i * m];
        for (int j = lane; j < m; j += WARP) best = b[i * m + j] > best ? b[i * m + j] : best;
        best = most_over_warp(best);
        if (lane == 0) best_reply[i] = best;
    }
    __syncwarp();
    // 2. Each lane takes columns: where player 1 has its best payoff, is it player 2's, too?
    int first = n * m;
    for (int j = lane; j < m; j += WARP) {
        double best = a[j];
        for (int i = 1; i < n; ++i) best = a[i * m + j] > best ? a[i * m + j] : best;
        for (int i = n - 1; i >= 0; --i) {
            const int cell = i * m + j;
            if (a[cell] == best && b[cell] == best_reply[i] && cell < first) first = cell;
        }
    }
    first = least_over_warp(first);
    if (lane == 0) found[game] = first < n * m ? first : -1;
}
