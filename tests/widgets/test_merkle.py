import hashlib
import time

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from widgets.byte_grid import PER_ROW
from widgets.cards import KeyValueRow
from widgets.merkle import ProofRow, ProofState, ProofView
from widgets.merkle_tree import MerkleTreeState, MerkleTreeView, level_counts

LEFT = Qt.MouseButton.LeftButton


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def walk(leaf, siblings, index):
    """The rows of a path, as an app would compute them."""
    here, rows = hashlib.sha256(b"\0" + leaf).digest(), []
    for level, sibling in enumerate(siblings):
        left = bool(index >> level & 1)
        here = node(sibling, here) if left else node(here, sibling)
        rows.append((level, "left" if left else "right", sibling.hex(), here.hex()))
    return rows


SIBLINGS = [hashlib.sha256(bytes([i])).digest() for i in range(5)]
LEAF = bytes(range(72))


def proof_state(leaf=LEAF, edited=(), source="chain", chain=()):
    good, rows = walk(LEAF, SIBLINGS, 11), walk(leaf, SIBLINGS, 11)
    return ProofState(
        11, 32, leaf, (("step", 0, 8), ("observation", 8, 32), ("action", 40, 32)),
        hashlib.sha256(b"\0" + leaf).hexdigest(),
        tuple(ProofRow(*row, changed=row != was) for row, was in zip(rows, good, strict=True)),
        rows[-1][3], good[-1][3], source, "pass" if leaf == LEAF else "fail", edited, chain=chain,
    )  # fmt: skip


@pytest.fixture
def proof(qtbot):
    made = ProofView(proof_state())
    qtbot.addWidget(made)
    made.resize(900, 820)
    made.show()
    return made


def facts(panel):
    return {label: widget for (label, _), widget in zip(panel._shape, panel._values, strict=True)}


def test_walks_hash_by_hash(proof):
    rows = proof._table.visible_rows()
    assert [row[0] for row in rows] == [0, 1, 2, 3, 4]
    assert [row[1] for row in rows] == ["left", "left", "right", "left", "right"]
    assert [row[2] for row in rows] == [sibling.hex() for sibling in SIBLINGS]
    assert rows[-1][3] == proof_state().computed_root
    assert proof._badge.accessibleName() == "Verdict: PASS"
    roots = facts(proof._roots)
    assert roots["Root of this path"].value() == roots["Expected root"].value()
    assert roots["Root is"].pill.accessibleName() == "on chain"


def test_typing_a_byte_asks_and_the_answer_shows(qtbot, proof, differing):
    grid = proof._bytes
    grid.setFocus()
    before = proof.grab().toImage()
    edits = []
    proof.byteEdited.connect(lambda at, value: edits.append((at, value)))
    for _ in range(3):
        qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClicks(grid, "f")
    assert edits == [(3, 0xF3)]
    changed = bytearray(LEAF)
    changed[3] = 0xF3
    proof.set_state(proof_state(bytes(changed), (3,), "local"))
    assert [row[4] for row in proof._table.visible_rows()] == ["changed"] * 5
    assert proof._badge.accessibleName() == "Verdict: FAIL"
    assert facts(proof._roots)["Root is"].pill.accessibleName() == "local, untrusted"
    assert differing(before, proof.grab().toImage()) > 0.01
    qtbot.keyClicks(grid, "a")
    assert edits[-1] == (3, 0xFA)
    assert grid.offset() == 4
    with qtbot.waitSignal(proof.reverted):
        qtbot.mouseClick(proof._revert, LEFT)
    proof.set_state(proof_state())
    assert proof._badge.accessibleName() == "Verdict: PASS"
    assert not proof._revert.isEnabled()
    assert [row[4] for row in proof._table.visible_rows()] == [""] * 5


def test_delete_flips_a_bit_and_the_mouse_places_the_cursor(qtbot, proof):
    grid = proof._bytes
    grid.setFocus()
    box = grid._box(2 * PER_ROW + 5)
    qtbot.mouseClick(grid, LEFT, pos=box.center().toPoint())
    assert grid.offset() == 37
    with qtbot.waitSignal(proof.byteEdited) as caught:
        qtbot.keyClick(grid, Qt.Key.Key_Delete)
    assert caught.args == [37, LEAF[37] ^ 1]
    assert "observation" in grid.accessibleDescription()


def test_the_cursor_stays_inside(qtbot, proof):
    grid = proof._bytes
    qtbot.keyClick(grid, Qt.Key.Key_Up)
    assert grid.offset() == 0
    for _ in range(10):
        qtbot.keyClick(grid, Qt.Key.Key_Down)
    assert grid.offset() == len(LEAF) - 1
    with qtbot.assertNotEmitted(proof.byteEdited):
        qtbot.keyClicks(grid, "g ")
        qtbot.keyClick(grid, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)


def test_chain_facts_and_buttons(qtbot, proof):
    proof.set_state(proof_state(chain=(
        KeyValueRow("Contract", "0x" + "ab" * 20, "hash", link="address:1"), KeyValueRow("Block", "128"),
        KeyValueRow("verifyStep", "true", "pill", "ok"),
    )))  # fmt: skip
    roots = facts(proof._roots)
    with qtbot.waitSignal(proof.linkActivated) as caught:
        qtbot.mouseClick(roots["Contract"], LEFT)
    assert caught.args == ["address:1"]
    assert roots["verifyStep"].pill.accessibleName() == "true"
    for button, signal in ((proof._verify, proof.verifyOnChainRequested), (proof._export, proof.exportRequested)):
        with qtbot.waitSignal(signal):
            qtbot.mouseClick(button, LEFT)


def test_no_proof_yet(qtbot):
    made = ProofView()
    qtbot.addWidget(made)
    made.resize(800, 700)
    made.show()
    assert not made._verify.isEnabled()
    assert not made.grab().isNull()


@pytest.mark.parametrize(("n", "counts"), [(0, []), (1, [1]), (2, [2, 1]), (11, [11, 6, 3, 2, 1])])
def test_levels(n, counts):
    assert level_counts(n) == counts


@pytest.fixture
def tree(qtbot):
    asked = []

    def hash_of(level, index):
        asked.append((level, index))
        return hashlib.sha256(f"{level}/{index}".encode()).hexdigest()

    made = MerkleTreeView(MerkleTreeState(1 << 16, 20_011, hash_of, ((9, "error"),)))
    made.asked = asked
    qtbot.addWidget(made)
    made.resize(900, 420)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def frame_time(tree):
    best = 1.0
    for _ in range(8):
        start = time.process_time()
        tree.grab()
        best = min(best, time.process_time() - start)
    return best


def test_a_frame_of_65536_leaves_is_quick_at_any_zoom(tree):
    spent = [frame_time(tree)]
    for leaves in (20_000, 3000, 400, 60, 8):
        tree.zoom_to(20_011, leaves=leaves)
        spent.append(frame_time(tree))
    # The aim is 8 ms on a quiet machine; the tests' machine is shared, so the gate is wider.
    assert max(spent) < 0.025, [f"{s * 1000:.1f} ms" for s in spent]


def test_only_what_is_in_sight_is_asked_for(tree):
    tree.grab()
    assert 0 < len(tree.asked) < 200
    tree.asked.clear()
    tree.zoom_to(20_011)
    tree.grab()
    assert 0 < len(tree.asked) < 500
    leaves = [index for level, index in tree.asked if level == 0]
    assert all(abs(index - 20_011) < 40 for index in leaves)


def test_details_come_with_the_zoom(qtbot, tree):
    tree.grab()
    coarse = tree.lowest_level()
    assert coarse > 5
    for _ in range(40):
        at = QPointF(300, 200)
        event = QWheelEvent(at, tree.mapToGlobal(at), QPoint(0, 0), QPoint(0, 120), Qt.MouseButton.NoButton,
                            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
        QApplication.sendEvent(tree, event)
    assert tree.lowest_level() == 0
    qtbot.keyClick(tree, Qt.Key.Key_Home)
    assert tree.lowest_level() == coarse
    for _ in range(40):
        qtbot.keyClick(tree, Qt.Key.Key_Plus)
    assert tree.lowest_level() == 0
    for _ in range(60):
        qtbot.keyClick(tree, Qt.Key.Key_Minus)
    assert tree.lowest_level() == coarse


def test_a_click_tells_the_leaf(qtbot, tree):
    tree.zoom_to(20_011)
    at = tree.position(0, 20_013).toPoint()
    heard = []
    tree.leafClicked.connect(lambda leaf: heard.append(leaf))
    tree.nodeClicked.connect(lambda *node: heard.append(node))
    qtbot.mouseClick(tree, LEFT, pos=at)
    assert set(heard) == {20_013, (0, 20_013)}


def test_a_click_on_an_inner_node_is_no_leaf(qtbot, tree):
    tree.grab()
    top = len(level_counts(1 << 16)) - 1
    with qtbot.assertNotEmitted(tree.leafClicked), qtbot.waitSignal(tree.nodeClicked) as caught:
        qtbot.mouseClick(tree, LEFT, pos=tree.position(top, 0).toPoint())
    assert caught.args == [top, 0]


def test_double_click_opens_a_subtree(qtbot, tree):
    level = len(level_counts(1 << 16)) - 4
    at = tree.position(level, 2).toPoint()
    before = tree.lowest_level()
    qtbot.mouseDClick(tree, LEFT, pos=at)
    assert tree.lowest_level() < before


def test_a_drag_pans_and_clicks_nothing(qtbot, tree):
    tree.zoom_to(20_011)
    before = tree.position(0, 20_011).x()
    heard = []
    tree.nodeClicked.connect(lambda *a: heard.append(a))
    start = tree.position(0, 20_011).toPoint()
    qtbot.mousePress(tree, LEFT, pos=start)
    qtbot.mouseMove(tree, start + QPoint(-60, 0))
    qtbot.mouseMove(tree, start + QPoint(-120, 0))
    qtbot.mouseRelease(tree, LEFT, pos=start + QPoint(-120, 0))
    assert tree.position(0, 20_011).x() == pytest.approx(before - 120, abs=2)
    assert heard == []


def test_arrows_choose_neighbours(qtbot, tree):
    with qtbot.waitSignal(tree.leafClicked) as caught:
        qtbot.keyClick(tree, Qt.Key.Key_Right)
    assert caught.args == [20_012]
    tree.set_state(MerkleTreeState(5, 0))
    with qtbot.waitSignal(tree.leafClicked) as caught:
        qtbot.keyClick(tree, Qt.Key.Key_Left)
    assert caught.args == [0]


def test_ancestors_stay_in_sight(tree):
    tree.zoom_to(20_011, leaves=8)
    for level in range(len(level_counts(1 << 16))):
        assert 0 <= tree.position(level, 20_011 >> level).x() <= tree.width()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 11, 100_000])
def test_any_size_paints(qtbot, differing, n):
    made = MerkleTreeView(MerkleTreeState(n, 0 if n else None))
    qtbot.addWidget(made)
    made.resize(500, 300)
    blank = MerkleTreeView(MerkleTreeState())
    qtbot.addWidget(blank)
    blank.resize(500, 300)
    assert (differing(made.grab().toImage(), blank.grab().toImage()) > 0) == (n > 0)


def test_inner_nodes_can_be_offered_and_taken_back(qtbot, proof):
    assert not proof._offer.isVisible()
    proof.set_state(proof_state(source="local"))
    offered = ProofState(5, 32, bytes(64), (("left child", 0, 32), ("right child", 32, 32)), "ab", (), "cd", "ef",
                         "local", "fail", note="It cannot be one.", can_offer=True, can_verify=False)  # fmt: skip
    proof.set_state(offered)
    assert proof._note.isVisible()
    assert not proof._verify.isEnabled()
    with qtbot.waitSignal(proof.innerNodeOffered):
        qtbot.mouseClick(proof._offer, LEFT)
    with qtbot.waitSignal(proof.reverted):
        qtbot.mouseClick(proof._revert, LEFT)


def test_parts_read_as_they_are_told(qtbot, proof):
    shown = proof_state()
    told = ProofState(shown.index, 32, LEAF, shown.leaf_parts, shown.leaf_hash, texts=(("step", "none"),))
    proof.set_state(told)
    assert facts(proof._parts)["step"].text() == "none"


def test_bytes_move_together_where_there_is_little_room(qtbot, proof, settle):
    wide = proof._bytes.sizeHint().width()
    proof.resize(400, 700)
    settle()
    assert proof._bytes.sizeHint().width() < wide
    assert proof._bytes.sizeHint().width() <= 400 - 32
    proof.resize(900, 700)
    settle()
    assert proof._bytes.sizeHint().width() == wide


def test_absent_nodes_and_a_chosen_one_are_drawn(qtbot, differing):
    def picture(**more):
        made = MerkleTreeView(MerkleTreeState(11, 3, lambda level, index: f"{level}{index}" * 8, **more))
        qtbot.addWidget(made)
        made.resize(700, 400)
        return made, made.grab().toImage()

    rising, plain = picture()
    joined, positional = picture(positional=True)
    assert not rising._is_node(1, 5)
    assert joined._is_node(1, 5)
    assert differing(plain, positional) > 0
    _, chosen = picture(node=(2, 1))
    assert 0 < differing(plain, chosen) < 0.05
    assert differing(plain, picture(node=(40, 0))[1]) == 0


def test_a_small_tree_is_shown_whole(qtbot):
    made = MerkleTreeView(MerkleTreeState(20, 3))
    qtbot.addWidget(made)
    made.resize(700, 400)
    whole = made.position(0, 19)
    made.zoom_to(3)
    assert made.position(0, 19) == whole
