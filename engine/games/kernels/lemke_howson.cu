// One equilibrium of each bimatrix game by Lemke and Howson's pivoting, a block a game, both tableaux in shared memory.
//
// The same steps on the same condensed tableaux as engine/games/solvers/lemke_howson_tableau.py, with its lexicographic
// rule; compiled without fused multiply-adds (-fmad=false), so that every digit is the same, too.
#include "common.cuh"

constexpr double PIVOT = 1e-10;  // smaller entries count as zero
constexpr double TIE = 1e-13;    // ratios that differ by less are equal
constexpr double INFINITE = 1e300;

// `t` (rows, columns + 1), right-hand side last; labels of its rows and columns; `place` of a label: its column, or
// -1 - row. The labels of the slacks begin at `slacks`.
struct Tableau {
    double *t;
    int *basic, *free, *place;
    int rows, columns, slacks;
};

template <int THREADS>
__device__ __forceinline__ void wait_for_all() {
    if (THREADS == WARP) {
        __syncwarp();
    } else {
        __syncthreads();
    }
}

// Called by one whole warp; rows lie lane, lane + 32, ... Returns the row that leaves, -1 when none bounds the column.
__device__ __forceinline__ int leaving_row(const Tableau &tab, int column, int lane) {
    const int width = tab.columns + 1;
    double best = INFINITE;
    for (int i = lane; i < tab.rows; i += WARP) {
        const double entry = tab.t[i * width + column];
        if (entry > PIVOT) best = fmin(best, tab.t[i * width + tab.columns] / entry);
    }
    best = least_over_warp(best);
    unsigned tied = 0;  // a bit for each row of this lane
    for (int i = lane, bit = 0; i < tab.rows; i += WARP, ++bit) {
        const double entry = tab.t[i * width + column];
        if (entry > PIVOT && tab.t[i * width + tab.columns] / entry <= best + TIE) tied |= 1u << bit;
    }
    int count = sum_over<WARP>(__popc(tied));
    for (int slack = tab.slacks; slack < tab.slacks + tab.rows && count > 1; ++slack) {
        const int at = tab.place[slack];
        if (at == column) continue;
        if (at < 0) {  // a basic slack has a unit column, in which its own row is the greatest
            const int row = -1 - at;
            if (row % WARP == lane) tied &= ~(1u << (row / WARP));
        } else {
            best = INFINITE;
            for (int i = lane, bit = 0; i < tab.rows; i += WARP, ++bit) {
                if (tied >> bit & 1u) best = fmin(best, tab.t[i * width + at] / tab.t[i * width + column]);
            }
            best = least_over_warp(best);
            for (int i = lane, bit = 0; i < tab.rows; i += WARP, ++bit) {
                if ((tied >> bit & 1u) && !(tab.t[i * width + at] / tab.t[i * width + column] <= best + TIE)) {
                    tied &= ~(1u << bit);
                }
            }
        }
        count = sum_over<WARP>(__popc(tied));
    }
    const int mine = tied ? lane + WARP * (__ffs(tied) - 1) : tab.rows;
    const int row = least_over_warp(mine);
    return row < tab.rows ? row : -1;
}

// Lets `entering` into the basis; returns the label that leaves, -1 when none does. `line` and `factor` are scratch.
// Ends without waiting: the next exchange is in the other tableau, and waits before it touches what is shared.
template <int THREADS>
__device__ __forceinline__ int exchange(const Tableau &tab, int entering, double *line, double *factor, int *chosen) {
    const int thread = threadIdx.x, width = tab.columns + 1, column = tab.place[entering];
    if (thread < WARP) {
        const int row = leaving_row(tab, column, thread);
        if (thread == 0) *chosen = row;
    }
    wait_for_all<THREADS>();
    const int row = *chosen;
    if (row < 0) return -1;
    const int leaving = tab.basic[row];
    const double inverse = 1.0 / tab.t[row * width + column];
    for (int j = thread; j < width; j += THREADS) line[j] = (j == column ? 1.0 : tab.t[row * width + j]) * inverse;
    for (int i = thread; i < tab.rows; i += THREADS) factor[i] = tab.t[i * width + column];
    wait_for_all<THREADS>();
    for (int k = thread; k < tab.rows * width; k += THREADS) {
        const int i = k / width, j = k - i * width;
        const double before = j == column ? 0.0 : tab.t[k];
        tab.t[k] = i == row ? line[j] : before - factor[i] * line[j];
    }
    if (thread == 0) {
        tab.basic[row] = entering;
        tab.free[column] = leaving;
        tab.place[entering] = -1 - row;
        tab.place[leaving] = column;
    }
    return leaving;
}

// Member by member, so that it stays in registers.
__device__ __forceinline__ Tableau pick(bool first, const Tableau &one, const Tableau &other) {
    return {first ? one.t : other.t,         first ? one.basic : other.basic, first ? one.free : other.free,
            first ? one.place : other.place, first ? one.rows : other.rows,   first ? one.columns : other.columns,
            first ? one.slacks : other.slacks};
}

// Fills in the payoffs, (n, m) in memory; `turned`: the tableau's rows are their columns. The basis is all slacks.
template <int THREADS>
__device__ __forceinline__ void fill(const Tableau &tab, const double *payoffs, int m, bool turned, int structurals) {
    const int thread = threadIdx.x, width = tab.columns + 1;
    for (int k = thread; k < tab.rows * width; k += THREADS) {
        const int i = k / width, j = k - i * width;
        tab.t[k] = j == tab.columns ? 1.0 : turned ? payoffs[j * m + i] : payoffs[i * m + j];
    }
    for (int i = thread; i < tab.rows; i += THREADS) tab.basic[i] = tab.slacks + i, tab.place[tab.slacks + i] = -1 - i;
    for (int j = thread; j < tab.columns; j += THREADS) tab.free[j] = structurals + j, tab.place[structurals + j] = j;
}

// `a` and `b` (games, n, m), payoffs in [1, 2]. The labels `label`, `label + 1`, ... are dropped, `attempts` of them,
// until a path ends within `cap` pivots. `x` (games, n) and `y` (games, m) get the values at its end, not normalised;
// `pivots` (games,) all pivots, negative where no path ended.
template <int THREADS>
__global__ void __launch_bounds__(THREADS, THREADS == WARP ? 16 : 4)
lemke_howson(const double *__restrict__ a, const double *__restrict__ b, int games, int n, int m, int label,
             int attempts, int cap, double *__restrict__ x, double *__restrict__ y, int *__restrict__ pivots) {
    SHARED_BYTES(memory);
    const int thread = threadIdx.x, labels = n + m;
    const size_t game = blockIdx.x;
    if (game >= static_cast<size_t>(games)) return;
    double *const first_t = reinterpret_cast<double *>(memory), *const second_t = first_t + m * (n + 1);
    double *const line = second_t + n * (m + 1), *const factor = line + labels + 1;
    int *const ints = reinterpret_cast<int *>(factor + labels);
    const Tableau first = {first_t, ints, ints + m, ints + labels, m, n, n};
    const Tableau second = {second_t, ints + 2 * labels, ints + 2 * labels + n, ints + 3 * labels, n, m, 0};
    int *const chosen = ints + 4 * labels;
    a += game * n * m;
    b += game * n * m;
    int total = 0;
    bool ended = false;
    for (int attempt = 0; attempt < attempts && !ended; ++attempt) {
        const int dropped = (label + attempt) % labels;
        fill<THREADS>(first, b, m, true, 0);
        fill<THREADS>(second, a, m, false, n);
        wait_for_all<THREADS>();
        int entering = dropped;
        bool in_first = dropped < n;
        for (int count = 0; count < cap && !ended; ++count) {
            const Tableau current = pick(in_first, first, second);
            const int leaving = exchange<THREADS>(current, entering, line, factor, chosen);
            if (leaving < 0) break;
            ++total;
            ended = leaving == dropped;
            entering = leaving;
            in_first = !in_first;
        }
        wait_for_all<THREADS>();
    }
    for (int i = thread; i < n; i += THREADS) {
        const int at = first.place[i];
        x[game * n + i] = ended && at < 0 ? fmax(first_t[(-1 - at) * (n + 1) + n], 0.0) : 0.0;
    }
    for (int j = thread; j < m; j += THREADS) {
        const int at = second.place[n + j];
        y[game * m + j] = ended && at < 0 ? fmax(second_t[(-1 - at) * (m + 1) + m], 0.0) : 0.0;
    }
    if (thread == 0) pivots[game] = ended ? total : -total - 1;
}
