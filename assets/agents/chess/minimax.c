/* Minimax: two to three plies of alpha-beta, then captures until the position is quiet.
 *
 * Source of the search: Knuth and Moore, "An analysis of alpha-beta pruning", Artificial Intelligence 6, 1975.
 *   1. Deepen: search one ply, then two, and so on, best move of the last round first, until the work is used up. A
 *      round that stops half way counts for what it has seen.
 *   2. A position is worth the sum over its pieces of what they are worth on their squares. A move changes a few terms
 *      of that sum, so no position is ever added up but the first.
 *   3. At the last ply a move that cannot lift the score above alpha is not even played: the opponent may always pass
 *      on the captures that would follow. Moves come sorted, so the rest is dropped with it.
 *   4. Beyond, only captures, and the side to move may stop at any time.
 *
 * Gas. An agent cannot read its gauge, so it counts its own work, in units that never cost more gas than charged, and
 * stops in time for the usual budget of 1,000,000 a decision.
 */
#include "chess_agent.h"
#include "chess_moves.h"

#define WORK 930000
#define MATE 20000
#define ENDLESS 30000
#define DEEPEST 8
#define CAPTURES 4
#define PLIES (DEEPEST + CAPTURES)
#define QUIET_MOST 64 /* no move without capture or promotion changes the sum by more */

/* Upper bounds in gas: the moves of a position, its captures, more for each piece that is no pawn, each move with its place
 * in the order, each move passed over in the search for the best, each move played, each look at a
 * defended square, all squares valued anew. */
#define NODE_WORK 2000
#define CAPTURES_WORK 1000
#define OFFICER_WORK 110
#define MOVE_WORK 280
#define PASS_WORK 28
#define PLAY_WORK 600
#define LOOK_WORK 400
#define LEARN_WORK 70000

/* What a piece is worth on a square, by side and piece. */
static short worth[2][8][64];
static i32 is_endgame = -1;

static ChessPosition line[PLIES + 1];
static u16 moves[PLIES + 1][CHESS_MOVES];
static i32 order[PLIES + 1][CHESS_MOVES];
static short change[PLIES + 1][CHESS_MOVES];
static u16 killer[PLIES + 1];
static i32 work, stopped, horizon;

/* Positions after own moves, to not repeat them when winning. */
static u32 reached[512];
static i32 n_reached;

/* The value of pieces on squares ---------------------------------------------------------------------------------- */

/* 0 at the edge to 3 in the middle. */
static i32 centre(i32 file, i32 rank) {
    i32 f = file < 4 ? file : 7 - file, r = rank < 4 ? rank : 7 - rank;
    return f < r ? f : r;
}

static i32 place(i32 piece, i32 file, i32 rank) {
    i32 middle = centre(file, rank);
    switch (piece) {
    case CHESS_PAWN:
        if (is_endgame) return 4 * rank * rank;
        return (file == 3 || file == 4 ? 12 : file == 2 || file == 5 ? 5 : 2) * (rank < 4 ? rank : 4) + 3 * rank - 20;
    case CHESS_KNIGHT: return 16 * middle - 22;
    case CHESS_BISHOP: return 8 * middle - (rank == 0 ? 16 : 6);
    case CHESS_ROOK: return (rank == 6 ? 22 : 0) + (file == 3 || file == 4 ? 6 : 0);
    case CHESS_QUEEN: return 3 * middle - (rank == 0 ? 0 : 3);
    case CHESS_KING:
        if (is_endgame) return 14 * middle;
        return (rank == 0 ? (file < 3 || file > 5 ? 24 : 0) : -16 * rank);
    default: return 0;
    }
}

/* In an endgame the kings draw together: who is ahead wants that, and drives the other one to the edge. */
static void learn(i32 endgame) {
    if (endgame == is_endgame) return;
    is_endgame = endgame;
    work -= LEARN_WORK;
    for (i32 piece = CHESS_PAWN; piece < 8; piece++)
        for (i32 square = 0; square < 64; square++) {
            i32 value = chess_worth[piece] + place(piece, chess_file(square), chess_rank(square));
            worth[0][piece][square] = (short)value;
            worth[1][piece][square ^ 56] = (short)value;
        }
}

static i32 sum_of(const ChessPosition *at) {
    i32 sum = 0;
    for (u64 left = chess_taken(at); left; left &= left - 1) {
        i32 square = chess_first(left), side = (i32)(at->black >> square & 1);
        i32 value = worth[side][chess_piece(at, square)][square];
        sum += side == at->side ? value : -value;
    }
    return sum;
}

/* What a move changes in the sum, for who makes it. The rook's part in castling is left out. */
static i32 change_by(const ChessPosition *at, u32 move) {
    i32 from = chess_from(move), to = chess_to(move), piece = chess_piece(at, from), side = at->side;
    i32 becomes = move >> 12 ? chess_promoted(chess_promotion(move)) : piece;
    i32 taken = to == at->en_passant && piece == CHESS_PAWN ? CHESS_PAWN : chess_piece(at, to);
    return worth[side][becomes][to] - worth[side][piece][from] + worth[side ^ 1][taken][to];
}

/* Searching ------------------------------------------------------------------------------------------------------- */

/* Brings the best of the moves from I on to place I. */
static void bring_best(i32 ply, i32 i, i32 count) {
    i32 *keys = order[ply], best = i;
    for (i32 k = i + 1; k < count; k++)
        if (keys[k] > keys[best]) best = k;
    work -= PASS_WORK * (count - i) + PASS_WORK;
    i32 key = keys[best];
    u16 move = moves[ply][best];
    short changes = change[ply][best];
    keys[best] = keys[i];
    moves[ply][best] = moves[ply][i];
    change[ply][best] = change[ply][i];
    keys[i] = key;
    moves[ply][i] = move;
    change[ply][i] = changes;
}

/* Keeps the moves that change the sum by more than FLOOR and returns how many they are. What a cheap piece takes comes
 * first, and a move that was the answer to a sister. */
static i32 rank_moves(i32 ply, i32 count, i32 floor) {
    const ChessPosition *at = &line[ply];
    u64 taken = chess_taken(at);
    i32 kept = 0;
    work -= MOVE_WORK * count;
    for (i32 i = 0; i < count; i++) {
        u32 move = moves[ply][i];
        i32 gain = change_by(at, move), key = gain;
        if (gain <= floor) continue;
        if (taken >> chess_to(move) & 1) key += 60 - (chess_worth[chess_piece(at, chess_from(move))] >> 3);
        if (move == killer[ply]) key += 80;
        moves[ply][kept] = (u16)move;
        change[ply][kept] = (short)gain;
        order[ply][kept++] = key;
    }
    return kept;
}

static void play_on(i32 ply, i32 i) {
    work -= PLAY_WORK;
    line[ply + 1] = line[ply];
    chess_play(&line[ply + 1], moves[ply][i]);
}

/* Whether move I takes something for a dearer piece that is taken back at once. */
static i32 is_loss(i32 ply, i32 i) {
    const ChessPosition *at = &line[ply];
    u32 move = moves[ply][i];
    i32 from = chess_from(move), to = chess_to(move);
    if (chess_worth[chess_piece(at, from)] <= chess_worth[chess_piece(at, to)] + 40) return 0;
    work -= LOOK_WORK;
    return chess_attacked(at, to, chess_taken(at) & ~chess_bit(from));
}

/* Captures only. SCORE is the sum for the side to move, which may be content with it. */
static i32 settle(i32 ply, i32 alpha, i32 beta, i32 score) {
    if (score >= beta || ply == horizon || work < 0) return score;
    ChessPosition *at = &line[ply];
    i32 best = score, count = chess_generate_to(at, moves[ply], chess_taken(at) & ~chess_own(at));
    work -= CAPTURES_WORK + OFFICER_WORK * __builtin_popcountll(at->middle | at->high);
    if (alpha < score) alpha = score;
    count = rank_moves(ply, count, alpha - score);
    for (i32 i = 0; i < count && best < beta && work > 0; i++) {
        bring_best(ply, i, count);
        i32 after = score + change[ply][i];
        if (after <= alpha || is_loss(ply, i)) continue;
        play_on(ply, i);
        i32 value = -settle(ply + 1, -beta, -alpha, -after);
        if (value > best) best = value;
        if (best > alpha) alpha = best;
    }
    return best;
}

/* Whether the side to move has a pawn about to promote. */
static i32 may_promote(const ChessPosition *at) {
    return (chess_pawns(at) & chess_own(at) & (at->side ? 255ull << 8 : 255ull << 48)) != 0;
}

static i32 search(i32 ply, i32 depth, i32 alpha, i32 beta, i32 score) {
    if (depth == 1 && alpha - score > QUIET_MOST && !may_promote(&line[ply])) {
        i32 value = settle(ply, alpha, beta, score);
        if (!line[ply].check) return value; /* in check it may be mate */
    }
    i32 count = chess_generate(&line[ply], moves[ply]), best = -ENDLESS;
    work -= NODE_WORK + OFFICER_WORK * __builtin_popcountll(line[ply].middle | line[ply].high);
    if (!count) return line[ply].check ? ply - MATE : 0;
    i32 kept = rank_moves(ply, count, depth > 1 ? -ENDLESS : alpha - score);
    if (kept < count) best = alpha;
    for (i32 i = 0; i < kept && best < beta; i++) {
        stopped |= work < 0;
        if (stopped) return score;
        bring_best(ply, i, kept);
        i32 after = score + change[ply][i];
        if (depth == 1 && after <= alpha) continue;
        play_on(ply, i);
        i32 value = depth > 1 ? -search(ply + 1, depth - 1, -beta, -alpha, -after)
                              : -settle(ply + 1, -beta, -alpha, -after);
        if (value > best) best = value;
        if (best > alpha) alpha = best;
        if (best >= beta) killer[ply] = moves[ply][i];
    }
    return best;
}

/* The root -------------------------------------------------------------------------------------------------------- */

static u32 key_of(const ChessPosition *at) {
    u64 mixed = (at->black ^ at->low * 3 ^ at->middle * 5 ^ at->high * 7) * 0x9E3779B97F4A7C15ull;
    return (u32)(mixed >> 32) ^ at->castling;
}

static i32 was_reached(u32 key, i32 clock) {
    i32 oldest = n_reached - clock / 2 - 1;
    for (i32 i = n_reached - 1; i >= 0 && i >= oldest; i--)
        if (reached[i] == key) return 1;
    return 0;
}

/* What move I of the root is worth: nothing, when the position was there before. */
static i32 try_move(i32 i, i32 depth, i32 alpha, i32 score) {
    i32 after = score + change[0][i];
    play_on(0, i);
    if (was_reached(key_of(&line[1]), line[0].clock)) return 0;
    if (depth == 1) return -settle(1, -ENDLESS, -alpha, -after);
    return -search(1, depth - 1, -ENDLESS, -alpha, -after);
}

/* Searches all moves to a depth; the best of those that were reached in time comes first afterwards. */
static void deepen(i32 depth, i32 count, i32 score) {
    i32 alpha = -ENDLESS, best = 0;
    horizon = depth + CAPTURES;
    for (i32 i = 0; i < count; i++) {
        if (i) bring_best(0, i, count);
        i32 value = try_move(i, depth, alpha, score);
        stopped |= work < 0;
        if (stopped) break;
        order[0][i] = value;
        if (value <= alpha) continue;
        alpha = value;
        best = i;
    }
    order[0][best] = ENDLESS;
    bring_best(0, 0, count);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    const ChessMail *seen = chess_mail();
    i32 count = chess_count(packed);
    work = WORK;
    stopped = 0;
    line[0] = seen->position;
    learn(__builtin_popcountll(line[0].high) < 5); /* bishops, rooks and queens of both sides */
    for (i32 i = 0; i < count; i++) moves[0][i] = seen->moves[i];
    rank_moves(0, count, -ENDLESS);
    bring_best(0, 0, count);
    i32 score = sum_of(&line[0]);
    for (i32 depth = 1; depth <= DEEPEST && !stopped && count > 1; depth++) deepen(depth, count, score);
    u32 move = moves[0][0];
    chess_play(&line[0], move);
    reached[n_reached++ & 511] = key_of(&line[0]);
    return move;
}
