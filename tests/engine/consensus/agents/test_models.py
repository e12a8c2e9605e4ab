from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.consensus.agents.builtin import KINDS
from engine.consensus.agents.model_io import ModelRunner
from engine.consensus.agents.models import builtin, load_model, read_state, resolve
from engine.consensus.errors import ConsensusError, ModelRefusedError
from engine.consensus.tasks import task_of
from engine.games.games import Floats

TASK = task_of({"type": "custom", "labels": list("abcde"), "space": "simplex", "features": {"heat": 3}})
PINNED = [0.4954660645071989, -0.4235477689522529, -0.6318679944271868]


def numbers(model: nn.Module) -> Floats:
    return ModelRunner(model, "cpu").run(TASK, 0)[0]


def plain() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 5))


def scripted(module: nn.Module, path: Path, *, trace: bool = False) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = torch.jit.trace(module, torch.zeros(1, 12)) if trace else torch.jit.script(module)
        torch.jit.save(made, str(path))
    return path


def saved(what: Any, path: Path) -> Path:
    torch.save(what, path)
    return path


# What loads


def test_weights_modules_and_torchscript_load_to_the_same_model(tmp_path: Path) -> None:
    model = plain()
    expected = numbers(model).tolist()
    assert numbers(load_model(saved(model.state_dict(), tmp_path / "weights.pt"))).tolist() == expected
    assert numbers(load_model(saved(model, tmp_path / "whole.pt"))).tolist() == expected
    assert numbers(load_model(scripted(model, tmp_path / "script.pt"))).tolist() == expected
    assert numbers(load_model(scripted(model, tmp_path / "trace.pt", trace=True))).tolist() == expected
    state = read_state(tmp_path / "weights.pt")
    assert [name for name, part in state.items() if torch.equal(part, model.state_dict()[name])] == list(state)


def test_every_common_layer_loads(tmp_path: Path) -> None:
    torch.manual_seed(2)
    inner = nn.Sequential(nn.BatchNorm1d(9), nn.ELU(), nn.Linear(9, 9, bias=False), nn.LeakyReLU(0.2), nn.SiLU())
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 9), nn.LayerNorm(9), nn.GELU("tanh"), nn.Dropout(0.7), inner, nn.Softplus(2.0),
        nn.Tanh(), nn.Identity(), nn.Linear(9, 5), nn.Sigmoid(), nn.LogSoftmax(-1), nn.Softmax(-1),
    )  # fmt: skip
    inner[0].running_mean += 0.5
    model.register_forward_hook(plain_hook)  # functions do not travel: the file is refused
    with pytest.raises(ModelRefusedError, match="plain_hook"):
        load_model(saved(model, tmp_path / "hooked.pt"))
    model._forward_hooks.clear()
    loaded = load_model(saved(model, tmp_path / "model.pt"))
    assert numbers(loaded).tolist() == numbers(model).tolist()
    assert not any(part.requires_grad for part in loaded.parameters())


def plain_hook(*_: Any) -> None:
    return None


# What is refused


class Evil:
    """Makes a file when it is unpickled by a reader that trusts it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("place", ["alone", "in a dictionary", "in a module", "plain pickle", "as a key"])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path: Path, place: str) -> None:
    evil, path = Evil(tmp_path / "pwned"), tmp_path / "evil.pt"
    if place == "plain pickle":
        path.write_bytes(pickle.dumps(evil))
    elif place == "in a module":
        model = plain()
        model[0].extra = evil
        torch.save(model, path)
    else:
        torch.save({"alone": evil, "in a dictionary": {"0.weight": evil}, "as a key": {evil: 1}}[place], path)
    with pytest.raises(ModelRefusedError, match=r"system|no zip archive"):
        load_model(path)
    with pytest.raises(ModelRefusedError):
        read_state(path)
    assert not (tmp_path / "pwned").exists()
    if place == "alone":  # it is a real one
        torch.load(path, weights_only=False)
        assert (tmp_path / "pwned").exists()


class Saves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save([x], "pwned")
        return x


def saving_hook(self: nn.Module, given: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    torch.save([output], "pwned")
    return output


class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_forward_hook(saving_hook)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Opens(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_file("pwned", True, 10)


class Prints(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(x)
        return x


class Wakes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = 1

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return self.count, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        torch.save([torch.zeros(1)], "pwned")
        self.count, self.training = state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("kind", [Saves, Hooked, Opens, Prints, Wakes])
def test_torchscript_that_touches_the_world_is_refused(
    tmp_path: Path, kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = scripted(kind(), tmp_path / "model.pt")
    (tmp_path / "pwned").unlink(missing_ok=True)  # saving a copy may run it
    with pytest.raises(ModelRefusedError, match="more than compute"):
        load_model(path)
    assert not (tmp_path / "pwned").exists()
    if kind is Saves:  # it is a real one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.load(str(path))(torch.zeros(1))
        assert (tmp_path / "pwned").exists()


def patched(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Rewrite the entries of an archive; None leaves one out."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "hidden",
    [
        'getattr(torch, "sa" "ve")([x], "pwned")',
        'getattr(torch, "s\\x61ve")([x], "pwned")',
        'getattr ( torch, "add")(x, x)',
        'torch . save([x], "pwned")',
        "ops.profiler._record_function_enter(x)",
        "(" * 300 + "x" + ")" * 300,
        "not " * 1000 + "True",
        "-" * 1000 + "x",
        "x.ünder",
    ],
)
def test_torchscript_hides_nothing(tmp_path: Path, hidden: str) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith(".py"):
            return data
        return data.replace(b"    return", f"    _ = {hidden}\n    return".encode())

    path = patched(scripted(nn.Tanh(), tmp_path / "model.pt"), change)
    with pytest.raises(ModelRefusedError, match=r"more than compute|nested|no code"):
        load_model(path)


def bomb(path: Path, entry: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr(entry, bytes(257 << 20))
    return path


def test_archives_that_are_none(tmp_path: Path) -> None:
    good = saved(plain().state_dict(), tmp_path / "good.pt").read_bytes()
    path = tmp_path / "bad.pt"
    for content, words in (
        (b"", "empty"),
        (b"hello", "no zip archive"),
        (good[:-50], "damaged|cut off"),
        (good[:200], "damaged|cut off"),
        (good.replace(b"data.pkl", b"duta.pkl"), "not one that torch.save writes"),
        (b"PK" + b"PK\x01\x02" * 5000, "more than 4,096 entries"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelRefusedError, match=words):
            load_model(path)
    with pytest.raises(ModelRefusedError, match="not a file"):
        load_model(tmp_path)
    with pytest.raises(ModelRefusedError, match="unpacked"):
        load_model(bomb(path, "a/data/0"))
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(ModelRefusedError, match="more than 256 MiB"):
        load_model(path)


def test_entries_that_torch_does_not_need_never_reach_it(tmp_path: Path) -> None:
    path = saved(plain().state_dict(), tmp_path / "model.pt")
    expected = numbers(load_model(path)).tolist()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../etc/cron", b"x")
        archive.writestr("archive/extra/readme", b"x")
    assert numbers(load_model(path)).tolist() == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(path, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            archive.writestr(f"{root}/data/0", b"another")
    with pytest.raises(ModelRefusedError, match="two entries"):
        load_model(path)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ([1, 2], "type list"),
        ("text", "type str"),
        ({}, "no state_dict"),
        ({1: torch.zeros(1)}, "no state_dict"),
        ({"a": {"b": torch.zeros(1)}}, "not a tensor"),
        ({"0.weight": 3}, "not a tensor"),
        ({"0.weight": torch.zeros(3)}, "linear layers"),
        ({"0.weight": torch.zeros(3, 4), "0.bias": torch.zeros(4)}, "linear layers"),
        ({"0.weight": torch.zeros(3, 4), "1.weight": torch.zeros(3, 4)}, "linear layers"),
        ({"0.weight": torch.zeros(3, 4, dtype=torch.int64)}, "linear layers"),
        ({"0.weight": torch.zeros(3, 4), "mean": torch.zeros(1)}, "linear layers"),
        ({"0.bias": torch.zeros(3)}, "linear layers"),
        ({"0.weight": torch.zeros(3, 4).to_sparse()}, "plain real numbers"),
        ({"0.weight": torch.zeros(3, 4, dtype=torch.complex64)}, "plain real numbers"),
        ({"0.weight": torch.zeros(3, 4, device="meta")}, "plain real numbers"),
        ({"0.weight": torch.zeros(1).expand(10**6, 10**6)}, "numbers, at most"),
        (nn.Conv1d(1, 1, 1), "none of the layers"),
        (nn.ModuleList([nn.Linear(1, 1)]), "none of the layers"),
    ],
)
def test_contents_that_are_no_model(tmp_path: Path, what: Any, words: str) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        load_model(saved(what, tmp_path / "model.pt"))


def test_layers_that_are_not_what_they_say(tmp_path: Path) -> None:
    def refused(change: Callable[[nn.Sequential], object]) -> None:
        model = plain()
        change(model)
        with pytest.raises(ModelRefusedError):
            load_model(saved(model, tmp_path / "model.pt"))

    refused(lambda model: model[0].__dict__.pop("_parameters"))
    refused(lambda model: model[0].__dict__.update(_parameters={"weight": 3}))
    refused(lambda model: model[0].__dict__.update(in_features=[1]))
    refused(lambda model: model._modules.update({"0": 7}))  # type: ignore[dict-item]
    refused(lambda model: model._modules.update({"forward.x": model[0]}))
    refused(lambda model: model[0]._modules.update({"inner": nn.Tanh()}))
    refused(lambda model: model._modules.update({"3": model}))  # for ever
    refused(lambda model: model._modules.update({str(number): nn.Tanh() for number in range(2000)}))
    kept = plain()
    kept[0].__dict__["forward"] = nn.Tanh()  # an attribute that would take the layer's place is not taken over
    loaded = load_model(saved(kept, tmp_path / "model.pt"))
    assert numbers(loaded).tolist() == numbers(plain()).tolist()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_or_loads(tmp_path: Path, data: st.DataObject) -> None:
    good = saved(plain() if data.draw(st.booleans()) else plain().state_dict(), tmp_path / "good.pt").read_bytes()
    places = data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=8))
    damaged = bytearray(good)
    for place in places:
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.pt"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))] if data.draw(st.booleans()) else damaged)
    try:
        load_model(path)
    except ModelRefusedError:
        return


# Shipped models


def test_shipped_models_differ_by_kind_and_seed_and_agree_in_part() -> None:
    found = {(kind, seed): numbers(builtin(kind, seed))[:5] for kind in KINDS for seed in range(4)}
    assert len({tuple(row) for row in found.values()}) == len(found)
    for (kind, seed), row in found.items():
        assert numbers(builtin(kind, seed))[:5].tolist() == row.tolist()
    spread = {kind: np.mean([np.ptp(found[kind, seed]) for seed in range(4)]) for kind in KINDS}
    assert spread["cautious"] < spread["balanced"] < spread["bold"]
    rows = np.array([found["balanced", seed] for seed in range(4)])
    alike = np.corrcoef(np.array([numbers(builtin("balanced", seed)) for seed in range(4)]))
    assert 0.2 < alike[0, 1] < 0.95
    assert rows.shape == (4, 5)


def test_a_shipped_model_is_pinned() -> None:
    assert numbers(builtin("balanced", 1))[:3] == pytest.approx(PINNED, abs=1e-9)


def test_making_a_model_leaves_torchs_luck_alone() -> None:
    before = torch.random.get_rng_state()
    builtin("bold", 3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_models_have_names(tmp_path: Path) -> None:
    kinds = list(KINDS)
    assert numbers(resolve("builtin", 2)).tolist() == numbers(builtin(kinds[2], 2)).tolist()
    assert numbers(resolve("builtin:bold", 2)).tolist() == numbers(builtin("bold", 2)).tolist()
    assert numbers(resolve("builtin:bold:7", 2)).tolist() == numbers(builtin("bold", 7)).tolist()
    path = saved(plain().state_dict(), tmp_path / "mine.pt")
    assert numbers(resolve(str(path), 2)).tolist() == numbers(plain()).tolist()
    for name, words in (
        ("biultin", "Did you mean builtin?"),
        ("", "no model"),
        ("builtin:bald", "no builtin model 'bald'"),
        ("builtin:bold:x", "'x' is no number"),
        ("builtin:bold:" + "9" * 5000, "is no number"),
        (str(tmp_path / "none.pt"), "no file"),
        ("a\0b", "no model"),
        ("x" * 5000, "no model"),
    ):
        with pytest.raises(ConsensusError, match=words):
            resolve(name, 0)
