/* What sequence prediction shows its players: shared by sequence.c and by the agents that play it.
 *
 * A hidden process writes SEQUENCE_STEPS symbols, 0 and 1, or 0, 1 and 2. Before each of them the player predicts it:
 * an action is a symbol of the alphabet. A right prediction scores a point. sequence.c says which processes there are;
 * which one it is, the player has to find out.
 *
 * The packed observation:
 *
 *     bits 0..47   the last 24 symbols, two bits each, the newest lowest; 0 where there is none yet
 *     bits 48..57  how many symbols have been seen, 0 to SEQUENCE_STEPS - 1
 *     bits 58..59  how many symbols the alphabet has, 2 or 3
 *
 * The full observation, SEQUENCE_BYTES long:
 *
 *     bytes 0..7    the packed observation, little endian
 *     bytes 8..9    right predictions so far, little endian
 *     bytes 10..11  symbols of the match, little endian
 *     bytes 12..    the symbols, oldest first; SEQUENCE_UNSEEN for those to come
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include "nets.h"

#define SEQUENCE_STEPS 500
#define SEQUENCE_ALPHABET 3
#define SEQUENCE_UNSEEN 255
#define SEQUENCE_HEADER 12
#define SEQUENCE_BYTES (SEQUENCE_HEADER + SEQUENCE_STEPS)

/* The fields of the packed observation. AGE 0 is the newest symbol, 23 the oldest that is there. */
static inline i32 sequence_symbol(i64 packed, i32 age) { return (i32)(packed >> 2 * age & 3); }
static inline i32 sequence_seen(i64 packed) { return (i32)(packed >> 48 & 1023); }
static inline i32 sequence_alphabet(i64 packed) { return (i32)(packed >> 58 & 3); }

#endif
