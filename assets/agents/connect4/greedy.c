/* Greedy: looks one stone ahead. It wins where it can, stops a win where it must, does not make room for one, and
 * otherwise plays as near to the middle as it can. */
#include "connect4.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static const u8 order[CONNECT4_WIDTH] = {3, 2, 4, 1, 5, 0, 6};
    Connect4 p = connect4_read(packed);
    u64 moves = connect4_moves(p.taken), theirs = connect4_threats(p.own ^ p.taken, p.taken);
    u64 good = moves & connect4_threats(p.own, p.taken);
    if (!good) good = moves & theirs;
    if (!good) good = moves & ~(theirs >> 1);
    if (!good) good = moves;
    for (i32 i = 0; i < CONNECT4_WIDTH; i++)
        if (good & CONNECT4_COLUMN(order[i])) return order[i];
    return 0;
}
