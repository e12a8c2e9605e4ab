/* Smotherer: leaves the opponent as few answers as it can. None and in check is mate; none without check is a draw, the
 * last thing it wants. It looks one ply ahead and takes no thought for its pieces. */
#include "chess_agent.h"
#include "chess_moves.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static ChessPosition after;
    static u16 answers[CHESS_MOVES];
    const ChessMail *seen = chess_mail();
    ChessBest best = {0, 0, 0};
    chess_stir(packed);
    for (i32 i = 0; i < chess_count(packed); i++) {
        u32 move = seen->moves[i];
        after = seen->position;
        chess_play(&after, move);
        i32 count = chess_generate(&after, answers);
        chess_consider(&best, move, count || after.check ? -count : -CHESS_MOVES);
    }
    return best.move;
}
