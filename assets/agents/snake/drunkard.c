/* Drunkard: staggers at random. The randomness is its own: there is none to import, so it keeps a generator in its
 * memory, stirred with what it sees. A fresh instance a match starts from the same state, so its matches replay. */
#include "snake.h"

static u64 state = 0x853C49E6748FEA9Bull;

/* xorshift64*. Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
static u64 next_random(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    state ^= (u64)packed << 1 | 1;
    if (state == 0) state = 1;
    u64 draw = next_random() >> 32;
    i32 heading = snake_direction(packed);
    /* Half of the steps straight on, the others to either side; only now and then it notices the wall. */
    i32 turn = draw & 1 ? 0 : (draw & 2 ? 1 : 3);
    i32 wish = (heading + turn) & 3;
    i32 sober = (draw & 12) != 0;
    for (i32 i = 0; sober && i < 4 && (snake_deadly(packed) >> wish & 1); i++) wish = (wish + 1) & 3;
    return wish;
}
