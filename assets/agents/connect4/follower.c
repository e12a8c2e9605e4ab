/* Follower: drops its stone upon the one that was dropped last. Who moves second gets all the even rows that way, which
 * is the rule "claimeven" of Allis, 1988. It departs from that only to win, to stop a win, or when the column is
 * full. */
#include "connect4.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    Connect4 p = connect4_read(packed);
    u64 moves = connect4_moves(p.taken);
    u64 wins = moves & connect4_threats(p.own, p.taken);
    if (!wins) wins = moves & connect4_threats(p.own ^ p.taken, p.taken);
    if (wins) return connect4_column(wins);
    i32 last = connect4_last(packed);
    if (last != CONNECT4_NONE && moves & CONNECT4_COLUMN(last)) return last;
    return connect4_column(moves);
}
