/* Snake on a 10x10 board: eat apples, do not hit a wall or yourself. One seat. ABI v1; see nets.h and snake.h.
 *
 * Rules. The snake starts three segments long in the middle, heading right. Each step it moves one cell. Moving into
 * a wall or into its own body ends the match; the cell that the tail is leaving counts as free. An apple scores a
 * point and makes the snake one segment longer (the tail stays for that step), and the next apple appears on a free
 * cell. The match also ends when the board is full or after NETS_MAX_STEPS steps.
 *
 * Every call takes a bounded time: the apple goes to the k-th free cell, found by one pass over the board, instead of
 * drawing cells until a free one turns up.
 */
#include "snake.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from snake.json"
#endif

_Static_assert(NETS_MAX_STEPS > 0 && NETS_MAX_STEPS < 65536, "the view has two bytes for it");

#define START_X 5
#define START_Y 5
#define START_LENGTH 3

/* The cell beyond every edge of the board, and what it holds. */
#define OUTSIDE SNAKE_CELLS
#define WALL 7

/* What is shown, in the layout of snake.h, and behind it the cell outside. The cells in it are also the board that
 * the rules work on: cell y * SNAKE_WIDTH + x is `board[cell]`. */
static u8 view[SNAKE_BYTES + 1] __attribute__((aligned(16)));
static u8 *const board = view + SNAKE_HEADER;

static u64 random_state;
static i32 head, tail, apple, direction, length, steps, status;

/* For every cell its neighbours by direction, and its place as the view shows it: x, and y in the next byte. */
#define CELL(x, y) \
    ((x) < 0 || (x) >= SNAKE_WIDTH || (y) < 0 || (y) >= SNAKE_HEIGHT ? OUTSIDE : (y) * SNAKE_WIDTH + (x))
#define AROUND(x, y) {CELL(x, y - 1), CELL(x + 1, y), CELL(x, y + 1), CELL(x - 1, y)}
#define PLACE(x, y) ((x) | (y) << 8)
#define ROW(what, y)                                                                                        \
    what(0, y), what(1, y), what(2, y), what(3, y), what(4, y), what(5, y), what(6, y), what(7, y), what(8, y), \
        what(9, y)
#define ROWS(what)                                                                                            \
    ROW(what, 0), ROW(what, 1), ROW(what, 2), ROW(what, 3), ROW(what, 4), ROW(what, 5), ROW(what, 6), ROW(what, 7), \
        ROW(what, 8), ROW(what, 9)
static const u8 neighbour[SNAKE_CELLS][4] = {ROWS(AROUND)};
static const u16 place[SNAKE_CELLS + 1] = {ROWS(PLACE), [OUTSIDE] = 0xFFFF};

/* splitmix64: passes for random, needs no warm-up, any seed is good. Source: Steele, Lea and Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014. */
static u64 next_random(void) {
    u64 z = (random_state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* Puts the next apple on the k-th free cell, k drawn evenly (high half of the draw times the number of free cells). */
static void place_apple(void) {
    u32 free_cells = (u32)(SNAKE_CELLS - length);
    u32 k = (u32)((next_random() >> 32) * free_cells >> 32);
    for (apple = 0; board[apple] != SNAKE_EMPTY || k-- != 0; apple++) {}
    board[apple] = SNAKE_APPLE;
}

/* Whether entering a cell that holds WHAT ends the match: walls, body segments and the head do. */
static i32 is_deadly(u8 what) { return what != SNAKE_EMPTY && what != SNAKE_APPLE; }

/* The deadly moves, a bit each. The tail will have moved on, so its cell counts as free. */
static i32 deadly_moves(void) {
    const u8 *around = neighbour[head];
    u8 tail_cell = board[tail];
    board[tail] = SNAKE_EMPTY;
    i32 mask = is_deadly(board[around[0]]) | is_deadly(board[around[1]]) << 1 | is_deadly(board[around[2]]) << 2 |
               is_deadly(board[around[3]]) << 3;
    board[tail] = tail_cell;
    return mask;
}

/* Brings the header of the view up to date; the cells always are. */
static void refresh_header(void) {
    *(u64 *)view = place[head] | (u64)place[apple] << 16 | (u64)direction << 32 | (u64)length << 40 |
                   (u64)deadly_moves() << 48 | (u64)status << 56;
    *(u16 *)(view + 8) = place[tail];
    *(u16 *)(view + 12) = (u16)steps;
}

NETS_EXPORT(reset) void reset(i64 seed) {
    random_state = (u64)seed;
    __builtin_memset(board, SNAKE_EMPTY, SNAKE_CELLS);
    board[OUTSIDE] = WALL;
    head = START_Y * SNAKE_WIDTH + START_X;
    tail = head - START_LENGTH + 1;
    __builtin_memset(board + tail, SNAKE_BODY + SNAKE_RIGHT, START_LENGTH - 1);
    board[head] = SNAKE_HEAD;
    direction = SNAKE_RIGHT;
    length = START_LENGTH;
    steps = 0;
    status = SNAKE_RUNNING;
    place_apple();
    view[10] = SNAKE_WIDTH;
    view[11] = SNAKE_HEIGHT;
    *(u16 *)(view + 14) = NETS_MAX_STEPS;
    refresh_header();
}

/* Takes the tail off its cell; the cell said where the next segment lies. */
static void advance_tail(void) {
    i32 towards_head = board[tail] - SNAKE_BODY;
    board[tail] = SNAKE_EMPTY;
    tail = neighbour[tail][towards_head];
}

/* Grows the snake by the apple it just entered. */
static void eat(void) {
    length++;
    apple = OUTSIDE;
    if (length == SNAKE_CELLS)
        status = SNAKE_FULL;
    else
        place_apple();
}

static void move_to(i32 next) {
    i32 eats = next == apple;
    board[head] = (u8)(SNAKE_BODY + direction);
    if (!eats) advance_tail();
    head = next;
    board[head] = SNAKE_HEAD;
    if (eats) eat();
    if (status == SNAKE_RUNNING && steps >= NETS_MAX_STEPS) status = SNAKE_TIME_UP;
}

NETS_EXPORT(step) void step(i64 action) {
    if (status != SNAKE_RUNNING) return;
    if (action != -1) direction = (i32)(action & 3);
    steps++;
    i32 next = neighbour[head][direction];
    if (next == OUTSIDE)
        status = SNAKE_HIT_WALL;
    else if (is_deadly(board[next]) && next != tail)
        status = SNAKE_HIT_BODY;
    else
        move_to(next);
    refresh_header();
}

NETS_EXPORT(to_move) i32 to_move(void) { return 0; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view, SNAKE_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(view, SNAKE_BYTES); }
NETS_EXPORT(is_done) i32 is_done(void) { return status != SNAKE_RUNNING; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action >= -1 && action <= 3; }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 ? length - START_LENGTH : 0; }
