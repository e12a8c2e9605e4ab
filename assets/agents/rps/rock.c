/* Rock: shows rock, always. */
#include "rps.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    (void)packed;
    return RPS_ROCK;
}
