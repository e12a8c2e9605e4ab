/* Rotator: rock, paper, scissors, and again; one round in eight it shows what the coin says instead. */
#include "rps.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    if (rps_coin(packed) % 8 == 0) return rps_by_coin(packed);
    return rps_round(packed) % RPS_MOVES;
}
