/* Random mover: any legal move, by a generator in its own memory that is stirred with what it sees. It takes its moves
 * from the mailbox, so this is also the shortest agent that plays a whole game. */
#include "chess.h"

NETS_MAILBOX(mail, sizeof(ChessMail))

static u64 state = 0x853C49E6748FEA9Bull;

/* xorshift64*. Source: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
static u64 next_random(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    const ChessMail *seen = (const ChessMail *)mail;
    state ^= (u64)packed << 1 | 1;
    if (state == 0) state = 1;
    return seen->moves[(next_random() >> 32) * (u64)chess_count(packed) >> 32];
}
