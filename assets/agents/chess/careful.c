/* Careful: two plies. What does my move win, and what is the most that the answer takes? It believes every capture to be
 * for nothing, so it sees what hangs but not what is defended, and it gives nothing away. It takes a mate when it sees
 * one, and leads its pieces towards the middle when nothing else is to be won.
 *
 * Where both sides have a host of queens there are too many answers for its gas: it counts them, and stops in time. */
#include "chess_agent.h"
#include "chess_moves.h"

#define MATE 100000

/* What it may use, and what the answers to a move use at most, in gas. */
#define WORK 900000
#define MOVE_WORK 5000
#define ANSWER_WORK 150

static i32 work;

/* The most that the side to move can win at once; -MATE when it is mated, MATE for a stalemate, which nobody wants. */
static i32 best_answer(ChessPosition *at) {
    static u16 answers[CHESS_MOVES];
    i32 count = chess_generate(at, answers), most = 0;
    work -= MOVE_WORK + ANSWER_WORK * count;
    if (!count) return at->check ? -MATE : MATE;
    for (i32 i = 0; i < count; i++) {
        i32 gain = chess_gain(at, answers[i]);
        if (gain > most) most = gain;
    }
    return most;
}

/* A few centipawns for the middle of the board. */
static i32 centre(i32 square) {
    i32 file = chess_file(square), rank = chess_rank(square);
    return (file < 4 ? file : 7 - file) + (rank < 4 ? rank : 7 - rank);
}

/* Steps that lead somewhere: pieces to the middle, pawns forward, the king nowhere. */
static i32 manners(const ChessPosition *at, u32 move) {
    i32 from = chess_from(move), to = chess_to(move), piece = chess_piece(at, from);
    if (piece == CHESS_KING) return to - from == 2 || from - to == 2 ? 30 : -20;
    return 2 * (centre(to) - centre(from)) + (piece == CHESS_PAWN ? 3 : 0);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static ChessPosition after;
    const ChessMail *seen = chess_mail();
    ChessBest best = {0, 0, 0};
    chess_stir(packed);
    work = WORK;
    for (i32 i = 0; i < chess_count(packed) && work > 0; i++) {
        u32 move = seen->moves[i];
        i32 value = chess_gain(&seen->position, move) + manners(&seen->position, move);
        after = seen->position;
        chess_play(&after, move);
        chess_consider(&best, move, value - best_answer(&after));
    }
    return best.move;
}
