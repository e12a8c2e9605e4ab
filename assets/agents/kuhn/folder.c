/* Folder: puts a second chip in with the king alone and gives everything else up. Whoever bets at it wins the ante. */
#include "kuhn.h"

NETS_EXPORT(decide) i64 decide(i64 packed) { return kuhn_card(packed) == KUHN_KING ? KUHN_BET : KUHN_PASS; }
