/* Scatter: drops its stones at random into columns that are not full. The generator is its own, stirred with what it
 * sees, so that every opening leads to another match. */
#include "connect4.h"

static u64 state = 0x9E3779B97F4A7C15ull;

/* splitmix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static u64 next_random(void) {
    u64 z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    state ^= (u64)packed;
    u64 moves = connect4_moves(connect4_read(packed).taken);
    u32 skip = (u32)((next_random() >> 32) * (u32)__builtin_popcountll(moves) >> 32);
    while (skip--) moves &= moves - 1;
    return connect4_column(moves);
}
