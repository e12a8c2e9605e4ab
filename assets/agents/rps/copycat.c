/* Copycat: shows what the opponent showed in the round before, and begins by the coin. */
#include "rps.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 theirs = rps_theirs(packed);
    return theirs == RPS_NONE ? rps_by_coin(packed) : theirs;
}
