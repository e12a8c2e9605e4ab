/* What an iterated matrix game shows its players: shared by matrix.c and by the agents that play it.
 *
 * In every round both players choose C (0) or D (1) at the same time; their payoffs are looked up in a table of four
 * cells. C stands for "cooperate" and D for "defect" where the game is a dilemma, otherwise for the first and second
 * choice. A league sets the table, the least number of rounds, the chance that the match goes on after them, and the
 * noise: see MATRIX_PARAMS. Nobody knows in advance which round will be the last.
 *
 * Every player sees the game from its own seat: cells are named by its own action and then the opponent's, so cell CD
 * is "I chose C, the opponent D", and a player that is good in one seat is good in the other.
 *
 * The packed observation, byte 0 the least significant:
 *
 *     byte 0      what the opponent played in the round before; MATRIX_NONE in the first round
 *     byte 1      what the player itself played in the round before; MATRIX_NONE in the first round
 *     byte 2      rounds played so far
 *     byte 3      coin: 8 random bits of this round that only this player sees, for mixed strategies
 *     bytes 4..7  the player's own payoffs in the cells CC, CD, DC, DD, signed
 *
 * With noise, what was played may differ from what was chosen; the opponent sees only what was played.
 *
 * The full observation, MATRIX_BYTES long:
 *
 *     bytes 0..7    the packed observation, little endian
 *     bytes 8..11   the opponent's payoffs in the same cells CC, CD, DC, DD, signed
 *     byte  12      rounds that are played for certain
 *     byte  13      chance in percent of one more round, after those and after each further one
 *     byte  14      noise: chance in percent that an action is turned into the other one, for each action
 *     byte  15      rounds after which a match ends in any case: MATRIX_MOST_ROUNDS
 *     bytes 16..17  payoffs so far, signed, little endian
 *     bytes 18..19  the opponent's payoffs so far, likewise
 *     bytes 20..    the rounds played so far, oldest first, MATRIX_ROW bytes each: played by the player, played by the
 *                   opponent; zero for the rounds to come
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "nets.h"

#define MATRIX_MOST_ROUNDS 200
#define MATRIX_NONE 2
#define MATRIX_HEADER 20
#define MATRIX_ROW 2
#define MATRIX_BYTES (MATRIX_HEADER + MATRIX_MOST_ROUNDS * MATRIX_ROW)

enum { MATRIX_C, MATRIX_D };

/* A cell by two actions, and the number of cells. */
#define MATRIX_CELL(own, other) ((own) * 2 + (other))
#define MATRIX_CELLS 4

/* The parameters, in the order of matrix.json: the payoffs of seat 0 ("a") and of seat 1 ("b"), four cells each, named
 * by the action of seat 0 and then that of seat 1 for both of them; then the rest. */
enum { MATRIX_A, MATRIX_B = 4, MATRIX_ROUNDS = 8, MATRIX_CONTINUATION, MATRIX_NOISE, MATRIX_PARAMS };

/* The fields of the packed observation. */
static inline i32 matrix_theirs(i64 packed) { return (i32)(packed & 255); }
static inline i32 matrix_own(i64 packed) { return (i32)(packed >> 8 & 255); }
static inline i32 matrix_round(i64 packed) { return (i32)(packed >> 16 & 255); }
static inline i32 matrix_coin(i64 packed) { return (i32)(packed >> 24 & 255); }
static inline i32 matrix_payoff(i64 packed, i32 cell) { return (signed char)(packed >> (32 + 8 * cell)); }

#endif
