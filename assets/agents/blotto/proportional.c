/* Proportional: soldiers in proportion to what a field is worth, every round the same. */
#include "blotto.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 worth[BLOTTO_FIELDS], soldiers[BLOTTO_FIELDS];
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) worth[field] = blotto_worth(packed, field);
    blotto_spread(worth, soldiers);
    return blotto_pack(soldiers);
}
