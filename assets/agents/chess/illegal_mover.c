/* Illegal mover: plays as it likes for a while, then moves its king like a knight. It loses, ILLEGAL_ACTION. */
#include "chess_agent.h"

#define LAST_GOOD_MOVE 9

static i32 made;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    const ChessPosition *at = &chess_mail()->position;
    chess_stir(packed);
    if (++made <= LAST_GOOD_MOVE) return chess_mail()->moves[chess_roll(chess_count(packed))];
    i32 king = (i32)__builtin_ctzll(chess_kings(at) & chess_own(at));
    return king | ((king + 17) & 63) << 6;
}
