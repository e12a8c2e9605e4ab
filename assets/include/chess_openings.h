/* The openings that a seed of chess chooses from: lines of four to eight plies from the books, all of them sound.
 *
 * A line is its moves one after the other, four letters each: from and to. Line n is opening n + 1; opening 0 is the
 * normal position. chess.json has the names for the replay view.
 */
#ifndef CHESS_OPENINGS_H
#define CHESS_OPENINGS_H

#include "chess_moves.h"

static const char chess_openings[][33] = {
    "e2e4e7e5g1f3b8c6f1b5a7a6",         /* Ruy Lopez, Morphy */
    "e2e4e7e5g1f3b8c6f1b5a7a6b5a4g8f6", /* Ruy Lopez, Columbus */
    "e2e4e7e5g1f3b8c6f1b5a7a6b5c6d7c6", /* Ruy Lopez, exchange */
    "e2e4e7e5g1f3b8c6f1b5g8f6",         /* Ruy Lopez, Berlin */
    "e2e4e7e5g1f3b8c6f1b5d7d6",         /* Ruy Lopez, Steinitz */
    "e2e4e7e5g1f3b8c6f1b5f8c5",         /* Ruy Lopez, classical */
    "e2e4e7e5g1f3b8c6f1b5g8e7",         /* Ruy Lopez, Cozio */
    "e2e4e7e5g1f3b8c6f1b5g7g6",         /* Ruy Lopez, Smyslov */
    "e2e4e7e5g1f3b8c6f1c4f8c5",         /* Italian game */
    "e2e4e7e5g1f3b8c6f1c4f8c5c2c3g8f6", /* Italian game, centre */
    "e2e4e7e5g1f3b8c6f1c4f8c5d2d3g8f6", /* Italian game, quiet */
    "e2e4e7e5g1f3b8c6f1c4g8f6",         /* Two knights defence */
    "e2e4e7e5g1f3b8c6f1c4g8f6d2d3f8e7", /* Two knights, quiet */
    "e2e4e7e5g1f3b8c6f1c4f8e7",         /* Hungarian defence */
    "e2e4e7e5g1f3b8c6d2d4e5d4f3d4g8f6", /* Scotch, Schmidt */
    "e2e4e7e5g1f3b8c6d2d4e5d4f3d4f8c5", /* Scotch, classical */
    "e2e4e7e5g1f3b8c6d2d4e5d4f1c4g8f6", /* Scotch gambit */
    "e2e4e7e5g1f3b8c6c2c3g8f6",         /* Ponziani */
    "e2e4e7e5g1f3b8c6b1c3g8f6",         /* Four knights */
    "e2e4e7e5g1f3b8c6b1c3g8f6f1b5f8b4", /* Four knights, Spanish */
    "e2e4e7e5g1f3b8c6b1c3g8f6d2d4e5d4", /* Four knights, Scotch */
    "e2e4e7e5g1f3b8c6b1c3g7g6",         /* Three knights */
    "e2e4e7e5g1f3g8f6",                 /* Petroff */
    "e2e4e7e5g1f3g8f6f3e5d7d6e5f3f6e4", /* Petroff, classical */
    "e2e4e7e5g1f3g8f6d2d4f6e4",         /* Petroff, Steinitz */
    "e2e4e7e5g1f3g8f6d2d3b8c6",         /* Petroff, quiet */
    "e2e4e7e5g1f3d7d6d2d4e5d4f3d4g8f6", /* Philidor, exchange */
    "e2e4e7e5g1f3d7d6d2d4g8f6",         /* Philidor, Nimzowitsch */
    "e2e4e7e5b1c3g8f6",                 /* Vienna, Falkbeer */
    "e2e4e7e5b1c3b8c6",                 /* Vienna, Max Lange */
    "e2e4e7e5b1c3g8f6f1c4b8c6",         /* Vienna, Stanley */
    "e2e4e7e5b1c3g8f6g2g3d7d5",         /* Vienna, Mieses */
    "e2e4e7e5f1c4g8f6d2d3c7c6",         /* Bishop's opening */
    "e2e4e7e5f1c4g8f6d2d3b8c6",         /* Bishop's opening, Vienna */
    "e2e4e7e5d2d4e5d4d1d4b8c6",         /* Centre game */
    "e2e4e7e5f2f4f8c5",                 /* King's gambit declined */
    "e2e4c7c5g1f3d7d6d2d4c5d4f3d4g8f6", /* Sicilian, open */
    "e2e4c7c5g1f3b8c6d2d4c5d4f3d4g8f6", /* Sicilian, old */
    "e2e4c7c5g1f3b8c6d2d4c5d4f3d4g7g6", /* Sicilian, accelerated dragon */
    "e2e4c7c5g1f3b8c6d2d4c5d4f3d4e7e5", /* Sicilian, Loewenthal */
    "e2e4c7c5g1f3e7e6d2d4c5d4f3d4b8c6", /* Sicilian, Taimanov */
    "e2e4c7c5g1f3e7e6d2d4c5d4f3d4a7a6", /* Sicilian, Kan */
    "e2e4c7c5g1f3e7e6d2d4c5d4f3d4g8f6", /* Sicilian, French */
    "e2e4c7c5g1f3b8c6f1b5g7g6",         /* Sicilian, Rossolimo g6 */
    "e2e4c7c5g1f3b8c6f1b5e7e6",         /* Sicilian, Rossolimo e6 */
    "e2e4c7c5g1f3d7d6f1b5c8d7",         /* Sicilian, Moscow Bd7 */
    "e2e4c7c5g1f3d7d6f1b5b8d7",         /* Sicilian, Moscow Nd7 */
    "e2e4c7c5g1f3d7d6d2d4c5d4d1d4b8c6", /* Sicilian, Chekhover */
    "e2e4c7c5c2c3g8f6e4e5f6d5",         /* Sicilian, Alapin Nf6 */
    "e2e4c7c5c2c3d7d5e4d5d8d5",         /* Sicilian, Alapin d5 */
    "e2e4c7c5b1c3b8c6g2g3g7g6",         /* Sicilian, closed */
    "e2e4c7c5b1c3b8c6f2f4g7g6",         /* Sicilian, grand prix */
    "e2e4c7c5g1f3g8f6e4e5f6d5",         /* Sicilian, Nimzowitsch */
    "e2e4c7c5g1f3e7e6d2d3b8c6",         /* Sicilian, king's Indian attack */
    "e2e4c7c5g1f3a7a6c2c3e7e6",         /* Sicilian, O'Kelly */
    "e2e4e7e6d2d4d7d5e4e5c7c5",         /* French, advance */
    "e2e4e7e6d2d4d7d5b1c3f8b4",         /* French, Winawer */
    "e2e4e7e6d2d4d7d5b1c3g8f6",         /* French, classical */
    "e2e4e7e6d2d4d7d5b1c3d5e4c3e4b8d7", /* French, Rubinstein */
    "e2e4e7e6d2d4d7d5b1d2g8f6",         /* French, Tarrasch Nf6 */
    "e2e4e7e6d2d4d7d5b1d2c7c5",         /* French, Tarrasch c5 */
    "e2e4e7e6d2d4d7d5e4d5e6d5",         /* French, exchange */
    "e2e4e7e6d2d4d7d5e4d5e6d5g1f3g8f6", /* French, exchange Nf3 */
    "e2e4e7e6d2d3d7d5",                 /* French, king's Indian attack */
    "e2e4e7e6g1f3d7d5b1c3g8f6",         /* French, two knights */
    "e2e4c7c6d2d4d7d5e4e5c8f5",         /* Caro-Kann, advance Bf5 */
    "e2e4c7c6d2d4d7d5e4e5c6c5",         /* Caro-Kann, advance c5 */
    "e2e4c7c6d2d4d7d5b1c3d5e4c3e4c8f5", /* Caro-Kann, classical */
    "e2e4c7c6d2d4d7d5b1c3d5e4c3e4b8d7", /* Caro-Kann, Karpov */
    "e2e4c7c6d2d4d7d5b1c3d5e4c3e4g8f6", /* Caro-Kann, Nf6 */
    "e2e4c7c6d2d4d7d5e4d5c6d5f1d3b8c6", /* Caro-Kann, exchange */
    "e2e4c7c6d2d4d7d5e4d5c6d5c2c4g8f6", /* Caro-Kann, Panov */
    "e2e4c7c6b1c3d7d5g1f3c8g4",         /* Caro-Kann, two knights */
    "e2e4c7c6d2d4d7d5f2f3e7e6",         /* Caro-Kann, fantasy */
    "e2e4c7c6d2d3d7d5",                 /* Caro-Kann, king's Indian attack */
    "e2e4d7d6d2d4g8f6b1c3g7g6",         /* Pirc */
    "e2e4d7d6d2d4g8f6b1c3g7g6f2f4f8g7", /* Pirc, Austrian attack */
    "e2e4d7d6d2d4g8f6b1c3g7g6g1f3f8g7", /* Pirc, two knights */
    "e2e4d7d6d2d4g8f6b1c3c7c6",         /* Czech defence */
    "e2e4g7g6d2d4f8g7",                 /* Modern defence */
    "e2e4g7g6d2d4f8g7b1c3d7d6",         /* Modern defence, Nc3 */
    "e2e4g8f6e4e5f6d5d2d4d7d6",         /* Alekhine */
    "e2e4g8f6e4e5f6d5d2d4d7d6g1f3c8g4", /* Alekhine, modern */
    "e2e4g8f6e4e5f6d5d2d4d7d6c2c4d5b6", /* Alekhine, chase */
    "e2e4g8f6b1c3d7d5",                 /* Alekhine, Scandinavian */
    "e2e4d7d5e4d5d8d5b1c3d5a5",         /* Scandinavian, Qa5 */
    "e2e4d7d5e4d5d8d5b1c3d5d6",         /* Scandinavian, Qd6 */
    "e2e4d7d5e4d5g8f6d2d4f6d5",         /* Scandinavian, Nf6 */
    "e2e4b8c6d2d4d7d5",                 /* Nimzowitsch defence */
    "d2d4d7d5c2c4e7e6b1c3g8f6",         /* Queen's gambit declined */
    "d2d4d7d5c2c4e7e6b1c3g8f6c4d5e6d5", /* Queen's gambit declined, exchange */
    "d2d4d7d5c2c4e7e6g1f3g8f6b1c3f8e7", /* Queen's gambit declined, Be7 */
    "d2d4d7d5c2c4e7e6g1f3g8f6b1c3f8b4", /* Queen's gambit declined, Ragozin */
    "d2d4d7d5c2c4e7e6b1c3c7c5",         /* Tarrasch defence */
    "d2d4d7d5c2c4c7c6g1f3g8f6",         /* Slav */
    "d2d4d7d5c2c4c7c6g1f3g8f6b1c3d5c4", /* Slav, dxc4 */
    "d2d4d7d5c2c4c7c6g1f3g8f6b1c3a7a6", /* Slav, a6 */
    "d2d4d7d5c2c4c7c6g1f3g8f6b1c3e7e6", /* Semi-Slav */
    "d2d4d7d5c2c4c7c6c4d5c6d5",         /* Slav, exchange */
    "d2d4d7d5c2c4c7c6g1f3g8f6e2e3c8f5", /* Slav, e3 */
    "d2d4d7d5c2c4d5c4g1f3g8f6",         /* Queen's gambit accepted */
    "d2d4d7d5c2c4d5c4g1f3g8f6e2e3e7e6", /* Queen's gambit accepted, e3 */
    "d2d4d7d5c2c4d5c4e2e4e7e5",         /* Queen's gambit accepted, centre */
    "d2d4d7d5c2c4b8c6g1f3c8g4",         /* Chigorin defence */
    "d2d4d7d5c1f4g8f6e2e3c7c5",         /* London, d5 */
    "d2d4g8f6c1f4g7g6",                 /* London, g6 */
    "d2d4g8f6b1c3d7d5c1f4c7c5",         /* London, Jobava */
    "d2d4d7d5g1f3g8f6e2e3e7e6",         /* Colle */
    "d2d4g8f6g1f3e7e6c1g5c7c5",         /* Torre attack */
    "d2d4g8f6g1f3g7g6c1g5f8g7",         /* Torre attack, g6 */
    "d2d4g8f6c1g5f6e4",                 /* Trompowsky, Ne4 */
    "d2d4g8f6c1g5e7e6",                 /* Trompowsky, e6 */
    "d2d4d7d5b1c3g8f6c1g5b8d7",         /* Veresov */
    "d2d4g8f6c2c4e7e6g2g3d7d5",         /* Catalan */
    "d2d4g8f6c2c4e7e6g2g3d7d5f1g2f8e7", /* Catalan, closed */
    "d2d4g8f6c2c4e7e6g2g3d7d5f1g2d5c4", /* Catalan, open */
    "d2d4g8f6c2c4e7e6b1c3f8b4",         /* Nimzo-Indian */
    "d2d4g8f6c2c4e7e6b1c3f8b4d1c2e8g8", /* Nimzo-Indian, classical */
    "d2d4g8f6c2c4e7e6b1c3f8b4e2e3e8g8", /* Nimzo-Indian, Rubinstein */
    "d2d4g8f6c2c4e7e6b1c3f8b4f2f3d7d5", /* Nimzo-Indian, f3 */
    "d2d4g8f6c2c4e7e6g1f3b7b6g2g3c8b7", /* Queen's Indian, Bb7 */
    "d2d4g8f6c2c4e7e6g1f3b7b6g2g3c8a6", /* Queen's Indian, Ba6 */
    "d2d4g8f6c2c4e7e6g1f3f8b4c1d2d8e7", /* Bogo-Indian */
    "d2d4g8f6c2c4g7g6b1c3f8g7",         /* King's Indian */
    "d2d4g8f6c2c4g7g6b1c3f8g7e2e4d7d6", /* King's Indian, main */
    "d2d4g8f6c2c4g7g6g2g3f8g7f1g2d7d6", /* King's Indian, fianchetto */
    "d2d4g8f6c2c4g7g6b1c3d7d5",         /* Gruenfeld */
    "d2d4g8f6c2c4g7g6b1c3d7d5c4d5f6d5", /* Gruenfeld, exchange */
    "d2d4g8f6c2c4g7g6b1c3d7d5g1f3f8g7", /* Gruenfeld, Nf3 */
    "d2d4g8f6c2c4g7g6b1c3d7d5c1f4f8g7", /* Gruenfeld, Bf4 */
    "d2d4g8f6c2c4c7c5d4d5e7e5",         /* Benoni, Czech */
    "d2d4g8f6c2c4c7c5d4d5e7e6",         /* Benoni, modern */
    "d2d4g8f6c2c4d7d6b1c3e7e5",         /* Old Indian */
    "d2d4f7f5g2g3g8f6f1g2g7g6",         /* Dutch, Leningrad */
    "d2d4f7f5g2g3g8f6f1g2e7e6",         /* Dutch, classical */
    "d2d4f7f5c2c4e7e6g1f3d7d5",         /* Dutch, stonewall */
    "d2d4g7g6c2c4f8g7",                 /* Modern defence, c4 */
    "d2d4d7d6g1f3c8g4",                 /* Wade defence */
    "c2c4e7e5b1c3g8f6",                 /* English, king's */
    "c2c4e7e5b1c3g8f6g1f3b8c6",         /* English, four knights */
    "c2c4e7e5b1c3b8c6g2g3g7g6",         /* English, closed */
    "c2c4c7c5b1c3b8c6",                 /* English, symmetrical */
    "c2c4c7c5b1c3b8c6g2g3g7g6",         /* English, symmetrical fianchetto */
    "c2c4c7c5g1f3g8f6g2g3b7b6",         /* English, hedgehog */
    "c2c4g8f6b1c3e7e6",                 /* English, Anglo-Indian */
    "c2c4e7e6g1f3d7d5",                 /* English, Agincourt */
    "c2c4c7c6e2e4d7d5",                 /* English, Caro-Kann */
    "g1f3d7d5g2g3e7e6",                 /* Reti, e6 */
    "g1f3d7d5c2c4c7c6",                 /* Reti, c6 */
    "g1f3d7d5g2g3g8f6f1g2c7c6",         /* King's Indian attack */
    "g1f3g8f6g2g3g7g6",                 /* Double fianchetto */
    "b2b3e7e5c1b2b8c6",                 /* Larsen */
    "f2f4d7d5g1f3g8f6",                 /* Bird */
    "g2g3d7d5f1g2g8f6",                 /* Benko's opening */
};

#define CHESS_OPENINGS (i32)(sizeof(chess_openings) / sizeof(*chess_openings))

/* Move number PLY of a line, as an action; 0 after the last one. */
static inline u32 chess_opening_move(const char *line, i32 ply) {
    const char *move = line + 4 * ply;
    if (!*move) return 0;
    i32 from = move[0] - 'a' + (move[1] - '1') * 8, to = move[2] - 'a' + (move[3] - '1') * 8;
    return (u32)(from | to << 6);
}

#endif
