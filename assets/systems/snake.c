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

typedef struct {
    i32 x, y;
} Point;

/* What is shown, in the layout of snake.h. The cells in it are also the board that the rules work on. */
static u8 view[SNAKE_BYTES] __attribute__((aligned(16)));
static u64 random_state;
static Point head, tail, apple;
static i32 direction, length, steps, status;

/* splitmix64: passes for random, needs no warm-up, any seed is good. Source: Steele, Lea and Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014. */
static u64 next_random(void) {
    u64 z = (random_state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static u8 *cell(Point at) { return view + SNAKE_HEADER + at.y * SNAKE_WIDTH + at.x; }
static i32 same(Point a, Point b) { return a.x == b.x && a.y == b.y; }
static Point neighbour(Point at, i32 towards) { return (Point){at.x + snake_dx(towards), at.y + snake_dy(towards)}; }

/* Puts the next apple on the k-th free cell, k drawn evenly (high half of the draw times the number of free cells). */
static void place_apple(void) {
    u32 free_cells = (u32)(SNAKE_CELLS - length);
    u32 k = (u32)((next_random() >> 32) * free_cells >> 32);
    for (i32 i = 0; i < SNAKE_CELLS; i++)
        if (view[SNAKE_HEADER + i] == SNAKE_EMPTY && k-- == 0) {
            apple = (Point){i % SNAKE_WIDTH, i / SNAKE_WIDTH};
            view[SNAKE_HEADER + i] = SNAKE_APPLE;
            return;
        }
}

/* What happens when the head enters AT: SNAKE_RUNNING when it survives. The tail leaves its cell in the same step. */
static i32 collision(Point at) {
    if ((u32)at.x >= SNAKE_WIDTH || (u32)at.y >= SNAKE_HEIGHT) return SNAKE_HIT_WALL;
    u8 there = *cell(at);
    return there == SNAKE_EMPTY || there == SNAKE_APPLE || same(at, tail) ? SNAKE_RUNNING : SNAKE_HIT_BODY;
}

static i32 deadly_moves(void) {
    i32 mask = 0;
    for (i32 d = 0; d < 4; d++) mask |= (collision(neighbour(head, d)) != SNAKE_RUNNING) << d;
    return mask;
}

/* Brings the header of the view up to date; the cells always are. */
static void refresh_header(void) {
    view[0] = (u8)head.x;
    view[1] = (u8)head.y;
    view[2] = (u8)apple.x;
    view[3] = (u8)apple.y;
    view[4] = (u8)direction;
    view[5] = (u8)length;
    view[6] = (u8)deadly_moves();
    view[7] = (u8)status;
    view[8] = (u8)tail.x;
    view[9] = (u8)tail.y;
    view[12] = (u8)steps;
    view[13] = (u8)(steps >> 8);
}

NETS_EXPORT(reset) void reset(i64 seed) {
    random_state = (u64)seed;
    for (i32 i = 0; i < SNAKE_CELLS; i++) view[SNAKE_HEADER + i] = SNAKE_EMPTY;
    head = (Point){START_X, START_Y};
    tail = (Point){START_X - START_LENGTH + 1, START_Y};
    for (Point p = tail; p.x < head.x; p.x++) *cell(p) = SNAKE_BODY + SNAKE_RIGHT;
    *cell(head) = SNAKE_HEAD;
    direction = SNAKE_RIGHT;
    length = START_LENGTH;
    steps = 0;
    status = SNAKE_RUNNING;
    place_apple();
    view[10] = SNAKE_WIDTH;
    view[11] = SNAKE_HEIGHT;
    view[14] = (u8)(NETS_MAX_STEPS & 255);
    view[15] = (u8)(NETS_MAX_STEPS >> 8);
    refresh_header();
}

/* Takes the tail off its cell; the cell said where the next segment lies. */
static void advance_tail(void) {
    i32 towards_head = *cell(tail) - SNAKE_BODY;
    *cell(tail) = SNAKE_EMPTY;
    tail = neighbour(tail, towards_head);
}

/* Grows the snake by the apple it just entered. */
static void eat(void) {
    length++;
    apple = (Point){255, 255};
    if (length == SNAKE_CELLS)
        status = SNAKE_FULL;
    else
        place_apple();
}

static void move_to(Point next) {
    i32 eats = same(next, apple);
    *cell(head) = (u8)(SNAKE_BODY + direction);
    if (!eats) advance_tail();
    head = next;
    *cell(head) = SNAKE_HEAD;
    if (eats) eat();
}

NETS_EXPORT(step) void step(i64 action) {
    if (status != SNAKE_RUNNING) return;
    if (action != -1) direction = (i32)(action & 3);
    steps++;
    Point next = neighbour(head, direction);
    status = collision(next);
    if (status == SNAKE_RUNNING) move_to(next);
    if (status == SNAKE_RUNNING && steps >= NETS_MAX_STEPS) status = SNAKE_TIME_UP;
    refresh_header();
}

NETS_EXPORT(to_move) i32 to_move(void) { return 0; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view, SNAKE_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(view, SNAKE_BYTES); }
NETS_EXPORT(is_done) i32 is_done(void) { return status != SNAKE_RUNNING; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action >= -1 && action <= 3; }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 ? length - START_LENGTH : 0; }
