/* Markov: counts what followed the last two symbols and predicts what followed most often. */
#include "sequence.h"

static i32 count[16][SEQUENCE_ALPHABET];

NETS_EXPORT(decide) i64 decide(i64 packed) {
    if (sequence_seen(packed) > 2) count[packed >> 2 & 15][sequence_symbol(packed, 0)]++;
    const i32 *followed = count[packed & 15];
    i32 best = 0;
    for (i32 symbol = 1; symbol < SEQUENCE_ALPHABET; symbol++)
        if (followed[symbol] > followed[best]) best = symbol;
    return best;
}
