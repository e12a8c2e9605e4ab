/* Even: the same number of soldiers on every field, whatever it is worth. */
#include "blotto.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static const i32 soldiers[BLOTTO_FIELDS] = {17, 17, 17, 17, 16, 16};
    (void)packed;
    return blotto_pack(soldiers);
}
