/* Calling station: never bets, calls everything. Bluffs are wasted on it, and it pays every good card. */
#include "kuhn.h"

NETS_EXPORT(decide) i64 decide(i64 packed) { return kuhn_line(packed) >= KUHN_FACES_BET ? KUHN_BET : KUHN_PASS; }
