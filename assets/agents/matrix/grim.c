/* Grim: plays C until the opponent has played D once, and D for ever after. Source: Friedman, "A non-cooperative
 * equilibrium for supergames", 1971. */
#include "matrix.h"

static i32 offended;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    offended |= matrix_theirs(packed) == MATRIX_D;
    return offended ? MATRIX_D : MATRIX_C;
}
