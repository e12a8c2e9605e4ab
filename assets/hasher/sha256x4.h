/* SHA-256 of four messages at a time: word i of lane l lies in vector i at place l. Built for wasm simd128.
 *
 * Source: FIPS 180-4, sections 4.1.2, 5.3.3 and 6.2.2.
 */
#ifndef SHA256X4_H
#define SHA256X4_H

#include "nets.h"

typedef u32 v4 __attribute__((vector_size(16), may_alias));
typedef v4 v4_unaligned __attribute__((aligned(1)));
typedef u8 v16 __attribute__((vector_size(16)));

static const u32 K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const u32 INITIAL[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Four digests: word i of lane l is w[i][l]. */
typedef struct {
    v4 w[8];
} Digests;

#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define BIG0(x) (ROTR(x, 2) ^ ROTR(x, 13) ^ ROTR(x, 22))
#define BIG1(x) (ROTR(x, 6) ^ ROTR(x, 11) ^ ROTR(x, 25))
#define SMALL0(x) (ROTR(x, 7) ^ ROTR(x, 18) ^ (x) >> 3)
#define SMALL1(x) (ROTR(x, 17) ^ ROTR(x, 19) ^ (x) >> 10)
#define CHOOSE(x, y, z) (((y) ^ (z)) & (x)) ^ (z)
/* The majority of x, y, z, where xy is x ^ y and yz is y ^ z: the next round needs xy again, as its yz. */
#define MAJORITY(xy, yz, y) (((xy) & (yz)) ^ (y))

#define ROUND(a, b, c, d, e, f, g, h, wk)          \
    do {                                           \
        v4 t = h + BIG1(e) + (CHOOSE(e, f, g)) + (wk); \
        v4 ab = a ^ b;                             \
        d += t;                                    \
        h = t + BIG0(a) + MAJORITY(ab, bc, b);     \
        bc = ab;                                   \
    } while (0)

/* Eight rounds bring every variable back to its place. WK(i): message word plus round constant of round i. */
#define EIGHT_ROUNDS(WK, i)                       \
    do {                                          \
        ROUND(a, b, c, d, e, f, g, h, WK((i)));     \
        ROUND(h, a, b, c, d, e, f, g, WK((i) + 1)); \
        ROUND(g, h, a, b, c, d, e, f, WK((i) + 2)); \
        ROUND(f, g, h, a, b, c, d, e, WK((i) + 3)); \
        ROUND(e, f, g, h, a, b, c, d, WK((i) + 4)); \
        ROUND(d, e, f, g, h, a, b, c, WK((i) + 5)); \
        ROUND(c, d, e, f, g, h, a, b, WK((i) + 6)); \
        ROUND(b, c, d, e, f, g, h, a, WK((i) + 7)); \
    } while (0)

#define OPEN_STATE(s)                                                          \
    v4 a = s->w[0], b = s->w[1], c = s->w[2], d = s->w[3];                     \
    v4 e = s->w[4], f = s->w[5], g = s->w[6], h = s->w[7], bc = b ^ c
#define CLOSE_STATE(s)                                                         \
    s->w[0] += a, s->w[1] += b, s->w[2] += c, s->w[3] += d;                    \
    s->w[4] += e, s->w[5] += f, s->w[6] += g, s->w[7] += h

static v4 splat(u32 x) { return (v4){x, x, x, x}; }

static void initialise(Digests *s) {
    for (i32 i = 0; i < 8; i++) s->w[i] = splat(INITIAL[i]);
}

#define FIRST(i) (w[(i) & 15] + splat(K[i]))
#define NEXT(i)                                                                                              \
    ((w[(i) & 15] += SMALL0(w[((i) + 1) & 15]) + w[((i) + 9) & 15] + SMALL1(w[((i) + 14) & 15])) + splat(k[i]))

/* One block a lane: w holds the sixteen message words and is used up. */
static __attribute__((noinline)) void compress(Digests *s, v4 *w) {
    OPEN_STATE(s);
    EIGHT_ROUNDS(FIRST, 0);
    EIGHT_ROUNDS(FIRST, 8);
    for (const u32 *k = K + 16; k < K + 64; k += 16) {
        EIGHT_ROUNDS(NEXT, 0);
        EIGHT_ROUNDS(NEXT, 8);
    }
    CLOSE_STATE(s);
}

/* Four rows of four words become four columns. */
static inline void transpose(v4 *r) {
    v4 lo01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), hi01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    v4 lo23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5), hi23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(lo01, lo23, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(lo01, lo23, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(hi01, hi23, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(hi01, hi23, 2, 3, 6, 7);
}

/* One block a lane whose schedule is known: row[l] holds lane l's 64 words W[i] + K[i]. */
static __attribute__((noinline)) void compress_scheduled(Digests *s, const u32 *const row[4]) {
    OPEN_STATE(s);
    for (i32 i = 0; i < 64; i += 8) {
        v4 wk[8];
        for (i32 l = 0; l < 4; l++) wk[l] = *(const v4 *)(row[l] + i), wk[4 + l] = *(const v4 *)(row[l] + i + 4);
        transpose(wk);
        transpose(wk + 4);
#define KNOWN(j) wk[j]
        EIGHT_ROUNDS(KNOWN, 0);
    }
    CLOSE_STATE(s);
}

/* The schedule of one block, W[i] + K[i], from its sixteen words. */
static void schedule(u32 row[64], const u32 message[16]) {
    u32 w[64];
    for (i32 i = 0; i < 16; i++) w[i] = message[i];
    for (i32 i = 16; i < 64; i++) w[i] = SMALL1(w[i - 2]) + w[i - 7] + SMALL0(w[i - 15]) + w[i - 16];
    for (i32 i = 0; i < 64; i++) row[i] = w[i] + K[i];
}

/* Big endian words from memory order, and back. */
static v4 swap_bytes(v4 x) {
    v16 bytes = (v16)x;
    return (v4)__builtin_shufflevector(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

#endif
