/* Counter: finds the spread that would have won most against what the opponent did in the last rounds, and plays it.
 *
 * On a field only a few numbers make sense: none, or one more than the opponent had in some round. For each of them it
 * counts what it would have won, and puts the best numbers of all fields together, field by field, for every number of
 * soldiers left (dynamic programming). What is left over goes to the fields in turn. */
#include "blotto.h"

#define MEMORY 7

NETS_MAILBOX(mail, 1024)

/* best[f][n]: the most that fields f and up can win with n soldiers; choice[f][n]: how many of them go to f. */
static i32 best[BLOTTO_FIELDS + 1][BLOTTO_SOLDIERS + 1];
static u8 choice[BLOTTO_FIELDS][BLOTTO_SOLDIERS + 1];

static const u8 *their_soldiers(i32 round) { return mail + BLOTTO_HEADER + round * BLOTTO_ROW + BLOTTO_FIELDS; }

/* What SOLDIERS on FIELD would have won in the rounds from FROM to before UNTIL; later rounds count more. */
static i32 gain(i32 field, i32 soldiers, i32 from, i32 until) {
    i32 won = 0;
    for (i32 round = from; round < until; round++) {
        i32 theirs = their_soldiers(round)[field], weight = 4 + round - from;
        won += weight * (soldiers > theirs ? 2 : soldiers == theirs);
    }
    return won * mail[14 + field];
}

static void try_number(i32 field, i32 soldiers, i32 from, i32 until) {
    i32 won = gain(field, soldiers, from, until);
    for (i32 n = soldiers; n <= BLOTTO_SOLDIERS; n++) {
        i32 all = won + best[field + 1][n - soldiers];
        if (all > best[field][n]) {
            best[field][n] = all;
            choice[field][n] = (u8)soldiers;
        }
    }
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 until = blotto_round(packed), from = until > MEMORY ? until - MEMORY : 0, left = BLOTTO_SOLDIERS;
    i32 soldiers[BLOTTO_FIELDS];
    for (i32 field = BLOTTO_FIELDS - 1; field >= 0; field--) {
        for (i32 n = 0; n <= BLOTTO_SOLDIERS; n++) best[field][n] = -1;
        try_number(field, 0, from, until);
        for (i32 round = from; round < until; round++)
            if (their_soldiers(round)[field] < BLOTTO_SOLDIERS)
                try_number(field, their_soldiers(round)[field] + 1, from, until);
    }
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) {
        soldiers[field] = choice[field][left];
        left -= soldiers[field];
    }
    for (i32 field = 0; left > 0; field = (field + 1) % BLOTTO_FIELDS, left--) soldiers[field]++;
    return blotto_pack(soldiers);
}
