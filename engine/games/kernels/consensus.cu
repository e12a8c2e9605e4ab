// Best responses in batches of consensus games: a block a game, all sweeps in one launch, positions in shared memory.
#include "common.cuh"

// Agent i of a game bears c_i |x_i - p_i|^2 + sum_j w_ij |x_i - x_j|^2; its best response is the weighted mean of its ideal
// point and the others' positions. One that minds nothing stays. All agents move at once, `sweeps` times.
// `points` and `positions` (games, n, d), `confidence` (games, n), `influence` (games, n, n); `moved` (games,) gets the
// largest step of a coordinate in the last sweep. `memory`: 2 n d + n doubles, and one for each warp.
__global__ void nash_equilibrium_kernel(const double *__restrict__ points, const double *__restrict__ confidence,
                                        const double *__restrict__ influence, int n, int d, int sweeps,
                                        double *__restrict__ positions, double *__restrict__ moved) {
    SHARED_BYTES(memory);
    double *now = reinterpret_cast<double *>(memory), *next = now + n * d;
    double *const weight = next + n * d, *const largest = weight + n;
    const int thread = threadIdx.x, threads = blockDim.x, lane = thread % WARP;
    const size_t game = blockIdx.x;
    points += game * n * d;
    positions += game * n * d;
    confidence += game * n;
    influence += game * n * n;
    for (int k = thread; k < n * d; k += threads) now[k] = positions[k];
    for (int i = thread; i < n; i += threads) {
        double sum = confidence[i];
        for (int j = 0; j < n; ++j) sum += influence[i * n + j];
        weight[i] = sum;
    }
    double step = 0.0;
    for (int sweep = 0; sweep < sweeps; ++sweep) {
        __syncthreads();
        step = 0.0;
        for (int k = thread; k < n * d; k += threads) {
            const int i = k / d, axis = k - i * d;
            double pull = confidence[i] * points[k];
            for (int j = 0; j < n; ++j) pull += influence[i * n + j] * now[j * d + axis];
            next[k] = weight[i] > 0.0 ? pull / weight[i] : now[k];
            step = fmax(step, fabs(next[k] - now[k]));
        }
        double *const before = now;
        now = next;
        next = before;
    }
    step = most_over_warp(step);
    if (lane == 0) largest[thread / WARP] = step;
    __syncthreads();
    for (int k = thread; k < n * d; k += threads) positions[k] = now[k];
    if (thread == 0) {
        for (int w = 1; w < threads / WARP; ++w) step = fmax(step, largest[w]);
        moved[game] = step;
    }
}
