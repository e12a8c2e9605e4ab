/* Pavlov, or win-stay, lose-shift: repeats what it did when the opponent played C, otherwise does the other thing.
 * Source: Nowak and Sigmund, "A strategy of win-stay, lose-shift that outperforms tit-for-tat", 1993. */
#include "matrix.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 own = matrix_own(packed), theirs = matrix_theirs(packed);
    if (own == MATRIX_NONE) return MATRIX_C;
    return theirs == MATRIX_C ? own : !own;
}
