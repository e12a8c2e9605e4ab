/* Hashes match traces: SHA-256 over four steps at a time, one in each lane of a 128-bit vector.
 *
 * A trace is a row of records (little endian, each starts at a multiple of 8):
 *
 *     u32 step; u16 seat; u16 flags; u32 obs_len; u32 gas_used; u64 packed; u64 action; obs bytes, zero padded to 8
 *
 * and its hashes are (| joins, be and le say which byte comes first)
 *
 *     obs    = H(02 | obs bytes)                     action = H(03 | action u64le), in a fault H(04 | u8 code)
 *     leaf   = H(00 | step u64be | obs | action)     node   = H(01 | left | right)
 *
 * with the tree shape of RFC 6962: an unpaired last node rises unchanged. The empty trace's root is H("").
 *
 * Why it is fast. One step costs six SHA-256 blocks: one for the observation, one for the action, two for the leaf and
 * two for its share of the nodes. Three of them are cheaper than they look:
 *   - the action: most games number their actions from 0, so the hashes of -1 .. 62 lie in a table;
 *   - the leaf's second block depends on the action alone, so its message schedule lies in the table too;
 *   - the node's second block holds one byte of the right child and constants: 256 schedules in a table.
 * The tables are filled by the same code when the module is first used; nothing else is kept from call to call.
 *
 * Source: RFC 6962 section 2.1 (tree).
 */
#include "sha256x4.h"

typedef u32 u32_unaligned __attribute__((aligned(1), may_alias));
typedef u64 u64_unaligned __attribute__((aligned(1), may_alias));

enum { HEADER = 32, PACKED_BYTES = 8, FLAG_FAULT = 1, FLAG_MAILBOX = 2 };

/* What `hash` answers when the bytes are not a trace. */
enum {
    TRUNCATED_HEADER = -1,
    OBSERVATION_TOO_LONG = -2,
    TRUNCATED_OBSERVATION = -3,
    PADDING_NOT_ZERO = -4,
    UNKNOWN_FLAGS = -5,
    BAD_FAULT_CODE = -6,
    NOT_THE_PACKED_OBSERVATION = -7,
    STEP_OUT_OF_ORDER = -8,
    FAULT_NOT_LAST = -9,
    NOT_RESERVED = -10,
};

/* ---- Messages --------------------------------------------------------------------------------------------------- */

/* A message of at most eleven bytes in each lane: its words 0, 1, 2 with the padding bit set, and its length in bits. */
typedef struct {
    v4 w0, w1, w2, bits;
} Short;

static void put_nine_bytes(Short *message, i32 lane, u32 domain, u64 value) {
    u64 swapped = __builtin_bswap64(value);
    message->w0[lane] = domain << 24 | (u32)(swapped >> 40);
    message->w1[lane] = (u32)(swapped >> 8);
    message->w2[lane] = (u32)swapped << 24 | 0x800000;
    message->bits[lane] = 72;
}

static void put_two_bytes(Short *message, i32 lane, u32 domain, u32 value) {
    message->w0[lane] = domain << 24 | value << 16 | 0x8000;
    message->w1[lane] = message->w2[lane] = 0;
    message->bits[lane] = 16;
}

static void hash_short(Digests *out, const Short *message) {
    v4 w[16] = {message->w0, message->w1, message->w2};
    w[15] = message->bits;
    initialise(out);
    compress(out, w);
}

/* Moves a row of words along by one byte: what `| next byte | ...` looks like in big endian words. */
static inline v4 straddle(v4 left, v4 right) { return left << 24 | right >> 8; }

/* First block of a leaf: 00 | step u64be | obs | 23 bytes of action. */
static void leaf_first_block(Digests *out, v4 step, const Digests *obs, const Digests *action) {
    v4 w[16];
    w[0] = splat(0);
    w[1] = step >> 8;
    w[2] = straddle(step, obs->w[0]);
    for (i32 i = 0; i < 7; i++) w[3 + i] = straddle(obs->w[i], obs->w[i + 1]);
    w[10] = straddle(obs->w[7], action->w[0]);
    for (i32 i = 0; i < 5; i++) w[11 + i] = straddle(action->w[i], action->w[i + 1]);
    initialise(out);
    compress(out, w);
}

/* Second block of a leaf: the last nine bytes of action, the padding bit, the length of 73 bytes. */
static void leaf_second_block(Digests *out, const Digests *action) {
    v4 w[16] = {straddle(action->w[5], action->w[6]), straddle(action->w[6], action->w[7]),
                action->w[7] << 24 | splat(0x800000)};
    w[15] = splat(73 * 8);
    compress(out, w);
}

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

enum { KNOWN_ACTIONS = 64 };

/* For action number i - 1: the words of H(03 | action), and the schedule of the leaf's second block. */
static u32 action_words[KNOWN_ACTIONS][8] __attribute__((aligned(16)));
static u32 action_schedule[KNOWN_ACTIONS][64] __attribute__((aligned(16)));
/* For the last byte of a right child: the schedule of the node's second block. */
static u32 node_schedule[256][64] __attribute__((aligned(16)));
static i32 tables_ready;

static i32 is_known(u64 action) { return action + 1 < KNOWN_ACTIONS; }

static void fill_tables(void) {
    for (u32 i = 0; i < KNOWN_ACTIONS; i++) {
        Short message;
        Digests digests;
        for (i32 lane = 0; lane < 4; lane++) put_nine_bytes(&message, lane, 3, (u64)i - 1);
        hash_short(&digests, &message);
        u32 *words = action_words[i], second[16] = {0};
        for (i32 j = 0; j < 8; j++) words[j] = digests.w[j][0];
        second[0] = words[5] << 24 | words[6] >> 8;
        second[1] = words[6] << 24 | words[7] >> 8;
        second[2] = words[7] << 24 | 0x800000;
        second[15] = 73 * 8;
        schedule(action_schedule[i], second);
    }
    for (u32 last = 0; last < 256; last++) {
        u32 second[16] = {last << 24 | 0x800000};
        second[15] = 65 * 8;
        schedule(node_schedule[last], second);
    }
    tables_ready = 1;
}

/* ---- Records ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const u8 *obs;
    u32 step, flags, obs_len;
    u64 packed, action;
} Record;

/* 1 to 4 are the referee's causes, 16 to 24 are traps. */
static i32 is_fault_code(u64 code) { return (code >= 1 && code <= 4) || (code >= 16 && code <= 24); }

/* Reads the record at AT, which must be step STEP; returns its whole size, or why it is none. */
static i32 read_record(Record *record, const u8 *at, u32 left, u32 step) {
    if (left < HEADER) return TRUNCATED_HEADER;
    record->step = *(const u32_unaligned *)at;
    record->flags = *(const u32_unaligned *)(at + 4) >> 16;
    record->obs_len = *(const u32_unaligned *)(at + 8);
    record->packed = *(const u64_unaligned *)(at + 16);
    record->action = *(const u64_unaligned *)(at + 24);
    record->obs = at + HEADER;
    u32 len = record->obs_len, padded = (len + 7) & ~7u;
    if (len > NETS_MAX_OBSERVATION) return OBSERVATION_TOO_LONG;
    if (left - HEADER < padded) return TRUNCATED_OBSERVATION;
    for (u32 i = len; i < padded; i++)
        if (record->obs[i]) return PADDING_NOT_ZERO;
    if (record->flags & ~(u32)(FLAG_FAULT | FLAG_MAILBOX)) return UNKNOWN_FLAGS;
    if (record->flags & FLAG_FAULT && !is_fault_code(record->action)) return BAD_FAULT_CODE;
    if (record->flags & FLAG_FAULT && left - HEADER != padded) return FAULT_NOT_LAST;
    if (!(record->flags & FLAG_MAILBOX) &&
        (len != PACKED_BYTES || *(const u64_unaligned *)record->obs != record->packed))
        return NOT_THE_PACKED_OBSERVATION;
    if (record->step != step) return STEP_OUT_OF_ORDER;
    return (i32)(HEADER + padded);
}

static u32 blocks_of(u32 obs_len) { return (obs_len + 1 + 9 + 63) / 64; }

/* Block K of the message 02 | obs | 80 | 00.. | length: where it lies already, or put together in SCRATCH. */
static const u8 *message_block(const Record *record, u32 k, u8 *scratch) {
    u32 len = record->obs_len, end = len + 1, begin = k * 64;
    if (k > 0 && begin + 64 <= end) return record->obs + begin - 1;
    for (i32 i = 0; i < 8; i++) ((u64 *)scratch)[i] = 0;
    u32 used = end < begin ? 0 : (end - begin < 64 ? end - begin : 64);
    u32 skip = k == 0;
    if (skip) scratch[0] = 2;
    if (used > skip) __builtin_memcpy(scratch + skip, record->obs + begin - 1 + skip, used - skip);
    if (end >= begin && end < begin + 64) scratch[end - begin] = 0x80;
    if (k + 1 == blocks_of(len)) *(u64 *)(scratch + 56) = __builtin_bswap64((u64)end * 8);
    return scratch;
}

/* H(02 | obs bytes) of four records of any lengths: a lane that has had its last block keeps its digest. */
static void hash_long_observations(Digests *out, const Record record[4]) {
    static u8 scratch[4][64] __attribute__((aligned(16)));
    u32 count[4], most = 0;
    for (i32 l = 0; l < 4; l++) {
        count[l] = blocks_of(record[l].obs_len);
        if (count[l] > most) most = count[l];
    }
    v4 counts = {count[0], count[1], count[2], count[3]};
    initialise(out);
    for (u32 k = 0; k < most; k++) {
        const u8 *block[4];
        v4 w[16];
        for (i32 l = 0; l < 4; l++) block[l] = message_block(&record[l], k < count[l] ? k : count[l] - 1, scratch[l]);
        for (i32 i = 0; i < 4; i++) {
            for (i32 l = 0; l < 4; l++) w[4 * i + l] = swap_bytes(*(const v4_unaligned *)(block[l] + 16 * i));
            transpose(w + 4 * i);
        }
        Digests before = *out;
        compress(out, w);
        v4 live = (v4)(splat(k) < counts);
        for (i32 i = 0; i < 8; i++) out->w[i] = (out->w[i] & live) | (before.w[i] & ~live);
    }
}

static void hash_observations(Digests *out, const Record record[4]) {
    Short message;
    i32 all_short = 1;
    for (i32 l = 0; l < 4; l++) all_short &= record[l].obs_len == PACKED_BYTES;
    if (!all_short) {
        hash_long_observations(out, record);
        return;
    }
    for (i32 l = 0; l < 4; l++) put_nine_bytes(&message, l, 2, *(const u64_unaligned *)record[l].obs);
    hash_short(out, &message);
}

static void hash_unknown_actions(Digests *out, const Record record[4]) {
    Short message;
    for (i32 l = 0; l < 4; l++)
        if (record[l].flags & FLAG_FAULT)
            put_two_bytes(&message, l, 4, (u32)record[l].action);
        else
            put_nine_bytes(&message, l, 3, record[l].action);
    hash_short(out, &message);
}

static void hash_leaves(Digests *out, const Record record[4]) {
    Digests obs, action;
    i32 known = 1;
    for (i32 l = 0; l < 4; l++) known &= is_known(record[l].action) && !(record[l].flags & FLAG_FAULT);
    hash_observations(&obs, record);
    v4 step = {record[0].step, record[1].step, record[2].step, record[3].step};
    if (!known) {
        hash_unknown_actions(&action, record);
        leaf_first_block(out, step, &obs, &action);
        leaf_second_block(out, &action);
        return;
    }
    const u32 *row[4];
    for (i32 l = 0; l < 4; l++) {
        u32 number = (u32)record[l].action + 1;
        action.w[l] = *(v4 *)action_words[number];
        action.w[4 + l] = *(v4 *)(action_words[number] + 4);
        row[l] = action_schedule[number];
    }
    transpose(action.w);
    transpose(action.w + 4);
    leaf_first_block(out, step, &obs, &action);
    compress_scheduled(out, row);
}

/* ---- The tree --------------------------------------------------------------------------------------------------- */

/* One level of the tree: word i of node n is words[i * stride + n]. Whole vectors are read and written, so the rows
 * are a little longer than the level. */
static u32 *words;
static u32 stride;

static void store(const Digests *digests, u32 first) {
    for (u32 i = 0; i < 8; i++) *(v4_unaligned *)(words + i * stride + first) = digests->w[i];
}

/* Nodes first .. first+3 of the next level, from children 2*first .. 2*first+7; the level is overwritten in place. */
static void hash_nodes(u32 first) {
    v4 left[8], right[8], w[16];
    Digests out;
    for (u32 i = 0; i < 8; i++) {
        const u32 *children = words + i * stride + 2 * first;
        v4 low = *(const v4_unaligned *)children, high = *(const v4_unaligned *)(children + 4);
        left[i] = __builtin_shufflevector(low, high, 0, 2, 4, 6);
        right[i] = __builtin_shufflevector(low, high, 1, 3, 5, 7);
    }
    w[0] = splat(1u << 24) | left[0] >> 8;
    for (i32 i = 0; i < 7; i++) w[1 + i] = straddle(left[i], left[i + 1]);
    w[8] = straddle(left[7], right[0]);
    for (i32 i = 0; i < 7; i++) w[9 + i] = straddle(right[i], right[i + 1]);
    initialise(&out);
    compress(&out, w);
    const u32 *row[4];
    for (i32 l = 0; l < 4; l++) row[l] = node_schedule[right[7][l] & 255];
    compress_scheduled(&out, row);
    store(&out, first);
}

/* Builds level by level. Hashing four nodes overwrites up to three places behind the last one, hence LAST. */
static void reduce(u32 size) {
    while (size > 1) {
        u32 pairs = size / 2, last[8];
        for (u32 i = 0; i < 8; i++) last[i] = words[i * stride + size - 1];
        for (u32 first = 0; first < pairs; first += 4) hash_nodes(first);
        if (size & 1)
            for (u32 i = 0; i < 8; i++) words[i * stride + pairs] = last[i];
        size = pairs + (size & 1);
    }
}

/* ---- What the host calls ---------------------------------------------------------------------------------------- */

extern u8 __heap_base;

static u32 reserved;
static u32 root_bytes[8];

static u8 *trace_start(void) { return (u8 *)(((unsigned long)&__heap_base + 63) & ~63ul); }

/* Writes node N of the level as 32 bytes. */
static void export_node(u32 *to, u32 n) {
    for (u32 i = 0; i < 8; i++) to[i] = __builtin_bswap32(words[i * stride + n]);
}

/* Makes room for a trace of SIZE bytes and returns where to put it; 0 when there is not that much memory.
 * Behind the trace lies the tree: at most one leaf a header, 32 bytes each, so as much again, and the rows' ends. */
NETS_EXPORT(reserve) u32 reserve(u32 size) {
    if (size > 1u << 30) return 0;
    u64 need = (u64)(unsigned long)trace_start() + 2 * (u64)size + 8 * 16 * 4 + 128;
    u64 have = (u64)__builtin_wasm_memory_size(0) << 16;
    if (need > have && __builtin_wasm_memory_grow(0, (unsigned long)((need - have + 65535) >> 16)) == (unsigned long)-1)
        return 0;
    if (size > reserved) reserved = size;
    return (u32)(unsigned long)trace_start();
}

static i32 count_records(const u8 *trace, u32 size) {
    Record record;
    u32 at = 0, count = 0;
    while (at < size) {
        i32 used = read_record(&record, trace + at, size - at, count);
        if (used < 0) return used;
        at += (u32)used;
        count++;
    }
    return (i32)count;
}

/* Hashes the SIZE bytes at the place that `reserve` gave. Returns the number of steps, or why the bytes are no trace.
 * The root lies at `root()` then. With WANT_LEAVES the leaf hashes, 32 bytes each, replace the trace. */
NETS_EXPORT(hash) i32 hash(u32 size, i32 want_leaves) {
    u8 *trace = trace_start();
    if (size > reserved) return NOT_RESERVED;
    if (!tables_ready) fill_tables();
    i32 count = count_records(trace, size);
    if (count <= 0) return count;
    stride = ((u32)count + 15) & ~7u;
    words = (u32 *)(((unsigned long)trace + size + 63) & ~63ul);
    const u8 *at = trace;
    for (u32 first = 0; first < (u32)count; first += 4) {
        Record record[4];
        Digests leaves;
        for (u32 l = 0; l < 4; l++)
            if (first + l < (u32)count)
                at += read_record(&record[l], at, size - (u32)(at - trace), first + l);
            else
                record[l] = record[l - 1];
        hash_leaves(&leaves, record);
        store(&leaves, first);
    }
    if (want_leaves)
        for (u32 n = 0; n < (u32)count; n++) export_node((u32 *)(trace + 32 * n), n);
    reduce((u32)count);
    export_node(root_bytes, 0);
    return count;
}

/* Where the root lies, 32 bytes, after `hash` returned more than 0. */
NETS_EXPORT(root) u32 root(void) { return (u32)(unsigned long)root_bytes; }
