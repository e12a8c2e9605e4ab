/* The moves of chess: which are legal, and what they do. Shared by chess.c and by agents that look ahead.
 *
 *     chess_start(&position)             the normal position
 *     chess_generate(&position, list)    writes all legal moves, returns how many; settles `check` and `en_passant`
 *     chess_play(&position, move)        plays one of them; generate before you look at `check` or `en_passant` again
 *     chess_attacked(...)                whether the side that is not to move attacks a square
 *
 * A position is a value: to take a move back, keep a copy.
 *
 * Moves come out legal, none is tried and taken back. The lines from the own king to the sliding pieces of the opponent
 * give the checks and the pins:
 *   1. Who gives check? With two, only the king moves. With one, other pieces must capture it or step between.
 *   2. A pinned piece moves only on its line, and not at all in check.
 *   3. The king moves where it is not attacked once it is gone from its square; so does the king that castles.
 *   4. En passant takes two pawns off a rank at once, so it is tried out: is the king attacked afterwards?
 *
 * Sliding attacks come from one table of 512 bytes ("kindergarten bitboards", Gerd Isenberg): a multiplication brings the
 * six inner squares of a line side by side, the table tells how far a piece sees, and a second one brings that back.
 */
#ifndef CHESS_MOVES_H
#define CHESS_MOVES_H

#include "chess.h"

#define CHESS_FILE_A 0x0101010101010101ull
#define CHESS_FILE_H 0x8080808080808080ull
#define CHESS_LAST_RANKS 0xFF000000000000FFull
#define CHESS_EVERYWHERE (~0ull)

/* Tables -------------------------------------------------------------------------------------------------------- */

#define CHESS_8(what, from) \
    what((from)), what((from) + 1), what((from) + 2), what((from) + 3), what((from) + 4), what((from) + 5), \
        what((from) + 6), what((from) + 7)
#define CHESS_64(what) \
    CHESS_8(what, 0), CHESS_8(what, 8), CHESS_8(what, 16), CHESS_8(what, 24), CHESS_8(what, 32), CHESS_8(what, 40), \
        CHESS_8(what, 48), CHESS_8(what, 56)

/* What a piece on file f of a rank sees when the inner squares b to g hold the bits o: to the right up to the lowest
 * taken square beyond f, to the left down to the highest taken square before it. */
#define CHESS_RIGHT(taken, f) ((((taken) - (2 << (f))) ^ (taken)) & 255)
#define CHESS_LEFT(taken, f) (((1 << (f)) - 1) & ~((1 << (31 - __builtin_clz((u32)(taken) | 1))) - 1))
#define CHESS_SEEN(f, o) \
    (CHESS_RIGHT(((o) << 1) & ~((2 << (f)) - 1), f) | CHESS_LEFT(((o) << 1) & ((1 << (f)) - 1), f))
#define CHESS_SEEN_0(o) CHESS_SEEN(0, o)
#define CHESS_SEEN_1(o) CHESS_SEEN(1, o)
#define CHESS_SEEN_2(o) CHESS_SEEN(2, o)
#define CHESS_SEEN_3(o) CHESS_SEEN(3, o)
#define CHESS_SEEN_4(o) CHESS_SEEN(4, o)
#define CHESS_SEEN_5(o) CHESS_SEEN(5, o)
#define CHESS_SEEN_6(o) CHESS_SEEN(6, o)
#define CHESS_SEEN_7(o) CHESS_SEEN(7, o)
static const u8 chess_seen[8][64] = {
    {CHESS_64(CHESS_SEEN_0)}, {CHESS_64(CHESS_SEEN_1)}, {CHESS_64(CHESS_SEEN_2)}, {CHESS_64(CHESS_SEEN_3)},
    {CHESS_64(CHESS_SEEN_4)}, {CHESS_64(CHESS_SEEN_5)}, {CHESS_64(CHESS_SEEN_6)}, {CHESS_64(CHESS_SEEN_7)},
};

/* Both diagonals through a square: the long ones, moved up or down. */
#define CHESS_UP(line, ranks) ((ranks) >= 0 ? (line) << 8 * ((ranks) & 7) : (line) >> 8 * (-(ranks) & 7))
#define CHESS_RISING(s) CHESS_UP(0x8040201008040201ull, ((s) >> 3) - ((s) & 7))
#define CHESS_FALLING(s) CHESS_UP(0x0102040810204080ull, ((s) >> 3) + ((s) & 7) - 7)
static const u64 chess_rising[64] = {CHESS_64(CHESS_RISING)};
static const u64 chess_falling[64] = {CHESS_64(CHESS_FALLING)};

/* The bits of files that a step to the left or to the right must not end on, having left the board and come back. */
#define CHESS_LEFTWARDS(steps, bits) ((bits) & ~((steps) == 1 ? CHESS_FILE_H : CHESS_FILE_H | CHESS_FILE_H >> 1))
#define CHESS_RIGHTWARDS(steps, bits) ((bits) & ~((steps) == 1 ? CHESS_FILE_A : CHESS_FILE_A | CHESS_FILE_A << 1))
#define CHESS_KNIGHT_FROM(s)                                                        \
    (CHESS_RIGHTWARDS(1, (1ull << (s)) << 17 | (1ull << (s)) >> 15) |               \
     CHESS_LEFTWARDS(1, (1ull << (s)) << 15 | (1ull << (s)) >> 17) |                \
     CHESS_RIGHTWARDS(2, (1ull << (s)) << 10 | (1ull << (s)) >> 6) |                \
     CHESS_LEFTWARDS(2, (1ull << (s)) << 6 | (1ull << (s)) >> 10))
#define CHESS_KING_FROM(s)                                                                            \
    ((1ull << (s)) << 8 | (1ull << (s)) >> 8 |                                                        \
     CHESS_RIGHTWARDS(1, (1ull << (s)) << 1 | (1ull << (s)) << 9 | (1ull << (s)) >> 7) |              \
     CHESS_LEFTWARDS(1, (1ull << (s)) >> 1 | (1ull << (s)) << 7 | (1ull << (s)) >> 9))
static const u64 chess_knight_from[64] = {CHESS_64(CHESS_KNIGHT_FROM)};
static const u64 chess_king_from[64] = {CHESS_64(CHESS_KING_FROM)};

/* Attacks ------------------------------------------------------------------------------------------------------- */

static inline i32 chess_first(u64 squares) { return (i32)__builtin_ctzll(squares); }
static inline u64 chess_turned(u64 squares, i32 by) { return squares << (by & 63) | squares >> (-by & 63); }

/* The squares that a piece on SQUARE sees along a diagonal LINE through it. The multiplication adds up the ranks. */
static inline u64 chess_along(u64 line, i32 square, u64 taken) {
    u64 inner = (taken & line) * (CHESS_FILE_A << 1) >> 58;
    return chess_seen[square & 7][inner] * CHESS_FILE_A & line;
}

static inline u64 chess_diagonals(i32 square, u64 taken) {
    return chess_along(chess_rising[square], square, taken) | chess_along(chess_falling[square], square, taken);
}

/* Along a rank the squares lie side by side; a file is turned into a rank, eighth rank first, and back. */
static inline u64 chess_straights(i32 square, u64 taken) {
    i32 file = square & 7, rank = square & 56;
    u64 on_rank = (u64)chess_seen[file][taken >> rank >> 1 & 63] << rank;
    u64 inner = (taken >> file & CHESS_FILE_A) * 0x0080402010080400ull >> 58;
    u64 seen = chess_seen[7 - (square >> 3)][inner];
    u64 on_file = ((seen & 127) * 0x0100804020100804ull & CHESS_FILE_A) | seen >> 7;
    return on_rank | on_file << file;
}

/* The squares that see SQUARE along its lines if nothing stands between. */
static inline u64 chess_cross(i32 square) { return CHESS_FILE_A << (square & 7) | 255ull << (square & 56); }

/* The squares strictly between two that share a line. */
static inline u64 chess_between(i32 a, i32 b) {
    i32 low = a < b ? a : b, high = a < b ? b : a;
    u64 range = (chess_bit(high) - 1) & ~(2 * chess_bit(low) - 1);
    if (!((low ^ high) & 7)) return range & CHESS_FILE_A << (low & 7);
    if (!((low ^ high) & 56)) return range;
    return range & (chess_rising[low] >> high & 1 ? chess_rising[low] : chess_falling[low]);
}

/* How far a pawn of the side to move goes, as a turn of the board: 8 up, or 56, which is 8 down. */
static inline i32 chess_forward(const ChessPosition *at) { return at->side ? 56 : 8; }

/* The squares that pawns going FORWARD from SQUARES attack; read the other way round, those that attack SQUARES. No
 * pawn stands on a last rank, so what turns over the edge meets none. */
static inline u64 chess_pawn_attacks(u64 squares, i32 forward) {
    return chess_turned(squares & ~CHESS_FILE_A, forward - 1) | chess_turned(squares & ~CHESS_FILE_H, forward + 1);
}

/* Whether the side that is not to move attacks SQUARE when TAKEN is taken; its pieces outside TAKEN are gone, and so is
 * the one on SQUARE. */
static inline __attribute__((noinline)) i32 chess_attacked(const ChessPosition *at, i32 square, u64 taken) {
    u64 them = (at->side ? ~at->black : at->black) & taken & ~chess_bit(square);
    u64 near = chess_pawn_attacks(chess_bit(square), chess_forward(at)) & chess_pawns(at);
    near |= chess_knight_from[square] & chess_knights(at);
    near |= chess_king_from[square] & chess_kings(at);
    if (near & them) return 1;
    u64 sliders = at->high & them, lines = chess_rising[square] | chess_falling[square];
    u64 far = (sliders & at->low & lines) | (sliders & at->middle & chess_cross(square));
    for (; far; far &= far - 1)
        if (!(chess_between(square, chess_first(far)) & taken)) return 1;
    return 0;
}

/* Generation ---------------------------------------------------------------------------------------------------- */

/* Writes the moves from a square, two at a time: the second is overwritten when there is none. */
static inline u16 *chess_emit(u16 *out, i32 from, u64 targets) {
    u16 *next = out;
    out += __builtin_popcountll(targets);
    while (targets) {
        next[0] = (u16)(from | chess_first(targets) << 6);
        targets &= targets - 1;
        next[1] = (u16)(from | (targets ? chess_first(targets) : 64) << 6);
        targets &= targets - 1;
        next += 2;
    }
    return out;
}

/* The moves of pawns to TARGETS, each from the square that lies BY before. */
static inline u16 *chess_emit_pawns(u16 *out, u64 targets, i32 by) {
    for (; targets; targets &= targets - 1) {
        i32 to = chess_first(targets);
        *out++ = (u16)(((to - by) & 63) | to << 6);
    }
    return out;
}

static inline __attribute__((noinline)) u16 *chess_emit_promotions(u16 *out, u64 targets, i32 by) {
    for (; targets; targets &= targets - 1) {
        i32 to = chess_first(targets), move = ((to - by) & 63) | to << 6;
        for (i32 promotion = 4; promotion; promotion--) *out++ = (u16)(move | promotion << 12);
    }
    return out;
}

/* All moves of PAWNS to ALLOWED squares, en passant apart. */
static inline __attribute__((noinline)) u16 *chess_pawn_moves(const ChessPosition *at, u16 *out, u64 pawns, u64 allowed) {
    i32 forward = chess_forward(at);
    u64 taken = chess_taken(at), them = at->side ? taken & ~at->black : at->black;
    u64 once = chess_turned(pawns, forward) & ~taken;
    u64 twice = chess_turned(once & 0x0000FF0000FF0000ull, forward) & ~taken & allowed & 0x000000FFFF000000ull;
    u64 left = chess_turned(pawns & ~CHESS_FILE_A, forward - 1) & them & allowed;
    u64 right = chess_turned(pawns & ~CHESS_FILE_H, forward + 1) & them & allowed;
    once &= allowed;
    if ((once | left | right) & CHESS_LAST_RANKS) {
        out = chess_emit_promotions(out, once & CHESS_LAST_RANKS, forward);
        out = chess_emit_promotions(out, left & CHESS_LAST_RANKS, forward - 1);
        out = chess_emit_promotions(out, right & CHESS_LAST_RANKS, forward + 1);
    }
    out = chess_emit_pawns(out, left & ~CHESS_LAST_RANKS, forward - 1);
    out = chess_emit_pawns(out, right & ~CHESS_LAST_RANKS, forward + 1);
    out = chess_emit_pawns(out, once & ~CHESS_LAST_RANKS, forward);
    return chess_emit_pawns(out, twice, 2 * forward);
}

/* The moves of a piece that may only go to ALLOWED squares, all on its line with the king. */
static inline __attribute__((noinline)) u16 *chess_pinned_moves(const ChessPosition *at, u16 *out, i32 from, u64 allowed) {
    u64 bit = chess_bit(from), taken = chess_taken(at), targets = 0;
    if (chess_pawns(at) & bit) return chess_pawn_moves(at, out, bit, allowed);
    if (at->high & at->low & bit) targets |= chess_diagonals(from, taken);
    if (at->high & at->middle & bit) targets |= chess_straights(from, taken);
    return chess_emit(out, from, targets & allowed);
}

/* En passant captures, tried out; without a legal one the square is no longer en passant's. */
static inline __attribute__((noinline)) u16 *chess_en_passant_moves(ChessPosition *at, u16 *out, i32 king) {
    i32 to = at->en_passant, forward = chess_forward(at);
    u64 pawns = chess_pawns(at) & chess_own(at), taken = chess_taken(at);
    u64 after = (taken ^ chess_bit(to ^ 8)) | chess_bit(to);
    u16 *begin = out;
    for (u64 from = chess_pawn_attacks(chess_bit(to), -forward) & pawns; from; from &= from - 1)
        if (!chess_attacked(at, king, after ^ (from & -from))) *out++ = (u16)(chess_first(from) | to << 6);
    if (out == begin) at->en_passant = CHESS_NONE;
    return out;
}

/* Castling of a side that has the right to and is not in check. */
static inline __attribute__((noinline)) u16 *chess_castling_moves(const ChessPosition *at, u16 *out, i32 king) {
    i32 rights = at->side ? at->castling >> 2 : at->castling;
    u64 taken = chess_taken(at), row = taken >> (king & 56);
    if ((rights & 1) && !(row & 0x60) && !chess_attacked(at, king + 1, taken) && !chess_attacked(at, king + 2, taken))
        *out++ = (u16)(king | (king + 2) << 6);
    if ((rights & 2) && !(row & 0x0E) && !chess_attacked(at, king - 1, taken) && !chess_attacked(at, king - 2, taken))
        *out++ = (u16)(king | (king - 2) << 6);
    return out;
}

static inline u16 *chess_king_moves(const ChessPosition *at, u16 *out, i32 king, u64 allowed) {
    u64 without = chess_taken(at) & ~chess_bit(king);
    for (u64 targets = chess_king_from[king] & allowed; targets; targets &= targets - 1) {
        i32 to = chess_first(targets);
        if (!chess_attacked(at, to, without)) *out++ = (u16)(king | to << 6);
    }
    return out;
}

/* The moves of knights, bishops, rooks and queens among PIECES. */
static inline u16 *chess_piece_moves(const ChessPosition *at, u16 *out, u64 pieces, u64 allowed) {
    u64 taken = chess_taken(at);
    for (u64 left = pieces & chess_knights(at); left; left &= left - 1) {
        i32 from = chess_first(left);
        out = chess_emit(out, from, chess_knight_from[from] & allowed);
    }
    for (u64 left = pieces & at->high & at->low; left; left &= left - 1) {
        i32 from = chess_first(left);
        out = chess_emit(out, from, chess_diagonals(from, taken) & allowed);
    }
    for (u64 left = pieces & at->high & at->middle; left; left &= left - 1) {
        i32 from = chess_first(left);
        out = chess_emit(out, from, chess_straights(from, taken) & allowed);
    }
    return out;
}

/* All legal moves to WANTED squares; LIST has room for CHESS_MOVES. CHESS_EVERYWHERE gives all, the opponent's squares
 * give the captures without en passant. Castling comes with CHESS_EVERYWHERE only. */
static inline i32 chess_generate_to(ChessPosition *at, u16 *list, u64 wanted) {
    u64 taken = chess_taken(at), us = chess_own(at), them = taken ^ us;
    i32 king = chess_first(chess_kings(at) & us);
    u64 checkers = (chess_knight_from[king] & chess_knights(at) & them) |
                   (chess_pawn_attacks(chess_bit(king), chess_forward(at)) & chess_pawns(at) & them);
    u64 sliders = at->high & them, pinned = 0, evasions = checkers;
    u64 lines = (sliders & at->low & (chess_rising[king] | chess_falling[king])) |
                (sliders & at->middle & chess_cross(king));
    u64 pinning = 0;
    u16 *out = list;
    for (; lines; lines &= lines - 1) {
        u64 slider = lines & -lines, between = chess_between(king, chess_first(lines)), inside = between & taken;
        if (!inside) {
            checkers |= slider;
            evasions |= between | slider;
        } else if (!(inside & (inside - 1)) && (inside & us)) {
            pinned |= inside;
            pinning |= slider;
        }
    }
    at->check = checkers != 0;
    u64 allowed = wanted & ~us;
    out = chess_king_moves(at, out, king, allowed);
    if (checkers & (checkers - 1)) {
        at->en_passant = CHESS_NONE;
        return (i32)(out - list);
    }
    if (checkers)
        allowed &= evasions;
    else
        for (; pinning; pinning &= pinning - 1) {
            u64 line = chess_between(king, chess_first(pinning));
            out = chess_pinned_moves(at, out, chess_first(line & taken), allowed & (line | (pinning & -pinning)));
        }
    out = chess_pawn_moves(at, out, us & chess_pawns(at) & ~pinned, allowed);
    out = chess_piece_moves(at, out, us & ~pinned, allowed);
    if (at->en_passant != CHESS_NONE && (wanted >> at->en_passant & 1)) out = chess_en_passant_moves(at, out, king);
    if (wanted == CHESS_EVERYWHERE && !checkers && (at->castling & (at->side ? 12 : 3)))
        out = chess_castling_moves(at, out, king);
    return (i32)(out - list);
}

static inline __attribute__((noinline)) i32 chess_generate(ChessPosition *at, u16 *list) {
    return chess_generate_to(at, list, CHESS_EVERYWHERE);
}

/* Playing ------------------------------------------------------------------------------------------------------- */

/* The rights that are lost when a king or a rook leaves its square, or a rook is taken there. */
static const u8 chess_rights_lost[64] = {
    [0] = CHESS_WHITE_LONG,   [4] = CHESS_WHITE_LONG | CHESS_WHITE_SHORT,  [7] = CHESS_WHITE_SHORT,
    [56] = CHESS_BLACK_LONG,  [60] = CHESS_BLACK_LONG | CHESS_BLACK_SHORT, [63] = CHESS_BLACK_SHORT,
};

static inline u64 chess_carried(u64 board, u64 gone, i32 from, i32 to) {
    return (board & ~gone) | (board >> from & 1) << to;
}

static inline void chess_carry(ChessPosition *at, i32 from, i32 to) {
    u64 gone = chess_bit(from) | chess_bit(to);
    at->black = chess_carried(at->black, gone, from, to);
    at->low = chess_carried(at->low, gone, from, to);
    at->middle = chess_carried(at->middle, gone, from, to);
    at->high = chess_carried(at->high, gone, from, to);
}

/* What is special about a pawn's move that has been carried out: en passant, two squares at once, promotion. */
static inline __attribute__((noinline)) void chess_pawn_played(ChessPosition *at, i32 from, i32 to, i32 promotion, i32 en_passant) {
    if (to == en_passant) {
        u64 gone = chess_bit(to ^ 8);
        at->black &= ~gone;
        at->low &= ~gone;
    } else if ((from ^ to) == 16) {
        at->en_passant = (u8)((from + to) >> 1);
    } else if (promotion) {
        u64 piece = (u64)chess_promoted(promotion);
        at->low = (at->low & ~chess_bit(to)) | (piece & 1) << to;
        at->middle |= (piece >> 1 & 1) << to;
        at->high |= (piece >> 2) << to;
    }
}

static inline __attribute__((noinline)) void chess_castled(ChessPosition *at, i32 from, i32 to) {
    if (to - from == 2) chess_carry(at, to + 1, to - 1);
    if (from - to == 2) chess_carry(at, to - 2, to + 1);
}

/* Plays a legal move. `check` and `en_passant` are settled by the generation that follows: until then `en_passant` is
 * set after every pawn's move over two squares. */
static inline __attribute__((noinline)) void chess_play(ChessPosition *at, u32 move) {
    i32 from = chess_from(move), to = chess_to(move), piece = chess_piece(at, from), en_passant = at->en_passant;
    i32 quiet = piece != CHESS_PAWN && !(chess_taken(at) >> to & 1);
    at->en_passant = CHESS_NONE;
    at->clock = quiet ? at->clock + 1 : 0;
    at->number += at->side;
    chess_carry(at, from, to);
    if (piece == CHESS_PAWN) chess_pawn_played(at, from, to, chess_promotion(move), en_passant);
    if (piece == CHESS_KING) chess_castled(at, from, to);
    at->castling &= (u8)~(chess_rights_lost[from] | chess_rights_lost[to]);
    at->side ^= 1;
}

/* The normal position. The first rank is rook 6, knight 2, bishop 5, queen 7, king 3, bishop, knight, rook. */
static inline void chess_start(ChessPosition *at) {
    u64 both_ranks = 1ull | 1ull << 56;
    *at = (ChessPosition){
        .black = 0xFFFFull << 48,
        .low = 0x3C * both_ranks | 0x00FF00000000FF00ull,
        .middle = 0xDB * both_ranks,
        .high = 0xAD * both_ranks,
        .castling = 15,
        .en_passant = CHESS_NONE,
        .number = 1,
        .occurred = 1,
    };
}

#endif
