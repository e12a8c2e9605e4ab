/* What rock-paper-scissors shows its players: shared by rps.c and by the agents that play it.
 *
 * A match is RPS_ROUNDS rounds. In each both players show rock (0), paper (1) or scissors (2) at the same time: each
 * beats the one before it, and rock beats scissors. So (own - other) mod 3 is 0 for a tie, 1 for a win, 2 for a loss.
 *
 * The packed observation, byte 0 the least significant:
 *
 *     byte 0      what the opponent showed in the round before; RPS_NONE in the first round
 *     byte 1      what the player itself showed in the round before; RPS_NONE in the first round
 *     byte 2      rounds played so far        byte 3      rounds of the match
 *     bytes 4..5  points so far: rounds won minus rounds lost, signed
 *     bytes 6..7  coin: 16 random bits of this round that only this player sees, for mixed strategies
 *
 * The full observation, RPS_BYTES long:
 *
 *     bytes 0..7    the packed observation, little endian
 *     bytes 8..     the rounds played so far, oldest first, RPS_ROW bytes each: shown by the player, shown by the
 *                   opponent; zero for the rounds to come
 */
#ifndef RPS_H
#define RPS_H

#include "nets.h"

#define RPS_ROUNDS 200
#define RPS_NONE 3
#define RPS_HEADER 8
#define RPS_ROW 2
#define RPS_BYTES (RPS_HEADER + RPS_ROUNDS * RPS_ROW)

enum { RPS_ROCK, RPS_PAPER, RPS_SCISSORS, RPS_MOVES };

/* The fields of the packed observation. */
static inline i32 rps_theirs(i64 packed) { return (i32)(packed & 255); }
static inline i32 rps_own(i64 packed) { return (i32)(packed >> 8 & 255); }
static inline i32 rps_round(i64 packed) { return (i32)(packed >> 16 & 255); }
static inline i32 rps_points(i64 packed) { return (short)(packed >> 32); }
static inline u32 rps_coin(i64 packed) { return (u32)((u64)packed >> 48); }

/* What beats a move, and what loses to it. */
static inline i32 rps_beats(i32 move) { return (move + 1) % RPS_MOVES; }
static inline i32 rps_loses_to(i32 move) { return (move + 2) % RPS_MOVES; }

/* The points of a round for who shows OWN: 1, 0 or -1. */
static inline i32 rps_won(i32 own, i32 other) {
    i32 ahead = (own - other + RPS_MOVES) % RPS_MOVES;
    return ahead == 2 ? -1 : ahead;
}

/* A move by the coin alone, each as likely as the others (to 1 in 65,536). */
static inline i32 rps_by_coin(i64 packed) { return (i32)(rps_coin(packed) * RPS_MOVES >> 16); }

#endif
