/* Greedy capturer: takes the most valuable piece that it can, or promotes, and never asks what comes back. When there is
 * nothing to win it plays anything. */
#include "chess_agent.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    const ChessMail *seen = chess_mail();
    ChessBest best = {0, 0, 0};
    chess_stir(packed);
    for (i32 i = 0; i < chess_count(packed); i++) {
        u32 move = seen->moves[i];
        chess_consider(&best, move, chess_gain(&seen->position, move));
    }
    return best.move;
}
