// Runs CUDA kernels on the processor, one block after the other: each thread of a block is a fiber, which gives way at
// barriers, shuffles and votes. So the very source that a GPU runs is executed in tests where there is none.
//
// Stricter than a GPU: a shuffle or vote needs all 32 lanes at the same kind of operation, a barrier all threads of the
// block, or the launch fails with a message. Shared memory begins as NaNs and is guarded behind its end. Fibers run in
// either order (`backwards`): where results differ, a barrier is missing.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__ static
#define __host__
#define __device__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define SHARED_BYTES(name) unsigned char *const name = emulator::shared

struct Dim3 {
    unsigned x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) double2 {
    double x, y;
};
static Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

enum State { READY, AT_WARP, AT_BARRIER, DONE };
constexpr int LANES = 32, MAX_THREADS = 1024, GUARD = 256, STACK = 128 * 1024;

struct Fiber {
    jmp_buf place;
    ucontext_t start;
    char *stack;
    bool begun;
    State state;
    int operation;       // kind of the warp operation it waits in
    unsigned done_ops;   // how many it passed: its parity chooses the slot
};

static Fiber fibers[MAX_THREADS];
static unsigned long long slots[2][MAX_THREADS];
static jmp_buf scheduler;
static int current, count;
static unsigned char *shared;
static char problem[200];
static void (*body)(void *);
static void *argument;

inline void give_way(State state) {
    fibers[current].state = state;
    if (!_setjmp(fibers[current].place)) _longjmp(scheduler, 1);
}

inline void run_fiber() {
    body(argument);
    fibers[current].state = DONE;
    _longjmp(scheduler, 1);
}

inline void resume(int index) {
    Fiber &fiber = fibers[index];
    current = index;
    threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y, index / (blockDim.x * blockDim.y)};
    if (_setjmp(scheduler)) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack;
    fiber.start.uc_stack.ss_size = STACK;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, run_fiber, 0);
    setcontext(&fiber.start);
}

// Every lane of the warp shows a value; returns where they lie.
template <class Number>
inline const unsigned long long *exchange(unsigned mask, Number value, int operation) {
    static_assert(sizeof(Number) <= 8, "a lane shows eight bytes at most");
    Fiber &fiber = fibers[current];
    if (mask != 0xffffffffu) snprintf(problem, sizeof problem, "a warp operation without all lanes: %08x", mask);
    unsigned long long *slot = slots[fiber.done_ops++ & 1];
    slot[current] = 0;
    memcpy(&slot[current], &value, sizeof value);
    fiber.operation = operation;
    give_way(AT_WARP);
    return slot + current / LANES * LANES;
}

template <class Number>
inline Number taken(const unsigned long long *slot, int lane) {
    Number value;
    memcpy(&value, &slot[lane & (LANES - 1)], sizeof value);
    return value;
}

// Returns whether the warp that begins at `first` may go on after a warp operation.
inline bool release_warp(int first) {
    int waiting = 0;
    for (int k = first; k < first + LANES && k < count; ++k) waiting += fibers[k].state == AT_WARP;
    if (waiting == 0) return false;
    for (int k = first; k < first + LANES; ++k) {
        if (k >= count || fibers[k].state != AT_WARP || fibers[k].operation != fibers[first].operation) {
            snprintf(problem, sizeof problem, "lane %d of the warp at thread %d is not at the same operation", k - first, first);
            return false;
        }
    }
    for (int k = first; k < first + LANES; ++k) fibers[k].state = READY;
    return true;
}

inline void run_block(bool backwards) {
    for (int k = 0; k < count; ++k) fibers[k].begun = false, fibers[k].state = READY, fibers[k].done_ops = 0;
    const int warps = (count + LANES - 1) / LANES;
    for (;;) {
        for (int w = 0; w < warps && !problem[0]; ++w) {
            const int first = (backwards ? warps - 1 - w : w) * LANES, size = count - first < LANES ? count - first : LANES;
            do {
                for (int k = 0; k < size; ++k) {
                    const int index = first + (backwards ? size - 1 - k : k);
                    if (fibers[index].state == READY) resume(index);
                }
            } while (!problem[0] && release_warp(first));
        }
        int waiting = 0, done = 0;
        for (int k = 0; k < count; ++k) waiting += fibers[k].state == AT_BARRIER, done += fibers[k].state == DONE;
        if (problem[0] || done == count) return;
        if (waiting != count) {
            snprintf(problem, sizeof problem, "%d of %d threads are at a barrier, %d have ended", waiting, count, done);
            return;
        }
        for (int k = 0; k < count; ++k) fibers[k].state = READY;
    }
}

inline const char *run(void (*kernel)(void *), void *arguments, const int *grid, const int *block, int shared_bytes, bool backwards) {
    problem[0] = 0;
    body = kernel, argument = arguments;
    gridDim = {(unsigned)grid[0], (unsigned)grid[1], (unsigned)grid[2]};
    blockDim = {(unsigned)block[0], (unsigned)block[1], (unsigned)block[2]};
    count = block[0] * block[1] * block[2];
    if (count > MAX_THREADS) return "too many threads in a block";
    for (int k = 0; k < count; ++k) {
        if (!fibers[k].stack) fibers[k].stack = static_cast<char *>(malloc(STACK));
    }
    shared = static_cast<unsigned char *>(aligned_alloc(256, (shared_bytes + 2 * GUARD) / 256 * 256 + 256));
    for (unsigned z = 0; z < gridDim.z; ++z)
        for (unsigned y = 0; y < gridDim.y; ++y)
            for (unsigned x = 0; x < gridDim.x && !problem[0]; ++x) {
                blockIdx = {x, y, z};
                memset(shared, 0xff, shared_bytes + GUARD);
                run_block(backwards);
                for (int k = 0; k < GUARD && !problem[0]; ++k) {
                    if (shared[shared_bytes + k] != 0xff) snprintf(problem, sizeof problem, "written behind shared memory");
                }
            }
    free(shared);
    return problem[0] ? problem : nullptr;
}

// Arguments come as the driver takes them: an array of pointers to the values.
template <int... I>
struct Numbers {};
template <int N, int... I>
struct CountTo : CountTo<N - 1, N - 1, I...> {};
template <int... I>
struct CountTo<0, I...> {
    using type = Numbers<I...>;
};

template <class... Arguments, int... I>
inline void call(void (*kernel)(Arguments...), void **values, Numbers<I...>) {
    kernel(*static_cast<Arguments *>(values[I])...);
}

template <class... Arguments>
inline void call(void (*kernel)(Arguments...), void *values) {
    call(kernel, static_cast<void **>(values), typename CountTo<sizeof...(Arguments)>::type());
}

struct Entry {
    const char *name;
    void (*run)(void *);
};

}  // namespace emulator

// What kernels call ------------------------------------------------------------------------------------------------

inline void __syncthreads() { emulator::give_way(emulator::AT_BARRIER); }
inline void __syncwarp() { emulator::exchange(0xffffffffu, 0, 1); }
template <class Number>
inline Number __shfl_xor_sync(unsigned mask, Number value, int distance) {
    const auto *slot = emulator::exchange(mask, value, 2);
    return emulator::taken<Number>(slot, (emulator::current ^ distance));
}
template <class Number>
inline Number __shfl_sync(unsigned mask, Number value, int lane) {
    return emulator::taken<Number>(emulator::exchange(mask, value, 3), lane);
}
inline unsigned __ballot_sync(unsigned mask, int vote) {
    const auto *slot = emulator::exchange(mask, vote, 4);
    unsigned votes = 0;
    for (int k = 0; k < emulator::LANES; ++k) votes |= (slot[k] ? 1u : 0u) << k;
    return votes;
}
inline int __any_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote) != 0; }
inline int __ffs(unsigned bits) { return __builtin_ffs(static_cast<int>(bits)); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float __fdividef(float a, float b) { return a / b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline int atomicAdd(int *place, int more) {
    const int before = *place;
    *place += more;
    return before;
}
inline int atomicMin(int *place, int other) {
    const int before = *place;
    *place = min(before, other);
    return before;
}
