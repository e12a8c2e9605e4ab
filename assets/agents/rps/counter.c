/* Counter: beats what the opponent has shown most often so far; among equals it trusts the latest. Source of the idea:
 * fictitious play, Brown, "Iterative solution of games by fictitious play", 1951. */
#include "rps.h"

static i32 shown[RPS_MOVES];

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 theirs = rps_theirs(packed);
    if (theirs == RPS_NONE) return rps_by_coin(packed);
    shown[theirs]++;
    i32 most = theirs;
    for (i32 move = 0; move < RPS_MOVES; move++)
        if (shown[move] > shown[most]) most = move;
    return rps_beats(most);
}
