/* Secure: plays so that the worst that can happen to it is as good as possible. It reads its own payoffs from the
 * packed observation, works out the maximin strategy of the single game, mixed where that is better, and lets its coin
 * draw. Source: von Neumann, "Zur Theorie der Gesellschaftsspiele", 1928. */
#include "matrix.h"

static i32 smaller(i32 a, i32 b) { return a < b ? a : b; }

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 cc = matrix_payoff(packed, 0), cd = matrix_payoff(packed, 1);
    i32 dc = matrix_payoff(packed, 2), dd = matrix_payoff(packed, 3);
    /* Played C with chance p, the game pays the same against C and against D where p * slope = level. */
    i32 slope = cc - dc - cd + dd, level = dd - dc;
    /* Mixing helps only when neither row is at least as good as the other against both columns. */
    i32 crosses = (cc > dc && dd > cd) || (cc < dc && dd < cd);
    /* ... and when the opponent's better column differs from row to row. */
    i32 no_saddle = (cc > cd && dd > dc) || (cc < cd && dd < dc);
    if (crosses && no_saddle) return matrix_coin(packed) < 256 * level / slope ? MATRIX_C : MATRIX_D;
    return smaller(cc, cd) >= smaller(dc, dd) ? MATRIX_C : MATRIX_D;
}
