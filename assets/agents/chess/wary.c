/* Wary: takes what it can, but goes nowhere it can be taken for less than it won. It only minds the piece that moves;
 * what it leaves standing elsewhere may well hang. With nothing to win it draws nearer to the enemy king, pawns too. */
#include "chess_agent.h"
#include "chess_moves.h"

/* Whether the opponent attacks the square that a move goes to, once the piece has left its own. */
static i32 is_risky(const ChessPosition *at, u32 move) {
    u64 after = (chess_taken(at) & ~chess_bit(chess_from(move))) | chess_bit(chess_to(move));
    return chess_attacked(at, chess_to(move), after);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    const ChessMail *seen = chess_mail();
    const ChessPosition *at = &seen->position;
    i32 king = chess_enemy_king(at);
    ChessBest best = {0, 0, 0};
    chess_stir(packed);
    for (i32 i = 0; i < chess_count(packed); i++) {
        u32 move = seen->moves[i];
        i32 value = chess_gain(at, move), piece = chess_piece(at, chess_from(move));
        if (is_risky(at, move)) value -= chess_worth[piece];
        if (piece == CHESS_KING) value -= 30;
        value += 4 * (chess_distance(chess_from(move), king) - chess_distance(chess_to(move), king));
        if (piece == CHESS_PAWN) value += 3 * (at->side ? 7 - chess_rank(chess_to(move)) : chess_rank(chess_to(move)));
        chess_consider(&best, move, value);
    }
    return best.move;
}
