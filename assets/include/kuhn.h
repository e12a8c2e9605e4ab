/* What Kuhn poker shows its players: shared by kuhn.c and by the agents that play it.
 *
 * A match is KUHN_HANDS hands; seat 0 acts first in the even ones, seat 1 in the odd ones. In every hand both pay one
 * chip and get one of three cards: J (0), Q (1), K (2). An action is one bit:
 *
 *     0   check; facing a bet: fold
 *     1   bet one chip; facing a bet: call
 *
 * and a hand is one of nine lines, four in which somebody has to act and five ends (`kuhn_next`):
 *
 *     0 start      1 check      2 bet      3 check, bet                          somebody has to act
 *     4 check, check            5 bet, fold             6 bet, call              the end
 *     7 check, bet, fold        8 check, bet, call                               the end
 *
 * Lines 4, 6 and 8 are showdowns: both cards are turned up, the higher one takes the pot. After a fold nothing is
 * turned up: neither player ever learns the other's card of that hand.
 *
 * The packed observation, byte 0 the least significant:
 *
 *     byte 0      own card                    byte 1      line of this hand, 0 to 3
 *     byte 2      number of this hand, from 0 byte 3      1 when the player acts first in this hand
 *     byte 4      line in which the hand before ended, 4 to 8; 0 in the first hand
 *     byte 5      the opponent's card of the hand before; KUHN_HIDDEN when it was not shown
 *     bytes 6..7  coin: 16 random bits of this hand that only this player sees, for mixed strategies
 *
 * The full observation, KUHN_BYTES long:
 *
 *     bytes 0..7    the packed observation, little endian
 *     bytes 8..9    chips won so far, signed, little endian
 *     byte  10      hands played so far
 *     byte  11      hands of the match
 *     bytes 12..    the hands played so far, oldest first, KUHN_ROW bytes each: own card, the opponent's card or
 *                   KUHN_HIDDEN, 1 when acted first, line in which it ended, chips won (signed)
 */
#ifndef KUHN_H
#define KUHN_H

#include "nets.h"

#define KUHN_HANDS 100
#define KUHN_CARDS 3
#define KUHN_HIDDEN 255
#define KUHN_HEADER 12
#define KUHN_ROW 5
#define KUHN_BYTES (KUHN_HEADER + KUHN_HANDS * KUHN_ROW)

enum { KUHN_JACK, KUHN_QUEEN, KUHN_KING };
enum { KUHN_PASS, KUHN_BET };

/* Lines. */
enum {
    KUHN_START,
    KUHN_CHECKED,
    KUHN_FACES_BET,
    KUHN_CHECKED_FACES_BET,
    KUHN_CHECK_CHECK,
    KUHN_BET_FOLD,
    KUHN_BET_CALL,
    KUHN_CHECK_BET_FOLD,
    KUHN_CHECK_BET_CALL,
    KUHN_LINES
};

/* The fields of the packed observation. */
static inline i32 kuhn_card(i64 packed) { return (i32)(packed & 255); }
static inline i32 kuhn_line(i64 packed) { return (i32)(packed >> 8 & 255); }
static inline i32 kuhn_hand(i64 packed) { return (i32)(packed >> 16 & 255); }
static inline i32 kuhn_acts_first(i64 packed) { return (i32)(packed >> 24 & 1); }
static inline i32 kuhn_last_end(i64 packed) { return (i32)(packed >> 32 & 255); }
static inline i32 kuhn_last_shown(i64 packed) { return (i32)(packed >> 40 & 255); }
static inline i32 kuhn_coin(i64 packed) { return (i32)((u64)packed >> 48); }

/* The line that ACTION leads to from one in which somebody has to act. */
static inline i32 kuhn_next(i32 line, i32 action) {
    static const u8 next[KUHN_CHECK_CHECK][2] = {{KUHN_CHECKED, KUHN_FACES_BET},
                                                 {KUHN_CHECK_CHECK, KUHN_CHECKED_FACES_BET},
                                                 {KUHN_BET_FOLD, KUHN_BET_CALL},
                                                 {KUHN_CHECK_BET_FOLD, KUHN_CHECK_BET_CALL}};
    return next[line][action];
}

static inline i32 kuhn_is_end(i32 line) { return line >= KUHN_CHECK_CHECK; }
static inline i32 kuhn_is_fold(i32 line) { return line == KUHN_BET_FOLD || line == KUHN_CHECK_BET_FOLD; }

/* Whether the player who began the hand acts in LINE, and not the other. */
static inline i32 kuhn_first_acts(i32 line) { return line == KUHN_START || line == KUHN_CHECKED_FACES_BET; }

/* The chips that a hand which ended in LINE brought the player with card OWN. */
static inline i32 kuhn_won(i32 line, i32 own, i32 other, i32 acts_first) {
    if (line == KUHN_BET_FOLD) return acts_first ? 1 : -1;
    if (line == KUHN_CHECK_BET_FOLD) return acts_first ? -1 : 1;
    i32 stake = line == KUHN_CHECK_CHECK ? 1 : 2;
    return own > other ? stake : -stake;
}

#endif
