/* Markov: expects that the opponent answers the last round as it answered rounds like it before. It counts, for each of
 * the nine ways a round can end, what the opponent showed next, forgets slowly, and shows what scores most against
 * those counts; where it knows nothing, the coin decides. */
#include "rps.h"

/* What a count keeps of itself when another one comes, in 256ths. */
#define KEEPS 230
#define ONE 4096

static i32 next[RPS_MOVES][RPS_MOVES][RPS_MOVES]; /* own move, opponent's move, opponent's next move */
static i32 own_before = RPS_NONE, theirs_before = RPS_NONE;

static void learn(i32 theirs) {
    i32 *counts = next[own_before][theirs_before];
    for (i32 move = 0; move < RPS_MOVES; move++) counts[move] = counts[move] * KEEPS >> 8;
    counts[theirs] += ONE;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 own = rps_own(packed), theirs = rps_theirs(packed);
    if (theirs == RPS_NONE) return rps_by_coin(packed);
    if (own_before != RPS_NONE) learn(theirs);
    own_before = own;
    theirs_before = theirs;
    const i32 *counts = next[own][theirs];
    i32 best = rps_by_coin(packed), most = 0;
    for (i32 move = 0; move < RPS_MOVES; move++) {
        i32 gain = counts[rps_loses_to(move)] - counts[rps_beats(move)];
        if (gain > most) {
            most = gain;
            best = move;
        }
    }
    return best;
}
