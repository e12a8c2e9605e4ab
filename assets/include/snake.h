/* What snake shows its players: shared by snake.c and by the agents that play it.
 *
 * The packed observation, byte 0 the least significant:
 *
 *     byte 0  head x        byte 1  head y        byte 2  apple x       byte 3  apple y
 *     byte 4  direction the snake is heading (0 up, 1 right, 2 down, 3 left)
 *     byte 5  length of the snake, head included
 *     byte 6  deadly moves: bit d is set when moving in direction d ends the match
 *     byte 7  status (see SNAKE_RUNNING and below); always SNAKE_RUNNING while a player is asked
 *
 * Bytes 0 to 3 alone suffice to play. x grows to the right, y grows downwards, (0, 0) is the top left cell. When the
 * board is full there is no apple: its x and y are 255.
 *
 * The full observation, also the state that a replay view draws, SNAKE_BYTES long:
 *
 *     bytes 0..7     the packed observation, little endian
 *     byte  8        tail x
 *     byte  9        tail y
 *     byte  10       width of the board
 *     byte  11       height of the board
 *     bytes 12..13   steps played so far, little endian
 *     bytes 14..15   steps of the longest possible match, little endian
 *     bytes 16..     the cells, row by row from the top left; see SNAKE_EMPTY and below
 *
 * A body cell tells in which direction its next segment towards the head lies, so the cells and the tail give the
 * order of the whole body.
 *
 * Actions: 0 up, 1 right, 2 down, 3 left, -1 (all 64 bits set) keeps the direction; all others are illegal. Turning
 * back onto the own neck is legal and deadly.
 */
#ifndef SNAKE_H
#define SNAKE_H

#include "nets.h"

#define SNAKE_WIDTH 10
#define SNAKE_HEIGHT 10
#define SNAKE_CELLS (SNAKE_WIDTH * SNAKE_HEIGHT)
#define SNAKE_HEADER 16
#define SNAKE_BYTES (SNAKE_HEADER + SNAKE_CELLS)

enum { SNAKE_UP, SNAKE_RIGHT, SNAKE_DOWN, SNAKE_LEFT };

/* Cells. SNAKE_BODY + d: a body segment whose successor lies in direction d. */
enum { SNAKE_EMPTY, SNAKE_BODY, SNAKE_HEAD = 5, SNAKE_APPLE = 6 };

/* Status. */
enum { SNAKE_RUNNING, SNAKE_HIT_WALL, SNAKE_HIT_BODY, SNAKE_TIME_UP, SNAKE_FULL };

/* Steps in the x and y direction of a move. */
static inline i32 snake_dx(i32 direction) { return (direction == SNAKE_RIGHT) - (direction == SNAKE_LEFT); }
static inline i32 snake_dy(i32 direction) { return (direction == SNAKE_DOWN) - (direction == SNAKE_UP); }

/* The fields of the packed observation. */
static inline i32 snake_head_x(i64 packed) { return (i32)(packed & 255); }
static inline i32 snake_head_y(i64 packed) { return (i32)(packed >> 8 & 255); }
static inline i32 snake_apple_x(i64 packed) { return (i32)(packed >> 16 & 255); }
static inline i32 snake_apple_y(i64 packed) { return (i32)(packed >> 24 & 255); }
static inline i32 snake_direction(i64 packed) { return (i32)(packed >> 32 & 3); }
static inline i32 snake_length(i64 packed) { return (i32)(packed >> 40 & 255); }
static inline i32 snake_deadly(i64 packed) { return (i32)(packed >> 48 & 15); }

/* The direction that brings the head nearer to the apple, sideways first. */
static inline i32 snake_towards_apple(i64 packed) {
    i32 x = snake_head_x(packed), apple = snake_apple_x(packed);
    if (apple > x) return SNAKE_RIGHT;
    if (apple < x) return SNAKE_LEFT;
    return snake_apple_y(packed) > snake_head_y(packed) ? SNAKE_DOWN : SNAKE_UP;
}

#endif
