/* Always cooperate: plays C, whatever happens. */
#include "matrix.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    (void)packed;
    return MATRIX_C;
}
