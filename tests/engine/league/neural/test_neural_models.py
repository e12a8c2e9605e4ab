"""Model files: every form that torch writes is read alike, and nothing in a file is ever run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.league.neural.archive import MAX_FILE_BYTES
from engine.league.neural.errors import ModelError
from engine.league.neural.model import Mlp, load_mlp


def trained() -> nn.Sequential:
    """Every supported layer, with statistics as training leaves them."""
    torch.manual_seed(5)
    model = nn.Sequential(
        nn.BatchNorm1d(4), nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU6()),
        nn.Dropout(), nn.Linear(6, 6), nn.Hardtanh(-2.0, 0.5), nn.Identity(), nn.Linear(6, 3, bias=False),
        nn.LogSoftmax(dim=1),
    )  # fmt: skip
    for norm in (model[0], model[3][1]):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    return model.eval()


def plain() -> nn.Sequential:
    torch.manual_seed(6)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def outputs(mlp: Mlp, inputs: torch.Tensor) -> np.ndarray:
    values = inputs.double().numpy()
    for layer in mlp.layers:
        values = values @ layer.weight.T + layer.bias
        if layer.low is not None:
            values = values.clip(layer.low, layer.high)
    return values


def assert_same(path: Path, model: nn.Module, tolerance: float = 1e-6) -> Mlp:
    mlp, inputs = load_mlp(path), torch.randn(20, 4)
    expected = model(inputs).detach().double().numpy()
    assert np.abs(outputs(mlp, inputs) - expected).max() < tolerance
    return mlp


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_saved_module_is_read_without_running_it(tmp_path: Path, protocol: int) -> None:
    model, path = trained(), tmp_path / "model.pt"
    torch.save(model, path, pickle_protocol=protocol)
    assert assert_same(path, model[:-1]).sizes == (4, 8, 6, 6, 3)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_is_read_without_running_it(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model = trained()
    torch.jit.script(model).save(str(path))
    assert_same(path, model[:-1])
    simple = plain()
    torch.jit.trace(simple, torch.zeros(1, 4)).save(str(path))
    assert_same(path, simple)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_traced_layer_without_its_constants_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.jit.trace(nn.Sequential(nn.Linear(4, 8), nn.Hardtanh(), nn.Linear(8, 3)), torch.zeros(1, 4)).save(str(path))
    with pytest.raises(ModelError, match=r"Layer '1'.*its bounds are not in the file"):
        load_mlp(path)


def test_a_state_dict_has_relu_between_its_layers_and_says_so(kit: Any, tmp_path: Path) -> None:
    model = plain()
    assert "ReLU" in assert_same(kit.save(model.state_dict(), tmp_path), model).assumed

    class Player(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = model

    assert_same(kit.save(Player().state_dict(), tmp_path), model)


def test_the_format_of_ones_own(kit: Any, tmp_path: Path) -> None:
    model = plain()
    layers = [
        {"kind": "linear", "weight": model[0].weight, "bias": model[0].bias},
        {"kind": "relu"},
        {"kind": "linear", "weight": model[2].weight.T.contiguous().T, "bias": model[2].bias.detach()},
    ]
    tree = {"format": "nashboard-mlp", "system": "snake", "features": "packed", "layers": layers}
    mlp = assert_same(kit.save(tree, tmp_path), model)
    assert (mlp.system, mlp.features, mlp.assumed) == ("snake", "packed", "")
    layers[1] = {"kind": "hardtanh", "min": -0.1, "max": 0.2}
    assert_same(kit.save(tree, tmp_path), nn.Sequential(model[0], nn.Hardtanh(-0.1, 0.2), model[2]))


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)])
def test_other_widths_of_floats(kit: Any, tmp_path: Path, kind: torch.dtype, tolerance: float) -> None:
    assert_same(kit.save(plain().to(kind), tmp_path), plain(), tolerance)


class Hostile:
    """Its pickle calls os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.mark.parametrize("place", ["whole", "entry", "attribute", "key"])
def test_a_hostile_pickle_is_refused_and_does_not_run(kit: Any, tmp_path: Path, place: str) -> None:
    hostile = Hostile(f"touch {tmp_path / 'ran'}")
    model = plain()
    model.extra = hostile
    content = {
        "whole": hostile,
        "entry": OrderedDict({**plain().state_dict(), "2.bias": hostile}),
        "attribute": model,
        "key": {"format": "nashboard-mlp", "layers": [{"kind": hostile}]},
    }[place]
    with pytest.raises(ModelError, match=r"posix\.system") as caught:
        load_mlp(kit.save(content, tmp_path))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "ran").exists()


def archive(path: Path, content: bytes, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/data.pkl", content)
        for name, value in entries.items():
            file.writestr(f"m/data/{name[1:]}", value)
    return path


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb.",  # a function's state
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\x00\x00.",  # an array of 280 TB
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x02\x8a\xff" + b"\x01" * 20 + b".",
        b"\x80\x02" + b"(" * 5000 + b"t" * 4999 + b".",
        b"\x80\x02]q\x00h\x00a.",  # a list within itself
        b"\x80\x02}q\x00X\x06\x00\x00\x00formatX\x0d\x00\x00\x00nashboard-mlpsX\x06\x00\x00\x00layersh\x00s.",
        b".", b"", b"\x80\x02", b"\x80\x02N.", b"\x80\x02K\x01.", b"\xff" * 40,
    ],
)  # fmt: skip
def test_malformed_pickles_are_refused(tmp_path: Path, code: bytes) -> None:
    with pytest.raises(ModelError):
        load_mlp(archive(tmp_path / "model.pt", code))


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 6))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_pickle_gives_a_model_or_an_error_of_ours(tmp_path: Path, seed: int, flips: int) -> None:
    buffer = io.BytesIO()
    torch.save(trained(), buffer)
    with zipfile.ZipFile(buffer) as file:
        name = next(item for item in file.namelist() if item.endswith("data.pkl"))
        stored = {item.rpartition("/")[2]: file.read(item) for item in file.namelist() if "/data/" in item}
        content = bytearray(file.read(name))
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(content), flips):
        content[at] = rng.integers(0, 256)
    path = archive(tmp_path / "model.pt", bytes(content), **{f"_{key}": value for key, value in stored.items()})
    with contextlib.suppress(ModelError):
        load_mlp(path)


def test_a_file_cut_off_or_empty_or_foreign_is_refused(kit: Any, tmp_path: Path) -> None:
    whole = kit.save(trained(), tmp_path).read_bytes()
    path = tmp_path / "cut.pt"
    for size in (*range(0, len(whole), 501), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            load_mlp(path)
    for content, why in ((b"", "the file is empty"), (b"hello" * 50, "no zip archive"), (b"PK" * 50, "damaged")):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=why):
            load_mlp(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("letter.txt", "hello")
    with pytest.raises(ModelError, match="not one that torch"):
        load_mlp(path)
    torch.save(plain(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match=r"since version 1\.6"):
        load_mlp(path)
    with pytest.raises(ModelError, match="not a regular file"):
        load_mlp(tmp_path)


def test_a_changed_number_is_found_by_the_checksum(kit: Any, tmp_path: Path) -> None:
    path = kit.save(plain(), tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(plain()[0].weight.detach().numpy().tobytes()[:16])
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_mlp(path)


def test_huge_files_and_bombs_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ModelError, match="more than 67,108,864 bytes"):
        load_mlp(path)
    zeros = {f"_{number}": bytes(8 << 20) for number in range(9)}
    with pytest.raises(ModelError, match="unpacked it is larger"):
        load_mlp(archive(path, pickle.dumps({}, 2), **zeros))
    with pytest.raises(ModelError, match=r"'data\.pkl' has more than"):
        load_mlp(archive(path, b"\x80\x02" + b"N0" * (1 << 20) + b"N."))
    with pytest.raises(ModelError, match="more than 4,096 entries"):
        load_mlp(archive(path, pickle.dumps({}, 2), **{f"_{number}": b"" for number in range(4096)}))


def test_a_tensor_cannot_reach_outside_its_storage(kit: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="too large"):
        load_mlp(kit.save({"0.weight": torch.zeros(1).expand(8000, 8000)}, tmp_path))
    with pytest.raises(ModelError, match="at most 8,192 each"):
        load_mlp(kit.save({"0.weight": torch.zeros(1).expand(10**6, 10**6)}, tmp_path))
    whole = kit.save({"0.weight": torch.zeros(5, 7)}, tmp_path)
    with zipfile.ZipFile(whole) as file:
        content = file.read(f"{whole.stem}/data.pkl")
    assert content.count(b"K\x07") >= 2, pickletools.genops(content)
    wider = archive(tmp_path / "wide.pt", content.replace(b"K\x07", b"K\x63"), _0=bytes(140))
    with pytest.raises(ModelError, match="reaches behind the 35 numbers"):
        load_mlp(wider)


BAD_LAYERS = {
    "tanh": (nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), "Layer '1'.*it is a Tanh"),
    "convolution": (nn.Sequential(nn.Conv1d(4, 8, 1), nn.ReLU(), nn.Linear(8, 3)), "Layer '0'.*it is a Conv1d"),
    "chain": (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(7, 3)), "Layer '2'.*takes 7 numbers.*gives 8"),
    "no end": (nn.Sequential(nn.Linear(4, 8), nn.ReLU()), "its last layer is not Linear"),
    "nothing": (nn.Sequential(), "its last layer is not Linear"),
    "no activation": (nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)), "nothing stands between it and layer '0'"),
    "two activations": (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.ReLU6(), nn.Linear(4, 3)), "Layer '2'.*follow"),
    "bounds": (nn.Sequential(nn.Linear(4, 4), nn.Hardtanh(0.5, 2.0), nn.Linear(4, 3)), "Layer '1'.*must be finite"),
    "softmax inside": (nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 3)), "Layer '1'"),
    "norm": (nn.Sequential(nn.BatchNorm1d(5), nn.Linear(4, 3)), "Layer '0'.*5 numbers, layer '1' takes 4"),
    "not a network": (nn.Linear(4, 3).weight, "neither an nn.Sequential"),
    "numbers": ([1, 2, 3], "neither an nn.Sequential"),
    "empty": ({}, "neither an nn.Sequential"),
    "names": ({"weight": torch.zeros(3, 4)}, "Layer 'weight'.*its name is not"),
    "two networks": ({"a.0.weight": torch.zeros(3, 4), "b.0.weight": torch.zeros(3, 4)}, "mixes several networks"),
    "scalar": ({"0.weight": torch.zeros(())}, "Layer '0'.*the shape is"),
    "no outputs": ({"0.weight": torch.zeros(0, 4)}, "Layer '0'.*the shape is"),
    "bias": ({"0.weight": torch.zeros(3, 4), "0.bias": torch.zeros(4)}, "its bias has 4 numbers for 3 outputs"),
    "too many": (
        {f"{number}.weight": torch.ones(2, 2) for number in range(0, 40, 2)}, "20 linear layers.*at most 16"
    ),
    "kind": ({"format": "nashboard-mlp", "layers": [{"kind": "magic"}]}, "Layer '0'.*its kind is 'magic'"),
    "layers": ({"format": "nashboard-mlp", "layers": 5}, "not a list of tables"),
    "system": ({"format": "nashboard-mlp", "layers": [], "system": 5}, "must be texts"),
    "complex": ({"0.weight": torch.zeros(3, 4, dtype=torch.complex64)}, "no storage of numbers|ComplexFloatStorage"),
    "sparse": ({"0.weight": torch.zeros(3, 4).to_sparse()}, "sparse"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_LAYERS)
def test_what_cannot_become_an_agent_is_named(kit: Any, tmp_path: Path, name: str) -> None:
    content, why = BAD_LAYERS[name]
    with pytest.raises(ModelError, match=why):
        load_mlp(kit.save(content, tmp_path))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("what", ["weight", "bias"])
def test_weights_that_are_no_numbers_are_refused_by_layer(kit: Any, tmp_path: Path, value: float, what: str) -> None:
    model = plain()
    with torch.no_grad():
        getattr(model[2], what).view(-1)[1] = value
    with pytest.raises(ModelError, match=r"[Ll]ayer '2'"):
        load_mlp(kit.save(model, tmp_path))


def test_a_class_of_ones_own_is_refused_with_advice(kit: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"names .*Mine.*save the state_dict alone"):
        load_mlp(kit.save(Mine(), tmp_path))


class Mine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = plain()
