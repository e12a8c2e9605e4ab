/* Planner: learns how the opponent answers and plans many rounds ahead. It works for any payoffs.
 *
 *   1. From the rounds in its mailbox it counts, for each of the four ways a round can end, how often the opponent then
 *      played C and D. Before anything is known it expects tit for tat.
 *   2. A round's end, the own next action and these chances make a Markov decision process of four states. Repeated
 *      backups give what each state is worth; a payoff a round later counts a bit less (DISCOUNT).
 *   3. It plays the action that is worth more.
 * Source of the method: value iteration, Bellman, "Dynamic Programming", 1957. */
#include "matrix.h"

#define DISCOUNT 0.97
#define BACKUPS 120
/* How many rounds the first opinion of a state weighs, and how sure it is. */
#define OPINION 1.0
#define SURE 0.9

NETS_MAILBOX(mail, 512)

static double count[MATRIX_CELLS][2], worth[MATRIX_CELLS];

static void learn(void) {
    i32 rounds = mail[2];
    const u8 *row = mail + MATRIX_HEADER;
    for (i32 cell = 0; cell < MATRIX_CELLS; cell++) {
        i32 own = cell >> 1;
        count[cell][own] = OPINION * SURE;
        count[cell][!own] = OPINION * (1 - SURE);
    }
    for (i32 i = 0; i + 1 < rounds; i++, row += MATRIX_ROW)
        count[MATRIX_CELL(row[0], row[1])][row[MATRIX_ROW + 1]] += 1;
}

/* What ACTION is worth after a round that ended in CELL. */
static double value(i64 packed, i32 cell, i32 action) {
    double all = count[cell][0] + count[cell][1], sum = 0;
    for (i32 other = 0; other < 2; other++) {
        i32 next = MATRIX_CELL(action, other);
        sum += count[cell][other] * (matrix_payoff(packed, next) + DISCOUNT * worth[next]);
    }
    return sum / all;
}

static void plan(i64 packed) {
    for (i32 i = 0; i < BACKUPS; i++)
        for (i32 cell = 0; cell < MATRIX_CELLS; cell++) {
            double c = value(packed, cell, MATRIX_C), d = value(packed, cell, MATRIX_D);
            worth[cell] = c > d ? c : d;
        }
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    if (matrix_own(packed) == MATRIX_NONE) return MATRIX_C;
    learn();
    plan(packed);
    i32 cell = MATRIX_CELL(matrix_own(packed), matrix_theirs(packed));
    return value(packed, cell, MATRIX_C) >= value(packed, cell, MATRIX_D) ? MATRIX_C : MATRIX_D;
}
