/* Prober: plays D, C, C and looks what comes back. Who let the D pass gets D for ever; with the others it plays tit for
 * tat. It finds those that never strike back, and quarrels with those that never forget. */
#include "matrix.h"

static i32 struck_back;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 round = matrix_round(packed), theirs = matrix_theirs(packed);
    if (round == 0) return MATRIX_D;
    if (round == 2 || round == 3) struck_back |= theirs == MATRIX_D;
    if (round < 3) return MATRIX_C;
    return struck_back ? theirs : MATRIX_D;
}
