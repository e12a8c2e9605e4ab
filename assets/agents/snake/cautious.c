/* Cautious: reads the whole board from its mailbox and eats only when it can still get away.
 *
 * The idea: a snake that can reach its own tail is safe, because the tail keeps making room.
 *   1. Find the shortest way to the apple over free cells.
 *   2. Walk it in the mind. If the tail can still be reached from there, take its first step.
 *   3. Otherwise follow the tail: take the move that keeps the tail in reach and lies farthest from it.
 *   4. Otherwise take the move with the most room behind it.
 * Source of the search: breadth first, over a board with a border so that no step needs a range check.
 */
#include "snake.h"

#define STRIDE (SNAKE_WIDTH + 2)
#define CELLS (STRIDE * (SNAKE_HEIGHT + 2))
#define AT(x, y) (((y) + 1) * STRIDE + (x) + 1)
#define FAR 255

NETS_MAILBOX(mail, 128)

/* A snake on the bordered board: 1 in `taken` is a wall or a body segment; `next` leads from segment to segment. */
typedef struct {
    u8 taken[CELLS];
    u8 towards_head[CELLS];
    i32 head, tail;
} Snake;

static const i32 OFFSET[4] = {-STRIDE, 1, STRIDE, -1};
static Snake now, later;
/* Steps to the goal of the last search; the second is for searches in the mind. */
static u8 distance[CELLS], distance_later[CELLS];

static void read_mail(i32 *apple) {
    __builtin_memset(now.taken, 1, CELLS);
    for (i32 y = 0; y < SNAKE_HEIGHT; y++)
        for (i32 x = 0; x < SNAKE_WIDTH; x++) {
            u8 cell = mail[SNAKE_HEADER + y * SNAKE_WIDTH + x];
            i32 at = AT(x, y);
            now.taken[at] = cell != SNAKE_EMPTY && cell != SNAKE_APPLE;
            if (cell >= SNAKE_BODY && cell < SNAKE_HEAD) now.towards_head[at] = cell - SNAKE_BODY;
            if (cell == SNAKE_HEAD) now.head = at;
            if (cell == SNAKE_APPLE) *apple = at;
        }
    now.tail = AT(mail[8], mail[9]);
}

/* Fills DISTANCE with the steps from every free cell to GOAL (FAR: no way); returns how many cells were reached. GOAL
 * itself may be taken. The border is taken, so no step leaves the board. */
static i32 measure(const Snake *snake, i32 goal, u8 *distance) {
    static u8 queue[CELLS];
    i32 first = 0, last = 0;
    __builtin_memset(distance, FAR, CELLS);
    distance[goal] = 0;
    queue[last++] = (u8)goal;
    while (first < last) {
        i32 at = queue[first++];
        for (i32 d = 0; d < 4; d++) {
            i32 to = at + OFFSET[d];
            if (snake->taken[to] || distance[to] != FAR) continue;
            distance[to] = distance[at] + 1;
            queue[last++] = (u8)to;
        }
    }
    return last;
}

/* The move from the head to the neighbour with the smallest (or, FARTHEST set, greatest) distance; -1 when none. */
static i32 best_move(const Snake *snake, const u8 *distance, i32 farthest) {
    i32 best = -1, best_distance = 0;
    for (i32 d = 0; d < 4; d++) {
        i32 to = snake->head + OFFSET[d];
        if (distance[to] == FAR || (snake->taken[to] && to != snake->tail)) continue;
        if (best < 0 || (farthest ? distance[to] > best_distance : distance[to] < best_distance)) {
            best = d;
            best_distance = distance[to];
        }
    }
    return best;
}

/* One step of SNAKE in the mind; GROWS keeps the tail where it is. */
static void walk(Snake *snake, i32 towards, i32 grows) {
    snake->towards_head[snake->head] = (u8)towards;
    snake->head += OFFSET[towards];
    if (!grows) {
        snake->taken[snake->tail] = 0;
        snake->tail += OFFSET[snake->towards_head[snake->tail]];
    }
    snake->taken[snake->head] = 1;
}

/* Whether SNAKE can get next to its tail: the tail will have moved on by then. */
static i32 can_follow_tail(const Snake *snake) {
    measure(snake, snake->tail, distance_later);
    return best_move(snake, distance_later, 0) >= 0;
}

/* Steps 1 and 2: the first step of a safe way to the apple, or -1. */
static i32 hunt(i32 apple) {
    measure(&now, apple, distance);
    i32 first = best_move(&now, distance, 0);
    if (first < 0) return -1;
    later = now;
    while (later.head != apple) {
        i32 towards = best_move(&later, distance, 0);
        if (towards < 0) return -1;
        walk(&later, towards, later.head + OFFSET[towards] == apple);
    }
    return can_follow_tail(&later) ? first : -1;
}

/* Step 3: the move that keeps the tail in reach, the long way round, or -1. */
static i32 stall(void) {
    measure(&now, now.tail, distance);
    return best_move(&now, distance, 1);
}

/* Step 4: the move with the most room behind it; -1, straight on, when all are deadly. */
static i32 widest(void) {
    i32 best = -1, most = 0;
    for (i32 d = 0; d < 4; d++) {
        i32 to = now.head + OFFSET[d];
        if (now.taken[to]) continue;
        i32 room = measure(&now, to, distance);
        if (room > most) {
            most = room;
            best = d;
        }
    }
    return best;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 apple = 0;
    (void)packed;
    read_mail(&apple);
    i32 move = apple ? hunt(apple) : -1;
    if (move < 0) move = stall();
    if (move < 0) move = widest();
    return move;
}
