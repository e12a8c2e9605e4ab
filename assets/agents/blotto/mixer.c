/* Mixer: a new spread every round, so that nobody can prepare for it. Each field gets anything between nothing and
 * twice its share with the same chance, as in the equilibria of the game with fields of any size; then all is scaled to
 * the soldiers there are. Source of the idea: Roberson, "The Colonel Blotto game", 2006. The coins come from the
 * observation, so not even who has read this module knows the next spread. */
#include "blotto.h"

static u64 state = 0x9E3779B97F4A7C15ull;

static i32 draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (i32)(state >> 40 & 1023);
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 weight[BLOTTO_FIELDS], soldiers[BLOTTO_FIELDS];
    state += (u64)blotto_coin(packed) * 0x2545F4914F6CDD1Dull + 1;
    if (state == 0) state = 1;
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) weight[field] = blotto_worth(packed, field) * (draw() + 1);
    blotto_spread(weight, soldiers);
    return blotto_pack(soldiers);
}
