/* Bully: gives up the fields that are worth least, at most two of them, and is strong on all others. */
#include "blotto.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 weight[BLOTTO_FIELDS], soldiers[BLOTTO_FIELDS];
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) weight[field] = blotto_worth(packed, field);
    for (i32 given_up = 0; given_up < 2; given_up++) {
        i32 least = -1;
        for (i32 field = 0; field < BLOTTO_FIELDS; field++)
            if (weight[field] > 0 && (least < 0 || weight[field] < weight[least])) least = field;
        weight[least] = 0;
    }
    blotto_spread(weight, soldiers);
    return blotto_pack(soldiers);
}
