/* Historian: looks for the past in the present. It reads all rounds from its mailbox, finds the latest earlier place
 * that the last rounds repeat at greatest length, and sees what happened next there. Three readings of the past are
 * compared: the opponent's moves, its own moves, both together.
 *
 * Each reading makes two predictions, that the opponent repeats itself and that it plays against what this agent would
 * repeat, and each prediction has three uses: beat it, beat who beats that, beat who beats that in turn. Every one of
 * these advisers keeps a score of what it would have won, old rounds weighing less, and the best one is followed. When
 * even that one is losing, the coin decides. Source of the scheme: Egnor, "Iocaine Powder", ICGA Journal, 2000. */
#include "rps.h"

#define READINGS 3
#define ADVISERS (READINGS * 2 * RPS_MOVES)
#define LONGEST 20

NETS_MAILBOX(mail, 512)

/* What a score keeps of itself each round, in 256ths, and what a point is worth in it. */
#define KEEPS 240
#define POINT 4096

static i32 advice[ADVISERS], merit[ADVISERS];

/* Whether two rounds look alike in a reading: bit 0 compares own moves, bit 1 the opponent's. */
static i32 alike(i32 one, i32 two, i32 reading) {
    const u8 *a = mail + RPS_HEADER + one * RPS_ROW, *b = mail + RPS_HEADER + two * RPS_ROW;
    return (!(reading & 1) || a[0] == b[0]) && (!(reading & 2) || a[1] == b[1]);
}

/* The round that followed the best match of the last rounds before ROUND, or -1. */
static i32 echo(i32 round, i32 reading) {
    i32 best = -1, longest = 0;
    for (i32 end = round - 1; end > longest && longest < LONGEST; end--) {
        i32 length = 0;
        while (length < LONGEST && length < end && alike(end - 1 - length, round - 1 - length, reading)) length++;
        if (length > longest) {
            longest = length;
            best = end;
        }
    }
    return best;
}

static void judge(i32 theirs) {
    for (i32 i = 0; i < ADVISERS; i++) {
        merit[i] = merit[i] * KEEPS / 256;
        if (advice[i] != RPS_NONE) merit[i] += POINT * rps_won(advice[i], theirs);
    }
}

/* Asks all advisers for the coming ROUND. */
static void consult(i32 round) {
    for (i32 reading = 1; reading <= READINGS; reading++) {
        i32 at = echo(round, reading);
        const u8 *then = mail + RPS_HEADER + at * RPS_ROW;
        i32 *own = advice + (reading - 1) * 2 * RPS_MOVES, *theirs = own + RPS_MOVES;
        for (i32 use = 0; use < RPS_MOVES; use++) {
            /* It shows `then[1]` again; or it beats `then[0]`, which is answered by losing to that. */
            theirs[use] = at < 0 ? RPS_NONE : (then[1] + 1 + use) % RPS_MOVES;
            own[use] = at < 0 ? RPS_NONE : (then[0] + 2 + use) % RPS_MOVES;
        }
    }
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 round = mail[2];
    if (round == 0) {
        for (i32 i = 0; i < ADVISERS; i++) advice[i] = RPS_NONE;
        return rps_by_coin(packed);
    }
    judge(mail[0]);
    consult(round);
    i32 best = -1;
    for (i32 i = 0; i < ADVISERS; i++)
        if (advice[i] != RPS_NONE && merit[i] >= 0 && (best < 0 || merit[i] > merit[best])) best = i;
    return best < 0 ? rps_by_coin(packed) : advice[best];
}
