/* Majority: counts the symbols and predicts the most frequent one. */
#include "sequence.h"

static i32 count[SEQUENCE_ALPHABET];

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 best = 0;
    if (sequence_seen(packed) > 0) count[sequence_symbol(packed, 0)]++;
    for (i32 symbol = 1; symbol < SEQUENCE_ALPHABET; symbol++)
        if (count[symbol] > count[best]) best = symbol;
    return best;
}
