/* Draws for games in which players see some of them and must not foresee the others: cards, noise, dice.
 *
 * A fast generator such as splitmix64 gives its state away to who sees enough of its output. This one is ChaCha with
 * eight rounds, keyed by the seed: whatever was seen, later words cost a search through all seeds. Source: Bernstein,
 * "ChaCha, a variant of Salsa20", 2008; eight rounds after Aumasson, "Too Much Crypto", 2020.
 *
 * Word n of the stream is word n % 16 of block n / 16. Key: the seed, low word first, then six zero words; counter:
 * the block's number, 64 bits; nonce: zero.
 */
#ifndef DRAWS_H
#define DRAWS_H

#include "nets.h"

typedef struct {
    u32 block[16];
    u64 seed, next; /* the number of the next word */
} Draws;

#define DRAWS_MIX(a, b, c)                             \
    x[a] += x[b];                                      \
    x[c] = (x[c] ^ x[a]) << shift | (x[c] ^ x[a]) >> (32 - shift)

static inline void draws_quarter(u32 *x, i32 a, i32 b, i32 c, i32 d) {
    static const u8 shifts[4] = {16, 12, 8, 7};
    for (i32 half = 0; half < 4; half += 2) {
        i32 shift = shifts[half];
        DRAWS_MIX(a, b, d);
        shift = shifts[half + 1];
        DRAWS_MIX(c, d, b);
    }
}

static inline void draws_refill(Draws *draws, u64 counter) {
    u32 first[16] = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574};
    first[4] = (u32)draws->seed;
    first[5] = (u32)(draws->seed >> 32);
    first[12] = (u32)counter;
    first[13] = (u32)(counter >> 32);
    u32 *x = draws->block;
    __builtin_memcpy(x, first, sizeof(first));
    for (i32 round = 0; round < 8; round++)
        for (i32 i = 0; i < 4; i++)
            if (round & 1)
                draws_quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
            else
                draws_quarter(x, i, 4 + i, 8 + i, 12 + i);
    for (i32 i = 0; i < 16; i++) x[i] += first[i];
}

/* Begins the stream of SEED. */
static inline void draws_start(Draws *draws, u64 seed) {
    draws->seed = seed;
    draws->next = 0;
}

/* The next 32 bits. */
static inline u32 draws_word(Draws *draws) {
    if (draws->next % 16 == 0) draws_refill(draws, draws->next / 16);
    return draws->block[draws->next++ % 16];
}

/* A number below LIMIT; for the small limits here as good as even. */
static inline u32 draws_below(Draws *draws, u32 limit) { return (u32)((u64)draws_word(draws) * limit >> 32); }

#endif
