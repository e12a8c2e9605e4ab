/* Tit for tat: begins with C, then does what the opponent did. Source: Rapoport's entry in Axelrod, "Effective choice
 * in the prisoner's dilemma", 1980. */
#include "matrix.h"

NETS_EXPORT(decide) i64 decide(i64 packed) { return matrix_theirs(packed) == MATRIX_D ? MATRIX_D : MATRIX_C; }
