/* Trapper: plays on for a while, then executes `unreachable`. It loses with the cause TRAP UNREACHABLE. */
#include "snake.h"

#define LAST_GOOD_STEP 6

static i32 step;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    (void)packed;
    if (++step > LAST_GOOD_STEP) __builtin_trap();
    /* A small round in the middle of the board survives until then. */
    return step & 3;
}
