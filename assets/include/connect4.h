/* What connect four shows its players: shared by connect4.c and by the agents that play it.
 *
 * The board has seven columns, 0 to 6 from the left, and six rows. An action is the number of a
 * column that is not full.
 *
 * The packed observation is the whole position, as the player to move sees it; byte 0 is the least significant:
 *
 *     bytes 0..6  a column each: bit r tells whose stone lies in row r from the bottom, 1 the player's own, 0 the
 *                 opponent's; above the topmost stone follows a single 1, and above that nothing
 *     byte 7      the column of the last stone, CONNECT4_NONE on an empty board
 *
 * So an empty column is 1, and one with a stone of the opponent below and an own stone on it is binary 110. Two
 * bitboards, a byte a column, come out of it by a few shifts: `connect4_read`.
 *
 * The full observation, also the state that a replay view draws, CONNECT4_BYTES long; nothing in this game is hidden:
 *
 *     bytes 0..7    the packed observation of the seat to move, little endian
 *     byte  8       the seat to move          byte  9       stones on the board
 *     byte  10      stones of the opening that the match began with
 *     byte  11      the column of the last stone, and
 *     byte  12      its cell; CONNECT4_NONE on an empty board
 *     bytes 13..16  the cells of four in a row, CONNECT4_NONE while there are none
 *     byte  17      status, see CONNECT4_RUNNING and below
 *     bytes 18..    the cells, row by row from the top left: 0 empty, 1 a stone of seat 0, 2 a stone of seat 1
 */
#ifndef CONNECT4_H
#define CONNECT4_H

#include "nets.h"

#define CONNECT4_WIDTH 7
#define CONNECT4_HEIGHT 6
#define CONNECT4_CELLS (CONNECT4_WIDTH * CONNECT4_HEIGHT)
#define CONNECT4_NONE 255
#define CONNECT4_HEADER 18
#define CONNECT4_BYTES (CONNECT4_HEADER + CONNECT4_CELLS)

enum { CONNECT4_EMPTY, CONNECT4_FIRST, CONNECT4_SECOND };
enum { CONNECT4_RUNNING, CONNECT4_FIRST_WINS, CONNECT4_SECOND_WINS, CONNECT4_DRAW };

/* Bitboards: bit 8 * column + row. The two top bits of each byte stay 0: no line runs from a column into the next. */
#define CONNECT4_BOTTOM 0x0001010101010101ull
#define CONNECT4_BOARD 0x003F3F3F3F3F3F3Full
#define CONNECT4_COLUMN(column) (0x3Full << 8 * (column))
/* From one cell to the next: up, right, down right, up right. */
#define CONNECT4_DIRECTIONS {1, 8, 7, 9}

typedef struct {
    u64 own, taken; /* stones of the player to move; all stones */
} Connect4;

/* The position in a packed observation. */
static inline Connect4 connect4_read(i64 packed) {
    u64 columns = (u64)packed & 0x007F7F7F7F7F7F7Full, filled = columns;
    filled |= filled >> 1 & 0x3F3F3F3F3F3F3F3Full;
    filled |= filled >> 2 & 0x1F1F1F1F1F1F1F1Full;
    filled |= filled >> 4 & 0x0707070707070707ull;
    u64 taken = filled >> 1 & CONNECT4_BOARD; /* all that lies below the single 1 */
    return (Connect4){columns & taken, taken};
}

/* The packed form, but for the last column. */
static inline u64 connect4_write(Connect4 p) { return p.own | (p.taken + CONNECT4_BOTTOM); }

static inline i32 connect4_last(i64 packed) { return (i32)((u64)packed >> 56); }

/* The cells that the next stone may take, a bit each. */
static inline u64 connect4_moves(u64 taken) { return (taken + CONNECT4_BOTTOM) & CONNECT4_BOARD; }

/* The column of a single cell, or of the first one of several. */
static inline i32 connect4_column(u64 cells) { return __builtin_ctzll(cells) >> 3; }

/* The first cells of all fours in a row among STONES in a direction. */
static inline u64 connect4_fours(u64 stones, i32 direction) {
    u64 pairs = stones & stones >> direction;
    return pairs & pairs >> 2 * direction;
}

/* Whether STONES has four in a row. */
static inline i32 connect4_has_four(u64 stones) {
    return (connect4_fours(stones, 1) | connect4_fours(stones, 8) | connect4_fours(stones, 7) |
            connect4_fours(stones, 9)) != 0;
}

/* The cells that would complete four in a row of STONES in one direction; may lie off the board. */
static inline u64 connect4_completes(u64 stones, i32 s) {
    u64 ahead = stones << s & stones << 2 * s, behind = stones >> s & stones >> 2 * s;
    return (ahead & (stones << 3 * s | stones >> s)) | (behind & (stones << s | stones >> 3 * s));
}

/* The free cells, reachable or not, that would complete four in a row of STONES. Source of the shifts: Pons, "Solving
 * Connect 4", 2015. */
static inline u64 connect4_threats(u64 stones, u64 taken) {
    u64 found = (stones << 1 & stones << 2 & stones << 3) | connect4_completes(stones, 8) |
                connect4_completes(stones, 7) | connect4_completes(stones, 9);
    return found & CONNECT4_BOARD & ~taken;
}

#endif
