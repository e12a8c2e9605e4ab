// Batches of zero-sum games by RM+ and PRM+, in fp32, averaged in fp64. Player 1 gets `a`, player 2 pays it; payoffs are
// centred and scaled to [-1, 1] by who calls. Three layouts, by size:
//   rm_plus_thread  to  8 x  8: a thread a game, everything in registers, no communication
//   rm_plus_lanes   to 32 x 32: 4 or 16 lanes a game, a tile of 8 x 8 in each lane's registers, sums by shuffles
//   rm_plus_block   to 128 x 128: 64 or 256 threads a game, the same tiles, sums across warps in shared memory
// rm_plus_large.cu has the fourth, for games that no multiprocessor can hold.
//
// Why so: payoffs never leave the registers, so that memory of no kind is the bound. By the disassembly for sm_90 a warp
// takes 267 instructions for an iteration of 32 games 8 x 8 (176 of them multiply-adds), 263 for two games 32 x 32 (140,
// and 40 shuffles), and each of 8 warps 321 for a game 128 x 128 (132, and 39 shuffles), of which four are issued a clock.
//
// State goes on from launch to launch: `regret` and `play` (both players' actions, first player 1's), `value` of the
// current profile to player 1, `sum` the weighted sum of strategies. Iterations count from `first`, at least 1.
#include "rm_plus.cuh"

constexpr int TILE = 8;
// fp32 averages are added to those in fp64 every so many iterations.
constexpr int FLUSH = 64;

// A thread a game. Arrays are (numbers, games), so that neighbouring threads read neighbouring words. ----------------

template <int N, int M, bool PREDICTIVE>
__global__ void __launch_bounds__(128, 3)
rm_plus_thread(const float *__restrict__ a, int games, float *__restrict__ regret, float *__restrict__ play,
               float *__restrict__ value, double *__restrict__ sum, int first, int iterations) {
    const int game = blockIdx.x * blockDim.x + threadIdx.x;
    if (game >= games) return;
    const size_t step = static_cast<size_t>(games);
    float payoff[N][M], regret_x[N], regret_y[M], x[N], y[M], sum_x[N], sum_y[M];
    float norm_y = 0.0f, now = value[game];
#pragma unroll
    for (int i = 0; i < N; ++i) {
#pragma unroll
        for (int j = 0; j < M; ++j) payoff[i][j] = a[(i * M + j) * step + game];
        regret_x[i] = regret[i * step + game];
        x[i] = play[i * step + game];
        sum_x[i] = 0.0f;
    }
#pragma unroll
    for (int j = 0; j < M; ++j) {
        regret_y[j] = regret[(N + j) * step + game];
        y[j] = play[(N + j) * step + game];
        sum_y[j] = 0.0f;
        norm_y += y[j];
    }
    float inverse_y = reciprocal(norm_y);
    for (int t = first; t < first + iterations; ++t) {
        float norm = 0.0f, dot = 0.0f;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            float raw = 0.0f;
#pragma unroll
            for (int j = 0; j < M; ++j) raw += payoff[i][j] * y[j];
            x[i] = next_play<PREDICTIVE>(regret_x[i], raw * inverse_y - now);
            norm += x[i];
            dot += x[i] * raw;
        }
        const float inverse_x = reciprocal(norm);
        now = dot * inverse_y * inverse_x;
        norm = dot = 0.0f;
#pragma unroll
        for (int j = 0; j < M; ++j) {
            float raw = 0.0f;
#pragma unroll
            for (int i = 0; i < N; ++i) raw += payoff[i][j] * x[i];
            y[j] = next_play<PREDICTIVE>(regret_y[j], now - raw * inverse_x);
            norm += y[j];
            dot += y[j] * raw;
        }
        inverse_y = reciprocal(norm);
        now = dot * inverse_x * inverse_y;
        const float weight = weight_of<PREDICTIVE>(t), weight_x = weight * inverse_x, weight_y = weight * inverse_y;
#pragma unroll
        for (int i = 0; i < N; ++i) sum_x[i] += weight_x * x[i];
#pragma unroll
        for (int j = 0; j < M; ++j) sum_y[j] += weight_y * y[j];
        if ((t - first) % FLUSH == FLUSH - 1 || t == first + iterations - 1) {
#pragma unroll
            for (int i = 0; i < N; ++i) {
                sum[i * step + game] += static_cast<double>(sum_x[i]);
                sum_x[i] = 0.0f;
            }
#pragma unroll
            for (int j = 0; j < M; ++j) {
                sum[(N + j) * step + game] += static_cast<double>(sum_y[j]);
                sum_y[j] = 0.0f;
            }
        }
    }
#pragma unroll
    for (int i = 0; i < N; ++i) {
        regret[i * step + game] = regret_x[i];
        play[i * step + game] = x[i];
    }
#pragma unroll
    for (int j = 0; j < M; ++j) {
        regret[(N + j) * step + game] = regret_y[j];
        play[(N + j) * step + game] = y[j];
    }
    value[game] = now;
}

// SIDE x SIDE lanes a game (SIDE 2 or 4). Lane (row, column) of a game holds the tile of its 8 rows and 8 columns, and
// has the regrets of OWN of these rows and of OWN of these columns. Arrays are (games, numbers). ----------------------

template <int SIDE, bool PREDICTIVE>
__global__ void __launch_bounds__(128, 4)
rm_plus_lanes(const float *__restrict__ a, int games, int n, int m, float *__restrict__ regret,
              float *__restrict__ play, float *__restrict__ value, double *__restrict__ sum, int first, int iterations) {
    constexpr int STEPS = log2_of(SIDE), OWN = TILE / SIDE, LANES = SIDE * SIDE;
    const int lane = threadIdx.x % WARP, column = lane % SIDE, row = lane / SIDE % SIDE;
    const int wanted = (blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    const bool mine = wanted < games;
    const size_t game = mine ? wanted : games - 1;  // lanes to spare repeat a game: all must take part in the sums
    const int order_x = order_of<TILE, 1, STEPS>(lane), order_y = order_of<TILE, SIDE, STEPS>(lane);
    const int first_x = row * TILE, first_y = column * TILE;
    a += game * n * m;
    regret += game * (n + m);
    play += game * (n + m);
    sum += game * (n + m);

    float payoff[TILE][TILE], x[TILE], y[TILE], regret_x[OWN], regret_y[OWN], sum_x[OWN], sum_y[OWN];
    float norm = 0.0f, now = value[game];
#pragma unroll
    for (int i = 0; i < TILE; ++i) {
#pragma unroll
        for (int j = 0; j < TILE; ++j) {
            const int r = first_x + (i ^ order_x), c = first_y + (j ^ order_y);
            payoff[i][j] = r < n && c < m ? a[r * m + c] : 0.0f;
        }
    }
#pragma unroll
    for (int k = 0; k < OWN; ++k) {
        const int r = first_x + (k ^ order_x), c = first_y + (k ^ order_y);
        regret_x[k] = r < n ? regret[r] : 0.0f;
        regret_y[k] = c < m ? regret[n + c] : 0.0f;
        x[k] = r < n ? play[r] : 0.0f;
        y[k] = c < m ? play[n + c] : 0.0f;
        sum_x[k] = sum_y[k] = 0.0f;
        norm += y[k];
    }
    float inverse_y = reciprocal(sum_over<LANES>(norm));
    for (int t = first; t < first + iterations; ++t) {
        float raw[TILE];
        gather<TILE, SIDE, STEPS>(y);
#pragma unroll
        for (int i = 0; i < TILE; ++i) {
            raw[i] = 0.0f;
#pragma unroll
            for (int j = 0; j < TILE; ++j) raw[i] += payoff[i][j] * y[j];
        }
        share_sums<TILE, 1, STEPS>(raw);
        float norm_x = 0.0f, dot_x = 0.0f;
#pragma unroll
        for (int k = 0; k < OWN; ++k) {
            x[k] = next_play<PREDICTIVE>(regret_x[k], raw[k] * inverse_y - now);
            if (first_x + (k ^ order_x) >= n) x[k] = 0.0f;
            norm_x += x[k];
            dot_x += x[k] * raw[k];
        }
        norm_x = sum_over<LANES>(norm_x);
        dot_x = sum_over<LANES>(dot_x);
        gather<TILE, 1, STEPS>(x);
#pragma unroll
        for (int j = 0; j < TILE; ++j) {
            raw[j] = 0.0f;
#pragma unroll
            for (int i = 0; i < TILE; ++i) raw[j] += payoff[i][j] * x[i];
        }
        share_sums<TILE, SIDE, STEPS>(raw);
        const float inverse_x = reciprocal(norm_x);
        now = dot_x * inverse_y * inverse_x;
        float norm_y = 0.0f, dot_y = 0.0f;
#pragma unroll
        for (int k = 0; k < OWN; ++k) {
            y[k] = next_play<PREDICTIVE>(regret_y[k], now - raw[k] * inverse_x);
            if (first_y + (k ^ order_y) >= m) y[k] = 0.0f;
            norm_y += y[k];
            dot_y += y[k] * raw[k];
        }
        inverse_y = reciprocal(sum_over<LANES>(norm_y));
        now = sum_over<LANES>(dot_y) * inverse_x * inverse_y;
        const float weight = weight_of<PREDICTIVE>(t), weight_x = weight * inverse_x, weight_y = weight * inverse_y;
#pragma unroll
        for (int k = 0; k < OWN; ++k) {
            sum_x[k] += weight_x * x[k];
            sum_y[k] += weight_y * y[k];
        }
        if ((t - first) % FLUSH == FLUSH - 1 || t == first + iterations - 1) {
#pragma unroll
            for (int k = 0; k < OWN; ++k) {
                const int r = first_x + (k ^ order_x), c = first_y + (k ^ order_y);
                if (mine && r < n) sum[r] += static_cast<double>(sum_x[k]);
                if (mine && c < m) sum[n + c] += static_cast<double>(sum_y[k]);
                sum_x[k] = sum_y[k] = 0.0f;
            }
        }
    }
    if (!mine) return;
#pragma unroll
    for (int k = 0; k < OWN; ++k) {
        const int r = first_x + (k ^ order_x), c = first_y + (k ^ order_y);
        if (r < n) regret[r] = regret_x[k], play[r] = x[k];
        if (c < m) regret[n + c] = regret_y[k], play[n + c] = y[k];
    }
    if (row == 0 && column == 0) value[game] = now;
}

// SIDE x SIDE threads a game (SIDE 8 or 16), a block a game. The threads of a row of tiles are in one warp, so sums over
// columns stay inside it; those over rows go through `part`. Each thread has the regret of one row (two threads hold the
// same one at SIDE 16: only the first counts), the first 8 SIDE threads that of one column. `memory` has 8 SIDE floats for
// each warp, 8 SIDE for player 2's strategy, and 4 a warp for norms and values. ----------------------------------------

struct Totals {
    float norm, dot;
};

template <int WARPS>
__device__ __forceinline__ Totals total_of(const float *parts) {
    Totals all = {0.0f, 0.0f};
#pragma unroll
    for (int k = 0; k < WARPS; ++k) {
        all.norm += parts[2 * k];
        all.dot += parts[2 * k + 1];
    }
    return all;
}

__device__ __forceinline__ void tell_total(float *parts, int warp, int lane, float norm, float dot) {
    norm = sum_over<WARP>(norm);
    dot = sum_over<WARP>(dot);
    if (lane == 0) parts[2 * warp] = norm, parts[2 * warp + 1] = dot;
}

template <int SIDE, bool PREDICTIVE>
__global__ void __launch_bounds__(SIDE * SIDE, SIDE == 8 ? 6 : 2)
rm_plus_block(const float *__restrict__ a, int games, int n, int m, float *__restrict__ regret,
              float *__restrict__ play, float *__restrict__ value, double *__restrict__ sum, int first, int iterations) {
    constexpr int WARPS = SIDE * SIDE / WARP, LENGTH = SIDE * TILE, DOWN = WARP / SIDE, OWN = TILE / DOWN;
    constexpr int STEPS = log2_of(DOWN);
    SHARED_BYTES(memory);
    float *const part = reinterpret_cast<float *>(memory), *const shared_y = part + WARPS * LENGTH;
    float *const total_x = shared_y + LENGTH, *const total_y = total_x + 2 * WARPS;
    const int thread = threadIdx.x, lane = thread % WARP, warp = thread / WARP;
    const int column = thread % SIDE, row = thread / SIDE;
    const size_t game = blockIdx.x;
    if (game >= static_cast<size_t>(games)) return;
    const int order_x = order_of<TILE, 1, 3>(lane), order_y = order_of<TILE, SIDE, STEPS>(lane);
    const int my_x = row * TILE + order_x, first_y = column * TILE;
    const bool real_x = my_x < n, counts = column < TILE, real_y = thread < m;
    a += game * n * m;
    regret += game * (n + m);
    play += game * (n + m);
    sum += game * (n + m);

    float payoff[TILE][TILE], x[TILE], y[TILE];
#pragma unroll
    for (int i = 0; i < TILE; ++i) {
#pragma unroll
        for (int j = 0; j < TILE; ++j) {
            const int r = row * TILE + (i ^ order_x), c = first_y + (j ^ order_y);
            payoff[i][j] = r < n && c < m ? a[r * m + c] : 0.0f;
        }
    }
    float regret_x = real_x ? regret[my_x] : 0.0f, regret_y = real_y ? regret[n + thread] : 0.0f;
    float my_y = real_y ? play[n + thread] : 0.0f, sum_x = 0.0f, sum_y = 0.0f, now = value[game];
    x[0] = real_x ? play[my_x] : 0.0f;
    if (thread < LENGTH) {
        shared_y[thread] = my_y;
        tell_total(total_y, warp, lane, my_y, 0.0f);
    }
    __syncthreads();
    float inverse_y = reciprocal(total_of<LENGTH / WARP>(total_y).norm);
    for (int t = first; t < first + iterations; ++t) {
        const float weight = weight_of<PREDICTIVE>(t);
        float raw[TILE];
        // 1. Player 1: payoffs of the rows, then regrets, then strategy.
#pragma unroll
        for (int j = 0; j < TILE; ++j) y[j] = shared_y[first_y + (j ^ order_y)];
#pragma unroll
        for (int i = 0; i < TILE; ++i) {
            raw[i] = 0.0f;
#pragma unroll
            for (int j = 0; j < TILE; ++j) raw[i] += payoff[i][j] * y[j];
        }
        share_sums<TILE, 1, 3>(raw);
        if (SIDE == 16) raw[0] += __shfl_xor_sync(ALL_LANES, raw[0], TILE);
        x[0] = real_x ? next_play<PREDICTIVE>(regret_x, raw[0] * inverse_y - now) : 0.0f;
        tell_total(total_x, warp, lane, counts ? x[0] : 0.0f, counts ? x[0] * raw[0] : 0.0f);
        const float own_x = x[0];
        gather<TILE, 1, 3>(x);
        // 2. What the columns cost, first within each warp.
#pragma unroll
        for (int j = 0; j < TILE; ++j) {
            raw[j] = 0.0f;
#pragma unroll
            for (int i = 0; i < TILE; ++i) raw[j] += payoff[i][j] * x[i];
        }
        share_sums<TILE, SIDE, STEPS>(raw);
#pragma unroll
        for (int k = 0; k < OWN; ++k) part[warp * LENGTH + first_y + (k ^ order_y)] = raw[k];
        __syncthreads();
        const Totals all_x = total_of<WARPS>(total_x);
        const float inverse_x = reciprocal(all_x.norm);
        now = all_x.dot * inverse_y * inverse_x;
        sum_x += weight * inverse_x * own_x;
        // 3. Player 2.
        if (thread < LENGTH) {
            float cost = 0.0f;
#pragma unroll
            for (int k = 0; k < WARPS; ++k) cost += part[k * LENGTH + thread];
            my_y = real_y ? next_play<PREDICTIVE>(regret_y, now - cost * inverse_x) : 0.0f;
            shared_y[thread] = my_y;
            tell_total(total_y, warp, lane, my_y, my_y * cost);
        }
        __syncthreads();
        const Totals all_y = total_of<LENGTH / WARP>(total_y);
        inverse_y = reciprocal(all_y.norm);
        now = all_y.dot * inverse_x * inverse_y;
        sum_y += weight * inverse_y * my_y;
        if ((t - first) % FLUSH == FLUSH - 1 || t == first + iterations - 1) {
            if (real_x && counts) sum[my_x] += static_cast<double>(sum_x);
            if (real_y) sum[n + thread] += static_cast<double>(sum_y);
            sum_x = sum_y = 0.0f;
        }
    }
    if (real_x && counts) regret[my_x] = regret_x, play[my_x] = x[0];
    if (real_y) regret[n + thread] = regret_y, play[n + thread] = my_y;
    if (thread == 0) value[game] = now;
}
