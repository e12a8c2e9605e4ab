/* Chess with all its rules, two seats. ABI v1; see nets.h, chess.h (what players see) and chess_moves.h (the moves).
 *
 * A step plays the move, generates the replies into the mail of the next player (an empty list is mate or stalemate),
 * looks the position up among the earlier ones, and settles the status. The replies are also what `is_legal` asks.
 *
 * Every call takes a bounded time, and no action does harm: what is not among the replies changes nothing.
 */
#include "chess.h"
#include "chess_moves.h"
#include "chess_openings.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from chess.json"
#endif

_Static_assert(NETS_MAX_STEPS > 0 && NETS_MAX_STEPS < 65536, "the packed observation has two bytes for it");
_Static_assert(sizeof(ChessPosition) == 40, "players read it byte by byte");

#define FIFTY_MOVES 100
#define DARK_SQUARES 0xAA55AA55AA55AA55ull

static ChessMail mail; /* what is shown, in the layout of chess.h; the rules work on the position in it */
static ChessPosition *const now = &mail.position;

static i32 count;        /* of legal moves, all in `mail` */
static u32 last_action;  /* by the opponent in this match, 0 before the first */
static u32 last_move;    /* on the board, the opening included */
static u32 approved;     /* what `is_legal` has just found legal, else 0 */
static i32 decisions, opening, status;

/* Earlier positions ------------------------------------------------------------------------------------------------
 *
 * Only positions since the last capture or pawn's move can return, at most a hundred. They lie in a ring; positions with
 * the same key are linked, the latest first, so that a look-up meets none or the right one. It compares whole positions.
 */

#define RING 128
#define KEYS 256

typedef struct {
    u64 black, low, middle, high;
    u32 rights; /* side to move, castling rights and en passant square */
    u16 before; /* the position before with the same key, by number; 0 none */
    u16 occurred;
} Earlier;

static Earlier ring[RING];
static u16 latest[KEYS]; /* the latest position of each key, by number from 1; 0 none */
static u32 positions;    /* numbered so far */

static u32 rights_of(const ChessPosition *at) { return at->side | at->castling << 8 | (u32)at->en_passant << 16; }

static u32 key_of(const ChessPosition *at) {
    u64 mixed = at->black * 0x9E3779B97F4A7C15ull ^ at->low * 0xC2B2AE3D27D4EB4Full ^
                at->middle * 0x165667B19E3779F9ull ^ at->high * 0xD6E8FEB86659FD93ull;
    return (u32)(mixed >> 56) ^ at->side;
}

static i32 is_same(const Earlier *earlier, const ChessPosition *at) {
    return earlier->black == at->black && earlier->low == at->low && earlier->middle == at->middle &&
           earlier->high == at->high && earlier->rights == rights_of(at);
}

/* How often the position has occurred before it came up now as number POSITIONS. */
static i32 occurred_before(u32 number) {
    while (number && positions - number <= now->clock) {
        const Earlier *earlier = &ring[number % RING];
        if (is_same(earlier, now)) return earlier->occurred;
        number = earlier->before;
    }
    return 0;
}

static void remember(void) {
    u32 key = key_of(now);
    positions++;
    i32 occurred = 1 + occurred_before(latest[key]);
    now->occurred = (u8)occurred;
    ring[positions % RING] = (Earlier){
        now->black, now->low, now->middle, now->high, rights_of(now), latest[key], (u16)occurred,
    };
    latest[key] = (u16)positions;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* Whether no sequence of legal moves can mate either side, as far as the pieces alone tell. */
static i32 is_dead(const ChessPosition *at) {
    u64 pawns_rooks_queens = (at->low & ~(at->middle | at->high)) | (at->middle & at->high);
    if (pawns_rooks_queens) return 0;
    u64 knights = at->middle & ~at->low, bishops = at->high;
    if (!bishops) return !(knights & (knights - 1));
    return !knights && (!(bishops & DARK_SQUARES) || !(bishops & ~DARK_SQUARES));
}

static i32 status_now(void) {
    if (!count && now->check) return CHESS_CHECKMATE;
    if (is_dead(now)) return CHESS_MATERIAL;
    if (!count) return CHESS_STALEMATE;
    if (now->clock >= FIFTY_MOVES) return CHESS_FIFTY_MOVES;
    if (now->occurred >= 3) return CHESS_REPETITION;
    return decisions >= NETS_MAX_STEPS ? CHESS_MOVE_LIMIT : CHESS_PLAYING;
}

/* Playing ---------------------------------------------------------------------------------------------------------- */

/* Generates the replies and takes the position down. */
static void arrive(void) {
    count = chess_generate(now, mail.moves);
    remember();
}

static void play(u32 move) {
    chess_play(now, move);
    last_move = move;
    arrive();
}

static void refresh_packed(void) {
    mail.packed = last_action | (u64)decisions << 16 | (u64)opening << 32 | (u64)now->clock << 40 |
                  (u64)count << 48 | (u64)now->check << 56 | (u64)(now->occurred > 1) << 57;
}

/* The finaliser of splitmix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
 * OOPSLA 2014. */
static u64 mixed(u64 z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* 0 for seed 0; for the others each opening, the normal position too, is as likely as any. */
static i32 opening_of(u64 seed) { return (i32)((mixed(seed) >> 32) * (u64)(CHESS_OPENINGS + 1) >> 32); }

NETS_EXPORT(reset) void reset(i64 seed) {
    __builtin_memset(latest, 0, sizeof(latest));
    positions = 0;
    decisions = 0;
    last_action = last_move = approved = 0;
    opening = opening_of((u64)seed);
    chess_start(now);
    arrive();
    if (opening) {
        const char *line = chess_openings[opening - 1];
        for (u32 ply = 0, move; (move = chess_opening_move(line, (i32)ply)); ply++) play(move);
    }
    status = status_now();
    refresh_packed();
}

NETS_EXPORT(is_legal) i32 is_legal(i64 action) {
    approved = 0;
    if (status != CHESS_PLAYING) return 0;
    for (i32 i = 0; i < count; i++)
        if (mail.moves[i] == action) {
            approved = (u32)action;
            return 1;
        }
    return 0;
}

NETS_EXPORT(step) void step(i64 action) {
    if ((!approved || action != approved) && !is_legal(action)) return;
    approved = 0;
    decisions++;
    last_action = (u32)action;
    play((u32)action);
    status = status_now();
    refresh_packed();
}

NETS_EXPORT(to_move) i32 to_move(void) { return now->side; }
NETS_EXPORT(observe) i64 observe(void) { return (i64)mail.packed; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) {
    return NETS_SLICE(&mail, sizeof(mail.packed) + sizeof(mail.position) + 2 * (u32)count);
}
NETS_EXPORT(is_done) i32 is_done(void) { return status != CHESS_PLAYING; }

NETS_EXPORT(score) i64 score(i32 seat) {
    if (status == CHESS_PLAYING) return 0;
    if (status != CHESS_CHECKMATE) return 1;
    return seat == now->side ? 0 : 2;
}

/* The replay's view: drawn when asked for, no step pays for it. ---------------------------------------------------- */

/* The cell of a square: rows count from the top left there, from the bottom left here. */
static u8 cell_of(i32 square) { return (u8)(square ^ 56); }

NETS_EXPORT(state) i64 state(void) {
    static u8 view[CHESS_STATE_BYTES] __attribute__((aligned(16)));
    u64 us = chess_own(now);
    view[0] = now->side;
    view[1] = now->castling;
    view[2] = now->en_passant;
    view[3] = now->clock;
    *(u16 *)(view + 4) = now->number;
    *(u16 *)(view + 6) = (u16)decisions;
    view[8] = (u8)status;
    view[9] = (u8)opening;
    view[10] = now->occurred;
    view[11] = (u8)count;
    view[12] = last_move ? cell_of(chess_from(last_move)) : CHESS_NONE;
    view[13] = last_move ? cell_of(chess_to(last_move)) : CHESS_NONE;
    view[14] = now->check ? cell_of(chess_first(chess_kings(now) & us)) : CHESS_NONE;
    view[15] = now->check;
    for (i32 square = 0; square < 64; square++) {
        i32 black = (i32)(now->black >> square & 1);
        view[CHESS_STATE_HEADER + cell_of(square)] = (u8)(chess_piece(now, square) + CHESS_BLACK_PIECE * black);
    }
    return NETS_SLICE(view, CHESS_STATE_BYTES);
}
