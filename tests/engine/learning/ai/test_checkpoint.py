from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.learning.ai.checkpoint import find_checkpoint, read_checkpoint, root_of_checkpoint
from engine.learning.ai.model import spec_of
from engine.learning.config import DELTA_LIMIT, EVALUATION_TOLERANCE, LearnConfig
from engine.learning.errors import TrainingError

CONFIG = {
    "model_type": "qwen2",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 300,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "max_position_embeddings": 512,
}


def folder_with(path: Path, **changes: object) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    (path / "model.safetensors").write_bytes(b"x")
    (path / "tokenizer.json").write_text("{}")
    return path


def test_a_distilled_model_of_its_true_size_tunes_what_fits(tmp_path: Path) -> None:
    """The shapes of DeepSeek-R1-Distill-Qwen-1.5B: not even one layer's targets fit 150,000 bytes."""
    sizes = {
        "hidden_size": 1536,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "intermediate_size": 8960,
        "vocab_size": 151_936,
    }
    model = find_checkpoint(str(folder_with(tmp_path / "distilled", **sizes)))
    assert model.tuned == ("27.q", "27.k", "27.v") and spec_of(model).size <= DELTA_LIMIT
    small = find_checkpoint(str(folder_with(tmp_path / "small")))
    assert small.tuned[:7] == tuple(f"2.{target}" for target in ("q", "k", "v", "o", "gate", "up", "down"))
    assert len(small.tuned) == 21 and spec_of(small).size <= DELTA_LIMIT


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "llama"}, "llama"),
        ({"use_sliding_window": True}, "sliding"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "sliding windows and stretched"),
        ({"hidden_size": 0}, "not positive|division"),
        ({"hidden_size": "many"}, "config.json"),
        ({"num_key_value_heads": 3}, "shared out"),
        ({"vocab_size": None}, "config.json"),
        ({"hidden_size": 10**7}, "larger than 150,000"),
    ],
)
def test_configurations_that_are_not_ours_are_told(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(TrainingError, match=why):
        find_checkpoint(str(folder_with(tmp_path / "m", **changes)))


def test_what_a_folder_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("", "../..", "who/what"):
        with pytest.raises(TrainingError):
            find_checkpoint(name)
    folder = folder_with(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TrainingError, match="no tokenizer"):
        find_checkpoint(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"no \*\.safetensors"):
        find_checkpoint(str(folder))
    for text in ("", "[]", "{}", "null"):
        (folder / "config.json").write_text(text)
        with pytest.raises(TrainingError, match=r"config\.json"):
            find_checkpoint(str(folder))


def test_files_that_are_none_are_not_read_to_their_end(tmp_path: Path) -> None:
    for number, text in enumerate((b"[" * 200_000, b" " * (2 << 20), b'{"hidden_size": NaN, "model_type": "qwen2"}')):
        folder = folder_with(tmp_path / str(number))
        (folder / "config.json").write_bytes(text)
        with pytest.raises(TrainingError, match=r"config\.json"):
            find_checkpoint(str(folder))
    folder = folder_with(tmp_path / "deep", num_hidden_layers=10**9)
    with pytest.raises(TrainingError, match="layers"):
        find_checkpoint(str(folder))
    with pytest.raises(TrainingError, match="cannot be used"):
        find_checkpoint("x" * 5000)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices that are files")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links_to_devices_are_no_files_of_a_model(tmp_path: Path, name: str) -> None:
    folder = folder_with(tmp_path / "m")
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(TrainingError, match=r"no file|no \*\.safetensors"):
        find_checkpoint(str(folder))


def test_a_hub_cache_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "hub" / "models--some--model"
    folder_with(home / "snapshots" / "abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc\n")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    model = find_checkpoint("some/model")
    assert model.folder == home / "snapshots" / "abc" and model.hidden == 64
    root = root_of_checkpoint(model)
    (model.folder / "model.safetensors").write_bytes(b"y")
    assert root_of_checkpoint(model) != root
    with pytest.raises(TrainingError, match=r"model\.safetensors"):
        read_checkpoint(model)  # truncated


@pytest.mark.learn
@pytest.mark.slow
async def test_a_checkpoint_of_others_is_trained_and_evaluated(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    from engine.learning.ai.brain import open_brain
    from engine.learning.ai.texts import text
    from engine.learning.brain import TrainOrder

    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="!").save_pretrained(tmp_path / "model")
    theirs = Qwen2ForCausalLM(
        Qwen2Config(**{k: v for k, v in CONFIG.items() if k != "model_type"}, attention_dropout=0.0)
    )
    theirs.save_pretrained(tmp_path / "model")
    brain = open_brain(LearnConfig(training="real", model=str(tmp_path / "model")), None, 1)
    try:
        base = await brain.genesis()
        trained = await brain.train(TrainOrder(base, 0, b"seed", 0, 3))
        await brain.check(trained.delta)
        before, after = [await brain.evaluate(base, delta, range(4)) for delta in (None, trained.delta)]
        assert before != after
        import torch

        row = torch.tensor([[*[letters[x] for x in text("pool", 2).replace(" ", "Ġ")], letters["!"]]])
        with torch.no_grad():
            wanted = theirs.eval()(input_ids=row, labels=row).loss.item()
        assert abs(before[2] / 1e9 - wanted) < 10 * EVALUATION_TOLERANCE / 1e9
    finally:
        await brain.close()
