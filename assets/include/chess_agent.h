/* What several sample agents of chess share: randomness of their own, what pieces are worth, who is the better move. */
#ifndef CHESS_AGENT_H
#define CHESS_AGENT_H

#include "chess.h"

/* The mailbox, and what is in it. */
NETS_MAILBOX(chess_mailbox, sizeof(ChessMail))
static inline ChessMail *chess_mail(void) { return (ChessMail *)chess_mailbox; }

/* Centipawns by piece: the usual ones. The king is never taken. */
static const i32 chess_worth[8] = {0, 100, 320, 0, 0, 330, 500, 900};

static u64 chess_dice = 0x853C49E6748FEA9Bull;

/* A number from 0 to BELOW - 1. A fresh instance a match starts from the same state, so matches replay; what the agent
 * sees stirs it, so they differ. xorshift64*. Source: Vigna, "An experimental exploration of Marsaglia's xorshift
 * generators, scrambled", 2016. */
static inline i32 chess_roll(i32 below) {
    chess_dice ^= chess_dice >> 12;
    chess_dice ^= chess_dice << 25;
    chess_dice ^= chess_dice >> 27;
    return (i32)((chess_dice * 0x2545F4914F6CDD1Dull >> 32) * (u64)below >> 32);
}

static inline void chess_stir(i64 packed) {
    chess_dice ^= (u64)packed << 1 | 1;
    if (!chess_dice) chess_dice = 1;
}

/* What a move wins at once: the piece that it takes, and what the pawn becomes. */
static inline i32 chess_gain(const ChessPosition *at, u32 move) {
    i32 to = chess_to(move), promotion = chess_promotion(move);
    i32 gain = chess_worth[chess_piece(at, to)];
    if (promotion) gain += chess_worth[chess_promoted(promotion)] - chess_worth[CHESS_PAWN];
    if (to == at->en_passant && chess_piece(at, chess_from(move)) == CHESS_PAWN) gain += chess_worth[CHESS_PAWN];
    return gain;
}

/* King's steps between two squares. */
static inline i32 chess_distance(i32 a, i32 b) {
    i32 files = chess_file(a) - chess_file(b), ranks = chess_rank(a) - chess_rank(b);
    files = files < 0 ? -files : files;
    ranks = ranks < 0 ? -ranks : ranks;
    return files > ranks ? files : ranks;
}

/* Where the opponent's king stands. */
static inline i32 chess_enemy_king(const ChessPosition *at) {
    return (i32)__builtin_ctzll(chess_kings(at) & ~chess_own(at));
}

/* The best move so far and how good it is; among equals each has the same chance. */
typedef struct {
    u32 move;
    i32 value, equals;
} ChessBest;

static inline void chess_consider(ChessBest *best, u32 move, i32 value) {
    if (best->equals && value < best->value) return;
    if (!best->equals || value > best->value) best->equals = 0;
    if (chess_roll(++best->equals)) return;
    best->move = move;
    best->value = value;
}

#endif
