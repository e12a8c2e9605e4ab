/* Generous tit for tat: does what the opponent did, but forgives a D as often as it can afford; its coin decides.
 *
 * With payoffs T (DC), R (CC), P (DD) and S (CD) that is min(1 - (T - R) / (R - S), (R - P) / (T - P)): one time in
 * three in the usual dilemma. In a game that is no dilemma it never forgives. Source: Nowak and Sigmund, "Tit for tat
 * in heterogeneous populations", 1992. */
#include "matrix.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 r = matrix_payoff(packed, 0), s = matrix_payoff(packed, 1);
    i32 t = matrix_payoff(packed, 2), p = matrix_payoff(packed, 3);
    if (matrix_theirs(packed) != MATRIX_D) return MATRIX_C;
    if (!(t > r && r > p && p > s)) return MATRIX_D;
    i32 one = 256 * (2 * r - s - t) / (r - s), two = 256 * (r - p) / (t - p);
    return matrix_coin(packed) < (one < two ? one : two) ? MATRIX_C : MATRIX_D;
}
