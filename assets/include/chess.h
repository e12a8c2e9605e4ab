/* What chess shows its players: shared by chess.c and by the agents that play it.
 *
 * The rules are those of FIDE for a game without a clock. Seat 0 has White. Squares count from a1 = 0 over b1 = 1 to
 * h8 = 63. Everything is automatic, nobody claims, offers or resigns. The match ends by
 *
 *     checkmate      the side to move is in check and has no legal move: it has lost
 *     material       neither side can mate whatever both do: bare kings, one knight or bishop more, or only bishops,
 *                    all on squares of one colour
 *     stalemate      the side to move is not in check and has no legal move
 *     fifty moves    a hundred plies without a capture or a pawn's move, and no mate in the last of them
 *     repetition     the same position for the third time: same pieces, side to move, castling rights, and the same
 *                    en passant capture, which counts only where it is legal
 *     move limit     as many decisions as chess.json says
 *
 * and the first of these in that order gives the reason. Score in half points: 2 a win, 1 a draw, 0 a loss or no result.
 *
 * The seed chooses how the match begins: seed 0 the normal position, any other seed one of the balanced openings in
 * chess_openings.h (or the normal position). These moves are on the board before the first decision; they count for
 * repetition, clock and move number, not as decisions. All have an even number of plies, so White is always to move first.
 *
 * Actions: from | to << 6 | promotion << 12, promotion 0 none, 1 knight, 2 bishop, 3 rook, 4 queen. Castling is the
 * king's move over two squares, en passant the pawn's move to the empty square. All that is not a legal move of the
 * position is illegal and loses the match.
 *
 * The packed observation, byte 0 the least significant:
 *
 *     bytes 0..1  the opponent's last action, 0 when it has made none yet
 *     bytes 2..3  decisions in this match so far, of both seats
 *     byte  4     the opening: 0 the normal position, n line n - 1 of chess_openings.h
 *     byte  5     plies since the last capture or pawn's move
 *     byte  6     number of legal moves
 *     byte  7     bit 0: in check; bit 1: this position has occurred before
 *
 * This is enough to follow the game: set up the opening of byte 4, then play your own actions and those of bytes 0..1;
 * chess_moves.h has all it takes. agents/chess/pawn_pusher.c does so.
 *
 * The full observation, 48 + 2 * (number of legal moves) bytes, is ChessMail below: the packed observation, the position,
 * and the legal moves as actions of two bytes, so that an agent needs no move generator.
 *
 * The position is four boards of a bit a square. BLACK has the squares of Black's pieces; LOW, MIDDLE and HIGH are the
 * three bits of what stands there:
 *
 *     1 pawn   2 knight   3 king   5 bishop   6 rook   7 queen   (0 nothing)
 *
 * so that HIGH are the pieces that slide, those of them in LOW on diagonals, those in MIDDLE on ranks and files. That is
 * half as long as a byte a square, and a move is a few operations on whole words.
 *
 * The state that a replay view draws, CHESS_STATE_BYTES long:
 *
 *     byte  0   side to move (0 White)             byte  1   castling rights (CHESS_WHITE_SHORT and below)
 *     byte  2   en passant square, 255 none        byte  3   plies since the last capture or pawn's move
 *     bytes 4..5  number of the move, from 1       bytes 6..7  decisions so far
 *     byte  8   status (CHESS_PLAYING and below)   byte  9   the opening, as in the packed observation
 *     byte  10  how often this position has occurred (at most 3)
 *     byte  11  number of legal moves
 *     bytes 12, 13  cells that the last move left and entered, byte 14 the cell of a king in check; 255 none
 *     byte  15  1 when the side to move is in check
 *     bytes 16..  the cells, rows from the top left (a8 first): piece as above, + 8 for Black
 */
#ifndef CHESS_H
#define CHESS_H

#include "nets.h"

/* Pieces, and what is added for Black where a byte holds both. */
enum { CHESS_EMPTY, CHESS_PAWN, CHESS_KNIGHT, CHESS_KING, CHESS_BISHOP = 5, CHESS_ROOK, CHESS_QUEEN };
#define CHESS_BLACK_PIECE 8

/* Castling rights, a bit each. */
enum { CHESS_WHITE_SHORT = 1, CHESS_WHITE_LONG = 2, CHESS_BLACK_SHORT = 4, CHESS_BLACK_LONG = 8 };

/* Status. */
enum {
    CHESS_PLAYING,
    CHESS_CHECKMATE,
    CHESS_STALEMATE,
    CHESS_REPETITION,
    CHESS_FIFTY_MOVES,
    CHESS_MATERIAL,
    CHESS_MOVE_LIMIT
};

#define CHESS_NONE 255
#define CHESS_STATE_HEADER 16
#define CHESS_STATE_BYTES (CHESS_STATE_HEADER + 64)

/* More moves than any position that can arise has (218), and room for a generator to write past the last one. */
#define CHESS_MOVES 256

/* A position: 40 bytes without gaps, little endian like all memory of WebAssembly. */
typedef struct {
    u64 black, low, middle, high;
    u8 side;       /* to move: 0 White, 1 Black; the seat, too */
    u8 castling;   /* CHESS_WHITE_SHORT and below */
    u8 en_passant; /* where a pawn may now be captured en passant, else CHESS_NONE */
    u8 clock;      /* plies since the last capture or pawn's move */
    u16 number;    /* of the move, counted from 1, up by one after Black's */
    u8 check;      /* 1 when the side to move is in check */
    u8 occurred;   /* how often this position has been on the board, this time included; agents may use it freely */
} ChessPosition;

/* What the mailbox of an agent gets, with as many moves as byte 6 says. NETS_MAILBOX(mail, sizeof(ChessMail)) takes it. */
typedef struct {
    u64 packed;
    ChessPosition position;
    u16 moves[CHESS_MOVES];
} ChessMail;

/* The fields of the packed observation. */
static inline u32 chess_last_action(i64 packed) { return (u32)(packed & 0xFFFF); }
static inline i32 chess_decisions(i64 packed) { return (i32)(packed >> 16 & 0xFFFF); }
static inline i32 chess_opening(i64 packed) { return (i32)(packed >> 32 & 255); }
static inline i32 chess_clock(i64 packed) { return (i32)(packed >> 40 & 255); }
static inline i32 chess_count(i64 packed) { return (i32)(packed >> 48 & 255); }
static inline i32 chess_in_check(i64 packed) { return (i32)(packed >> 56 & 1); }
static inline i32 chess_seen_before(i64 packed) { return (i32)(packed >> 57 & 1); }

/* The parts of an action. */
static inline i32 chess_from(u32 action) { return (i32)(action & 63); }
static inline i32 chess_to(u32 action) { return (i32)(action >> 6 & 63); }
static inline i32 chess_promotion(u32 action) { return (i32)(action >> 12 & 7); }

/* The piece that a promotion's number stands for. */
static inline i32 chess_promoted(i32 promotion) { return promotion == 1 ? CHESS_KNIGHT : promotion + 3; }

/* Squares by file (a = 0) and rank (first = 0). */
static inline i32 chess_file(i32 square) { return square & 7; }
static inline i32 chess_rank(i32 square) { return square >> 3; }
static inline u64 chess_bit(i32 square) { return (u64)1 << (square & 63); }

/* The squares that are taken, and those of the side to move. */
static inline u64 chess_taken(const ChessPosition *at) { return at->low | at->middle | at->high; }
static inline u64 chess_own(const ChessPosition *at) {
    return at->side ? at->black : chess_taken(at) & ~at->black;
}

/* What stands on a square (CHESS_EMPTY ..), whoever owns it. */
static inline i32 chess_piece(const ChessPosition *at, i32 square) {
    return (i32)((at->low >> square & 1) | (at->middle >> square & 1) << 1 | (at->high >> square & 1) << 2);
}

/* The squares of a kind of piece, of both sides. */
static inline u64 chess_pawns(const ChessPosition *at) { return at->low & ~(at->middle | at->high); }
static inline u64 chess_knights(const ChessPosition *at) { return at->middle & ~(at->low | at->high); }
static inline u64 chess_kings(const ChessPosition *at) { return at->low & at->middle & ~at->high; }
static inline u64 chess_bishops(const ChessPosition *at) { return at->low & at->high & ~at->middle; }
static inline u64 chess_rooks(const ChessPosition *at) { return at->middle & at->high & ~at->low; }
static inline u64 chess_queens(const ChessPosition *at) { return at->low & at->middle & at->high; }

#endif
