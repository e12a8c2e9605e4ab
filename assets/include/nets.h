/* Nashboard ABI v1: what a System or an agent is, in C.
 *
 * A *System* is a game as a WebAssembly module. An *agent* is a player as a WebAssembly module. A generated
 * referee module links one System with one agent a seat and runs the whole match inside WebAssembly:
 *
 *     reset(seed)
 *     while (!is_done() && steps < max_steps) {
 *         seat   = to_move();
 *         packed = observe();                      // the short observation, 64 bits
 *         // an agent with a mailbox gets the bytes of observe_bytes() copied into its own memory here
 *         action = agents[seat].decide(packed);    // metered: gas and stack are refilled before every call
 *         if (!is_legal(action)) { agents[seat] loses: ILLEGAL_ACTION }
 *         step(action);
 *     }
 *
 * Neither side may import anything: no files, no clock, no network, no randomness. Whatever happens follows from the
 * seed and from the actions, so anybody can replay a match and must get the same bytes.
 *
 * In C everything below is a plain function or a static array; NETS_EXPORT gives it its name in the module.
 */
#ifndef NETS_H
#define NETS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

/* Makes a function visible to the referee under NAME. */
#define NETS_EXPORT(name) __attribute__((export_name(#name), used, visibility("default")))

/* Points and lengths travel together in one i64: pointer in the high half, length in the low half. */
#define NETS_SLICE(pointer, length) ((i64)(((u64)(u32)(unsigned long)(pointer) << 32) | (u32)(length)))

/* The longest observation a System may show, in bytes. */
#define NETS_MAX_OBSERVATION 16384

/* ---------------------------------------------------------------------------------------------------------------
 * A System (the JSON file beside the source becomes its custom section `nets.system`) exports
 *
 *     memory                              its linear memory (the linker exports it)
 *     void reset(i64 seed)                start a new match; the seed never appears in an observation
 *     i32  to_move(void)                  the seat whose turn it is, 0 .. seats-1
 *     i64  observe(void)                  the packed observation of that seat
 *     i64  observe_bytes(void)            NETS_SLICE of the full observation (must contain all that `observe` tells)
 *     void step(i64 action)               play the action of the seat to move
 *     i32  is_done(void)                  1 when the match is over
 *     i64  score(i32 seat)                that seat's score, within score_min .. score_max
 *     i64  state(void)                    NETS_SLICE of the bytes that a replay view draws
 *     i32  is_legal(i64 action)           optional; absent means that every action is legal
 *     void set_param(i32 index, i64 value)  only when its description has parameters: called for each, before `reset`,
 *                                         which must not forget them
 *
 * An agent exports
 *
 *     i64  decide(i64 packed)             the one required function
 *
 * and, to see the whole observation instead of its 64-bit summary, the mailbox:
 *
 *     memory                              its linear memory
 *     i32  nets_obs(void)                 where the referee shall put the bytes
 *     i32  nets_obs_cap(void)             how many bytes fit there
 *
 * An agent that traps, runs out of gas or stack, or answers an illegal action loses the match.
 * ------------------------------------------------------------------------------------------------------------- */

/* Declares the mailbox of an agent: a static buffer NAME of CAPACITY bytes and the two exports that offer it. */
#define NETS_MAILBOX(name, capacity)                                                                                  \
    static u8 name[capacity] __attribute__((aligned(16)));                                                            \
    NETS_EXPORT(nets_obs) i32 nets_obs(void) { return (i32)(unsigned long)name; }                                     \
    NETS_EXPORT(nets_obs_cap) i32 nets_obs_cap(void) { return (i32)sizeof(name); }

#endif
