// Zero-sum games too large for one multiprocessor, by RM+ and PRM+: half an iteration a launch, bound by memory.
//
// One launch updates one player of every game: it reads that player's payoffs once, `a` (games, rows, stride), rows of
// `cols` numbers filled up with zeros to `stride`, a multiple of 128. Player 2 has its own copy, -A transposed, so that
// both read rows. Block (k, game) updates ROWS_A_BLOCK rows; all its threads first bring the other player's strategy into
// shared memory and learn its norm, and the value of the profile from `other_payoff`, the other player's payoffs against
// the strategy that is about to be replaced. The other's strategy is averaged on the way, since its norm is known here.
#include "rm_plus.cuh"

constexpr int LARGE_THREADS = 256;
constexpr int ROWS_A_WARP = 4;
constexpr int ROWS_A_BLOCK = ROWS_A_WARP * LARGE_THREADS / WARP;

__device__ __forceinline__ float dot4(float4 a, float4 b, float sum) {
    return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

template <bool PREDICTIVE>
__global__ void __launch_bounds__(LARGE_THREADS)
rm_plus_half(const float *__restrict__ a, int rows, int cols, int stride, float *__restrict__ regret,
             float *__restrict__ play, float *__restrict__ payoff, const float *__restrict__ other_play,
             const float *__restrict__ other_payoff, double *__restrict__ other_sum, float weight) {
    SHARED_BYTES(memory);
    float *const other = reinterpret_cast<float *>(memory), *const totals = other + stride;
    const int thread = threadIdx.x, lane = thread % WARP, warp = thread / WARP;
    const size_t game = blockIdx.y;
    a += game * rows * stride;
    regret += game * rows;
    play += game * rows;
    payoff += game * rows;
    other_play += game * cols;
    other_payoff += game * cols;
    other_sum += game * cols;

    // 1. The other player's strategy, its norm, and the value of the profile.
    float norm = 0.0f, dot = 0.0f;
    for (int j = thread; j < stride; j += LARGE_THREADS) {
        const float p = j < cols ? other_play[j] : 0.0f;
        other[j] = p;
        norm += p;
        dot += j < cols ? p * other_payoff[j] : 0.0f;
    }
    norm = sum_over<WARP>(norm);
    dot = sum_over<WARP>(dot);
    if (lane == 0) totals[2 * warp] = norm, totals[2 * warp + 1] = dot;
    __syncthreads();
    norm = dot = 0.0f;
#pragma unroll
    for (int k = 0; k < LARGE_THREADS / WARP; ++k) {
        norm += totals[2 * k];
        dot += totals[2 * k + 1];
    }
    const float inverse = reciprocal(norm), value = -dot * inverse;

    // 2. Its average; each block of the game takes its part.
    const int share = (cols + gridDim.x - 1) / gridDim.x, end = min(cols, share * (static_cast<int>(blockIdx.x) + 1));
    for (int j = share * blockIdx.x + thread; j < end; j += LARGE_THREADS) {
        other_sum[j] += static_cast<double>(weight) * inverse * other[j];
    }

    // 3. This player's payoffs, a warp a few rows at once; then regrets and strategy.
    const int top = blockIdx.x * ROWS_A_BLOCK + warp * ROWS_A_WARP;
    float raw[ROWS_A_WARP] = {};
    for (int j = lane * 4; j < stride; j += 4 * WARP) {
        const float4 theirs = *reinterpret_cast<const float4 *>(other + j);
#pragma unroll
        for (int k = 0; k < ROWS_A_WARP; ++k) {
            const int r = min(top + k, rows - 1);
            raw[k] = dot4(*reinterpret_cast<const float4 *>(a + static_cast<size_t>(r) * stride + j), theirs, raw[k]);
        }
    }
#pragma unroll
    for (int k = 0; k < ROWS_A_WARP; ++k) raw[k] = sum_over<WARP>(raw[k]) * inverse;
#pragma unroll
    for (int k = 0; k < ROWS_A_WARP; ++k) {
        if (lane == k && top + k < rows) {
            float sum = regret[top + k];
            play[top + k] = next_play<PREDICTIVE>(sum, raw[k] - value);
            regret[top + k] = sum;
            payoff[top + k] = raw[k];
        }
    }
}
