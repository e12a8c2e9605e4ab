// Regret matching+ as all layouts do it: the update of one action, and how iterations are weighed.
//
// RM+: Tammelin et al. (2015), "Solving heads-up limit Texas hold'em", alternating, averaged with weight t. PRM+:
// Farina, Kroer and Sandholm (2021), "Faster game solving via predictive Blackwell approachability", weight t^2.
//
// Strategies stay unnormalised: `play` with its sum S. Payoffs against such a strategy are "raw" until they are divided
// by S. With D the sum of play times raw payoff, D / (S of both) is the value of the game at that profile, which is just
// what the other player needs for its regrets next; so value and norm come from one reduction.
#ifndef NASHBOARD_RM_PLUS_CUH
#define NASHBOARD_RM_PLUS_CUH

#include "common.cuh"

// Regrets are cut here instead of at zero: no sum is ever zero, and a player without regrets plays uniformly.
constexpr float REGRET_FLOOR = 1e-30f;

__device__ __forceinline__ float reciprocal(float sum) { return __fdividef(1.0f, sum); }

// Returns what is played next, in proportion, from `gain`, the payoff of an action less the value of the profile.
template <bool PREDICTIVE>
__device__ __forceinline__ float next_play(float &regret, float gain) {
    regret = fmaxf(regret + gain, REGRET_FLOOR);
    return PREDICTIVE ? fmaxf(regret + gain, REGRET_FLOOR) : regret;
}

template <bool PREDICTIVE>
__device__ __forceinline__ float weight_of(int iteration) {
    const float t = static_cast<float>(iteration);
    return PREDICTIVE ? t * t : t;
}

#endif
