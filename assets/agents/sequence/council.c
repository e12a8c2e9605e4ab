/* Council: many small predictors, and the one that was right most often of late decides, unless the feedback knows.
 *
 *   contexts  what followed the last 0 to 5 symbols, counted; once with a long memory and once with a short one
 *   phases    what stood at this place of a period of 2 to 12 symbols, counted
 *   feedback  the sum of earlier symbols that explains the last ones without exception, found by elimination
 *
 * It reads the whole sequence from its mailbox, for the elimination looks further back than 24 symbols. */
#include "sequence.h"

#define ORDERS 6
#define CONTEXTS 243
#define PERIODS 11
#define MAX_LENGTH 8
#define FADING 0.96
#define SHORT_MEMORY 0.85

NETS_MAILBOX(mail, SEQUENCE_BYTES)

/* Counting members: ORDERS contexts, as many with a short memory, PERIODS phases. */
#define COUNTING (2 * ORDERS + PERIODS)

static const u8 *const sequence = mail + SEQUENCE_HEADER;
static i32 seen, alphabet;
static double context_count[2][ORDERS][CONTEXTS][SEQUENCE_ALPHABET];
static double phase_count[PERIODS][PERIODS + 1][SEQUENCE_ALPHABET];
/* For each member: how well it has done of late, what it advises, and the counters that the advice came from. */
static double standing[COUNTING];
static i32 advice[COUNTING];
static double *asked[COUNTING];
static i32 found_length;
static u8 found[MAX_LENGTH];

/* Judges each member's advice by the symbol that came, and lets the counters learn it. */
static void learn(i32 symbol) {
    for (i32 member = 0; member < COUNTING; member++) {
        standing[member] = FADING * standing[member] + (advice[member] == symbol);
        double memory = member / ORDERS == 1 ? SHORT_MEMORY : 1;
        for (i32 i = 0; i < alphabet; i++) asked[member][i] = memory * asked[member][i] + (i == symbol);
    }
}

/* Finds the counters for the next symbol. */
static void look_up(void) {
    for (i32 order = 0, context = 0; order < ORDERS; order++) {
        asked[order] = context_count[0][order][context];
        asked[ORDERS + order] = context_count[1][order][context];
        context = context * alphabet + (order < seen ? sequence[seen - 1 - order] : 0);
    }
    for (i32 i = 0; i < PERIODS; i++) asked[2 * ORDERS + i] = phase_count[i][seen % (i + 2)];
}

/* What the feedback that was found gives for place AT. */
static i32 fed_back(i32 at) {
    i32 sum = 0;
    for (i32 i = 0; i < found_length; i++) sum += found[i] * sequence[at - 1 - i];
    return sum % alphabet;
}

/* Elimination modulo the alphabet: subtracts from row TO as much of row FROM as clears its COLUMN. */
static void clear(u8 *to, const u8 *from, i32 column, i32 width) {
    i32 times = to[column] * from[column] % alphabet; /* 1 and 2 are their own inverses modulo 3 */
    for (i32 i = 0; i < width && times; i++) to[i] = (u8)((to[i] + (alphabet - times) * from[i]) % alphabet);
}

/* Looks for coefficients of LENGTH terms that explain the last 2 * LENGTH + 8 symbols. */
static i32 solve(i32 length) {
    static u8 row[MAX_LENGTH + 8][MAX_LENGTH + 1];
    i32 equations = length + 8;
    for (i32 e = 0; e < equations; e++)
        for (i32 i = 0; i <= length; i++) row[e][i] = sequence[seen - 1 - e - (i < length ? i + 1 : 0)];
    for (i32 column = 0; column < length; column++) {
        i32 pivot = column;
        while (pivot < equations && row[pivot][column] == 0) pivot++;
        if (pivot == equations) return 0;
        for (i32 i = 0; i <= length; i++) {
            u8 kept = row[column][i];
            row[column][i] = row[pivot][i];
            row[pivot][i] = kept;
        }
        for (i32 e = 0; e < equations; e++)
            if (e != column) clear(row[e], row[column], column, length + 1);
    }
    for (i32 e = length; e < equations; e++)
        if (row[e][length] != 0) return 0;
    for (i32 i = 0; i < length; i++) found[i] = (u8)(row[i][length] * row[i][i] % alphabet);
    return 1;
}

static void seek_feedback(void) {
    if (found_length && fed_back(seen - 1) == sequence[seen - 1]) return;
    found_length = 0;
    for (i32 length = 1; length <= MAX_LENGTH && !found_length; length++)
        if (seen >= 2 * length + 8 && solve(length)) found_length = length;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    alphabet = sequence_alphabet(packed);
    seen = sequence_seen(packed);
    if (seen > 0) {
        learn(sequence[seen - 1]);
        seek_feedback();
    }
    look_up();
    i32 best = 0;
    for (i32 member = 0; member < COUNTING; member++) {
        advice[member] = 0;
        for (i32 symbol = 1; symbol < alphabet; symbol++)
            if (asked[member][symbol] > asked[member][advice[member]]) advice[member] = symbol;
        if (standing[member] > standing[best]) best = member;
    }
    return found_length ? fed_back(seen) : advice[best];
}
