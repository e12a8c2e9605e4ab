/* Connect four, seven columns and six rows. Two seats. ABI v1; see nets.h and connect4.h.
 *
 * Rules. The players take turns in dropping a stone into a column that is not full; it falls to the lowest free cell.
 * Who first has four stones in a row, column or diagonal wins; a full board without is a draw. A win scores 2, a draw
 * 1, a loss 0.
 *
 * Openings. From the empty board who begins wins by playing the centre (Allis, "A knowledge-based approach of
 * connect-four: the game is solved, white wins", 1988), and two agents without chance would play one match for ever. So
 * the seed chooses the first four stones, two of each seat, and seat 0 goes on. Of the 1,120 positions with four stones
 * 200 are drawn when both play perfectly, as an exact solver found. The match begins with one of these: neither seat
 * has an advantage, and nobody can win at once. Seed 0 begins with the empty board.
 */
#include "connect4.h"
#include "draws.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from connect4.json"
#endif

_Static_assert(NETS_MAX_STEPS >= CONNECT4_CELLS, "the board must be filled within the match");

/* Where the fields of connect4.h lie. */
enum { TO_MOVE = 8, STONES, OPENING, LAST_COLUMN, LAST_CELL, FOUR, STATUS = 17 };

/* The drawn openings, but for their mirror images: the four columns, in octal. Two of them are their own image. */
#define OPENING_STONES 4
static const u16 openings[] = {
    00011, 00012, 00013, 00021, 00022, 00023, 00062, 00063, 00065, 00102, 00105, 00106, 00126, 00141, 00143, 00144,
    00146, 00151, 00152, 00155, 00156, 00162, 00200, 00205, 00214, 00223, 00235, 00243, 00316, 00324, 00325, 00334,
    00346, 00354, 00405, 00422, 00424, 00553, 00622, 00655, 00660, 00662, 01000, 01001, 01002, 01004, 01020, 01021,
    01022, 01024, 01051, 01055, 01056, 01110, 01113, 01142, 01143, 01144, 01146, 01151, 01153, 01232, 01311, 01322,
    01324, 01325, 01326, 01333, 01344, 01422, 01424, 01553, 01644, 01662, 02002, 02003, 02004, 02005, 02022, 02043,
    02111, 02132, 02135, 02141, 02143, 02144, 02145, 02222, 02234, 02322, 02333, 02422, 02434, 02444, 02522, 02552,
    02664, 03004, 03133, 03222, 03233,
};
#define N_OPENINGS (sizeof(openings) / sizeof(openings[0]))

static u8 view[CONNECT4_BYTES] __attribute__((aligned(8)));
static u64 stones[2]; /* by seat */

static void refresh_packed(void) {
    Connect4 p = {stones[view[TO_MOVE]], stones[0] | stones[1]};
    *(u64 *)view = connect4_write(p) | (u64)view[LAST_COLUMN] << 56;
}

/* The cell in the view of a bit on the bitboards. */
static u8 cell_of(i32 bit) { return (u8)((CONNECT4_HEIGHT - 1 - (bit & 7)) * CONNECT4_WIDTH + (bit >> 3)); }

/* Ends the match when SEAT has four in a row, and marks one such line. */
static void look_for_four(i32 seat) {
    static const u8 directions[4] = CONNECT4_DIRECTIONS;
    for (i32 d = 0; d < 4; d++) {
        u64 starts = connect4_fours(stones[seat], directions[d]);
        if (!starts) continue;
        i32 bit = __builtin_ctzll(starts);
        for (i32 i = 0; i < 4; i++) view[FOUR + i] = cell_of(bit + i * directions[d]);
        view[STATUS] = (u8)(CONNECT4_FIRST_WINS + seat);
        return;
    }
}

/* Drops a stone of the seat to move into a column that is not full. */
static void drop(i32 column) {
    i32 seat = view[TO_MOVE];
    u64 cell = connect4_moves(stones[0] | stones[1]) & CONNECT4_COLUMN(column);
    stones[seat] |= cell;
    view[LAST_COLUMN] = (u8)column;
    view[LAST_CELL] = cell_of(__builtin_ctzll(cell));
    view[CONNECT4_HEADER + view[LAST_CELL]] = (u8)(CONNECT4_FIRST + seat);
    view[STONES]++;
    view[TO_MOVE] ^= 1;
    look_for_four(seat);
    if (view[STATUS] == CONNECT4_RUNNING && view[STONES] == CONNECT4_CELLS) view[STATUS] = CONNECT4_DRAW;
}

static void play_opening(u64 seed) {
    Draws draws;
    draws_start(&draws, seed);
    u32 choice = draws_below(&draws, 2 * N_OPENINGS);
    for (i32 i = OPENING_STONES - 1; i >= 0; i--) {
        i32 column = openings[choice / 2] >> 3 * i & 7;
        drop(choice & 1 ? CONNECT4_WIDTH - 1 - column : column);
    }
    view[OPENING] = OPENING_STONES;
}

NETS_EXPORT(reset) void reset(i64 seed) {
    __builtin_memset(view, 0, sizeof(view));
    __builtin_memset(view + LAST_COLUMN, CONNECT4_NONE, STATUS - LAST_COLUMN);
    stones[0] = stones[1] = 0;
    if (seed != 0) play_opening((u64)seed);
    refresh_packed();
}

NETS_EXPORT(is_done) i32 is_done(void) { return view[STATUS] != CONNECT4_RUNNING; }

NETS_EXPORT(is_legal) i32 is_legal(i64 action) {
    if (is_done() || action < 0 || action >= CONNECT4_WIDTH) return 0;
    return (connect4_moves(stones[0] | stones[1]) & CONNECT4_COLUMN(action)) != 0;
}

NETS_EXPORT(step) void step(i64 action) {
    if (!is_legal(action)) return;
    drop((i32)action);
    refresh_packed();
}

NETS_EXPORT(score) i64 score(i32 seat) {
    if (view[STATUS] == CONNECT4_DRAW) return seat == 0 || seat == 1;
    return seat >= 0 && view[STATUS] == CONNECT4_FIRST_WINS + seat && seat <= 1 ? 2 : 0;
}

NETS_EXPORT(to_move) i32 to_move(void) { return view[TO_MOVE]; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view, CONNECT4_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(view, CONNECT4_BYTES); }
