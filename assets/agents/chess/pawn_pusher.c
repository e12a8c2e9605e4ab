/* Pawn pusher: pushes the pawn that is farthest, and makes a queen of it. It has no mailbox: from the 64 bits that
 * every agent gets it follows the whole game, on a board and with a move generator of its own.
 *
 *   1. The first time it sets up the opening that the packed observation names.
 *   2. It plays the opponent's last action on its board.
 *   3. It generates its moves, chooses, and plays the choice on its board.
 */
#include "chess_openings.h"

static ChessPosition board;
static i32 is_set_up;

static void set_up(i32 opening) {
    chess_start(&board);
    for (i32 ply = 0; opening; ply++) {
        u32 move = chess_opening_move(chess_openings[opening - 1], ply);
        if (!move) break;
        chess_play(&board, move);
    }
    is_set_up = 1;
}

/* Pawns first, the farther the better; a capture beats a push of the same pawn; pieces only when no pawn can move. */
static i32 liking(u32 move) {
    i32 from = chess_from(move), to = chess_to(move), takes = chess_taken(&board) >> to & 1;
    if (chess_piece(&board, from) != CHESS_PAWN) return takes;
    i32 rank = chess_rank(to);
    return 8 * (board.side ? 7 - rank : rank) + 4 * takes + chess_promotion(move);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static u16 moves[CHESS_MOVES];
    if (!is_set_up) set_up(chess_opening(packed));
    if (chess_last_action(packed)) chess_play(&board, chess_last_action(packed));
    i32 count = chess_generate(&board, moves);
    u32 best = moves[chess_decisions(packed) % count]; /* among pieces some variety, or the game stands still */
    for (i32 i = 0; i < count; i++)
        if (liking(moves[i]) > liking(best)) best = moves[i];
    chess_play(&board, best);
    return best;
}
