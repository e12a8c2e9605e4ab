// What the kernels share. Read by NVRTC and nvcc, and in the tests by a plain C++ compiler with an emulated block.
#ifndef NASHBOARD_COMMON_CUH
#define NASHBOARD_COMMON_CUH

#ifndef SHARED_BYTES  // the emulation hands out memory of its own
#define SHARED_BYTES(name) extern __shared__ __align__(16) unsigned char name[]
#endif

[[maybe_unused]] constexpr unsigned ALL_LANES = 0xffffffffu;
[[maybe_unused]] constexpr int WARP = 32;

__host__ __device__ constexpr int log2_of(int power) { return power <= 1 ? 0 : 1 + log2_of(power / 2); }

// Sums over lanes ------------------------------------------------------------------------------------------------

// Every lane of a group of LANES gets the sum.
template <int LANES, class Number>
__device__ __forceinline__ Number sum_over(Number value) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

template <class Number>
__device__ __forceinline__ Number most_over_warp(Number value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const Number other = __shfl_xor_sync(ALL_LANES, value, distance);
        value = other > value ? other : value;
    }
    return value;
}

template <class Number>
__device__ __forceinline__ Number least_over_warp(Number value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const Number other = __shfl_xor_sync(ALL_LANES, value, distance);
        value = other < value ? other : value;
    }
    return value;
}

// COUNT sums over 2^STEPS lanes that are STRIDE apart, shared out: each lane ends with COUNT >> STEPS of them, in the
// front of `values`. At every step a lane keeps the first half of what it has and hands the second half to its partner.
// For both to mean the same sums, each lane holds its values in an order of its own: the one at k belongs to the sum
// k ^ order_of<COUNT, STRIDE, STEPS>(lane). So no register is chosen at run time, and no value is selected.
template <int COUNT, int STRIDE, int STEPS>
__device__ __forceinline__ int order_of(int lane) {
    int order = 0;
#pragma unroll
    for (int step = 0; step < STEPS; ++step) order ^= (lane & (STRIDE << step)) ? COUNT >> (step + 1) : 0;
    return order;
}

template <int COUNT, int STRIDE, int STEPS>
__device__ __forceinline__ void share_sums(float (&values)[COUNT]) {
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int k = 0; k < COUNT >> (step + 1); ++k) {
            values[k] += __shfl_xor_sync(ALL_LANES, values[k + (COUNT >> (step + 1))], STRIDE << step);
        }
    }
}

// The way back: what each lane has in the front of `values` goes to all, in the order that each lane uses.
template <int COUNT, int STRIDE, int STEPS>
__device__ __forceinline__ void gather(float (&values)[COUNT]) {
#pragma unroll
    for (int step = STEPS - 1; step >= 0; --step) {
#pragma unroll
        for (int k = 0; k < COUNT >> (step + 1); ++k) {
            values[k + (COUNT >> (step + 1))] = __shfl_xor_sync(ALL_LANES, values[k], STRIDE << step);
        }
    }
}

#endif
