/* Metronome: looks for the lag of 1 to 24 symbols at which the sequence most often repeated itself, and repeats. */
#include "sequence.h"

#define LAGS 24

/* For each lag how often it was right, old successes fading. */
static double success[LAGS];
static i64 before;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 seen = sequence_seen(packed), best = 0;
    for (i32 lag = 0; lag < LAGS && lag < seen - 1; lag++)
        success[lag] = 0.98 * success[lag] + (sequence_symbol(before, lag) == sequence_symbol(packed, 0));
    for (i32 lag = 1; lag < LAGS; lag++)
        if (success[lag] > success[best]) best = lag;
    before = packed;
    return sequence_symbol(packed, best);
}
