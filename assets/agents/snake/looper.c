/* Looper: plays on for a while, then never answers. It loses with the cause OUT_OF_GAS; nobody waits for it. */
#include "snake.h"

#define LAST_GOOD_STEP 6

static i32 step;

/* Volatile, because C lets a compiler assume that loops without effects end. */
static volatile u32 spins;

NETS_EXPORT(decide) i64 decide(i64 packed) {
    (void)packed;
    if (++step > LAST_GOOD_STEP)
        for (;;) spins++;
    return step & 3;
}
