/* What Colonel Blotto shows its players: shared by blotto.c and by the agents that play it.
 *
 * A match is BLOTTO_ROUNDS rounds over the same BLOTTO_FIELDS fields. Each field is worth 2, 4, 6 or 8 points, drawn
 * from the seed and known to both. Every round each player spreads BLOTTO_SOLDIERS over the fields; who has more on a
 * field takes its points, equal numbers share them. An action holds the soldiers of field f in bits 7 * f and up; all
 * soldiers must be placed (`blotto_pack`). Nobody sees the other's soldiers of a round before having placed the own.
 *
 * The packed observation:
 *
 *     bits 0..34   the opponent's soldiers of the round before on fields 0 to 4, 7 bits each; the rest stood on field 5
 *     bits 35..46  what the fields are worth, 2 bits each: 0 stands for 2 points, 3 for 8
 *     bits 47..52  number of this round, from 0; in round 0 there is no round before
 *     bits 53..63  coin: 11 random bits of this round that only this player sees, for mixed strategies
 *
 * The full observation, BLOTTO_BYTES long:
 *
 *     bytes 0..7    the packed observation, little endian
 *     bytes 8..9    own points, bytes 10..11 the opponent's points, little endian
 *     byte  12      rounds played so far
 *     byte  13      rounds of the match
 *     bytes 14..19  what the fields are worth, in points
 *     bytes 20..23  32 random bits of this round; the lowest 11 are the coin of the packed observation
 *     bytes 24..    the rounds played so far, oldest first, BLOTTO_ROW bytes each: own soldiers by field, the
 *                   opponent's soldiers by field, own points, the opponent's points
 */
#ifndef BLOTTO_H
#define BLOTTO_H

#include "nets.h"

#define BLOTTO_ROUNDS 50
#define BLOTTO_FIELDS 6
#define BLOTTO_SOLDIERS 100
#define BLOTTO_BITS 7
#define BLOTTO_HEADER 24
#define BLOTTO_ROW (2 * BLOTTO_FIELDS + 2)
#define BLOTTO_BYTES (BLOTTO_HEADER + BLOTTO_ROUNDS * BLOTTO_ROW)

/* The soldiers that an action puts on FIELD. */
static inline i32 blotto_soldiers(i64 action, i32 field) { return (i32)(action >> BLOTTO_BITS * field & 127); }

/* The action that puts SOLDIERS[f] on field f. */
static inline i64 blotto_pack(const i32 *soldiers) {
    i64 action = 0;
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) action |= (i64)soldiers[field] << BLOTTO_BITS * field;
    return action;
}

/* The fields of the packed observation. */
static inline i32 blotto_theirs(i64 packed, i32 field) {
    if (field < BLOTTO_FIELDS - 1) return (i32)(packed >> BLOTTO_BITS * field & 127);
    i32 rest = BLOTTO_SOLDIERS;
    for (i32 other = 0; other < BLOTTO_FIELDS - 1; other++) rest -= blotto_theirs(packed, other);
    return rest;
}
static inline i32 blotto_worth(i64 packed, i32 field) { return (i32)(2 * (packed >> (35 + 2 * field) & 3) + 2); }
static inline i32 blotto_round(i64 packed) { return (i32)(packed >> 47 & 63); }
static inline i32 blotto_coin(i64 packed) { return (i32)((u64)packed >> 53); }

/* Spreads all soldiers in proportion to WEIGHT (not all 0, each below 2^20), the remainders to the first fields. */
static inline void blotto_spread(const i32 *weight, i32 *soldiers) {
    i32 all = 0, left = BLOTTO_SOLDIERS;
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) all += weight[field];
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) {
        soldiers[field] = BLOTTO_SOLDIERS * weight[field] / all;
        left -= soldiers[field];
    }
    for (i32 field = 0; left > 0; field = (field + 1) % BLOTTO_FIELDS)
        if (weight[field] > 0) {
            soldiers[field]++;
            left--;
        }
}

#endif
