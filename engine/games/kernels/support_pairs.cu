// All equilibria with supports of equal size of small bimatrix games: a thread a pair of supports of K actions each.
//
// Equal sizes are all there are in nondegenerate games: Porter, Nudelman and Shoham (2008), "Simple search methods for
// finding a Nash equilibrium". Each thread solves two linear systems in registers: the strategy of player 2 that makes
// player 1's support indifferent, and the other way round. What is too close to call (a singular system, a probability
// or a gain of about zero) is handed out as unsure, for an exact method.
#include "common.cuh"

constexpr double CLOSE = 1e-9;      // of payoffs in [1, 2], and of probabilities
constexpr double SINGULAR = 1e-10;  // a pivot that is smaller is none
constexpr int WRONG = 0, UNSURE = 1, RIGHT = 2;

template <int K>
__device__ __forceinline__ void members(unsigned set, int (&list)[K]) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
        list[k] = __ffs(set) - 1;
        set &= set - 1;
    }
}

// Gauss elimination with row pivoting; no register is chosen at run time. Returns whether there is one solution.
template <int K>
__device__ __forceinline__ bool solved(double (&s)[K][K + 1], double (&result)[K]) {
#pragma unroll
    for (int c = 0; c < K; ++c) {
        int at = c;
        double best = fabs(s[c][c]);
#pragma unroll
        for (int r = c + 1; r < K; ++r) {
            if (fabs(s[r][c]) > best) best = fabs(s[r][c]), at = r;
        }
        if (best < SINGULAR) return false;
#pragma unroll
        for (int r = c + 1; r < K; ++r) {
            const bool swap = r == at;
#pragma unroll
            for (int k = c; k <= K; ++k) {
                const double upper = s[c][k], lower = s[r][k];
                s[c][k] = swap ? lower : upper;
                s[r][k] = swap ? upper : lower;
            }
        }
        const double inverse = 1.0 / s[c][c];
#pragma unroll
        for (int r = c + 1; r < K; ++r) {
            const double factor = s[r][c] * inverse;
#pragma unroll
            for (int k = c + 1; k <= K; ++k) s[r][k] -= factor * s[c][k];
        }
    }
#pragma unroll
    for (int c = K - 1; c >= 0; --c) {
        double value = s[c][K];
#pragma unroll
        for (int k = c + 1; k < K; ++k) value -= s[c][k] * result[k];
        result[c] = value / s[c][c];
    }
    return true;
}

// The other player's strategy `other` on `theirs` that makes the support `mine` of the one whose payoffs these are
// indifferent and best. `rows` actions; the payoff of action r against c lies at r * down + c * across.
template <int K>
__device__ __forceinline__ int strategy_against(const double *payoff, int rows, int down, int across, unsigned mine,
                                                unsigned theirs, double (&other)[K]) {
    int row[K], column[K];
    members<K>(mine, row);
    members<K>(theirs, column);
    double s[K][K + 1];
#pragma unroll
    for (int c = 0; c < K; ++c) {
        const double first = payoff[row[0] * down + column[c] * across];
        s[0][c] = 1.0;
#pragma unroll
        for (int r = 1; r < K; ++r) s[r][c] = payoff[row[r] * down + column[c] * across] - first;
    }
#pragma unroll
    for (int r = 0; r < K; ++r) s[r][K] = r == 0 ? 1.0 : 0.0;
    if (!solved<K>(s, other)) return UNSURE;
    int verdict = RIGHT;
#pragma unroll
    for (int c = 0; c < K; ++c) {
        if (other[c] < -CLOSE) return WRONG;
        if (other[c] <= CLOSE) verdict = UNSURE;
    }
    double value = 0.0;
#pragma unroll
    for (int c = 0; c < K; ++c) value += payoff[row[0] * down + column[c] * across] * other[c];
    for (int r = 0; r < rows; ++r) {
        if (mine >> r & 1u) continue;
        double gain = -value;
#pragma unroll
        for (int c = 0; c < K; ++c) gain += payoff[r * down + column[c] * across] * other[c];
        if (gain > CLOSE) return WRONG;
        if (gain >= -CLOSE) verdict = UNSURE;
    }
    return verdict;
}

// `a` and `b` (games, n, m), payoffs in [1, 2], n and m at most 32; the game is blockIdx.y. `row_sets` and `column_sets`
// hold all sets of K actions as bits. Every pair that is right gets a place in the lists, while there is `room`: `found`
// (room, 3) the game and both sets, `x` (room, n), `y` (room, m). `count` ends as the number of right ones, `unsure`
// (games,) as the number of unsure ones. `memory`: 2 n m doubles.
template <int K>
__global__ void __launch_bounds__(128, K <= 4 ? 5 : 2)
support_pairs(const double *__restrict__ a, const double *__restrict__ b, int n, int m,
              const unsigned *__restrict__ row_sets, int rows, const unsigned *__restrict__ column_sets, int columns,
              int room, int *__restrict__ count, int *__restrict__ unsure, unsigned *__restrict__ found,
              double *__restrict__ x, double *__restrict__ y) {
    SHARED_BYTES(memory);
    double *const ours = reinterpret_cast<double *>(memory), *const theirs = ours + n * m;
    const size_t game = blockIdx.y;
    for (int k = threadIdx.x; k < n * m; k += blockDim.x) {
        ours[k] = a[game * n * m + k];
        theirs[k] = b[game * n * m + k];
    }
    __syncthreads();
    const int pair = blockIdx.x * blockDim.x + threadIdx.x;
    if (pair >= rows * columns) return;
    const unsigned set_x = row_sets[pair / columns], set_y = column_sets[pair % columns];
    double play_x[K], play_y[K];
    const int first = strategy_against<K>(ours, n, m, 1, set_x, set_y, play_y);
    if (first == WRONG) return;
    const int second = strategy_against<K>(theirs, m, 1, m, set_y, set_x, play_x);
    if (second == WRONG) return;
    if (first == UNSURE || second == UNSURE) {
        atomicAdd(&unsure[game], 1);
        return;
    }
    const int place = atomicAdd(count, 1);
    if (place >= room) return;
    found[3 * place] = static_cast<unsigned>(game);
    found[3 * place + 1] = set_x;
    found[3 * place + 2] = set_y;
    int list[K];
    members<K>(set_x, list);
#pragma unroll
    for (int k = 0; k < K; ++k) x[static_cast<size_t>(place) * n + list[k]] = play_x[k];
    members<K>(set_y, list);
#pragma unroll
    for (int k = 0; k < K; ++k) y[static_cast<size_t>(place) * m + list[k]] = play_y[k];
}
