"""Settings that name a device, a dtype or a share of a GPU: obeyed, or one line."""

import pytest
import torch

import course_lib
from course_lib import platform
from course_lib.platform import CourseError


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("COURSE_DEVICE", "COURSE_DTYPE", "COURSE_GPU_FRACTION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def card(monkeypatch):
    """A machine with a GPU; call it with the compute capability."""

    def put(*capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")

    return put


def line(monkeypatch, **settings):
    """The one line that these settings give."""
    for name, value in settings.items():
        monkeypatch.setenv(f"COURSE_{name}", value)
    with pytest.raises(CourseError) as error:
        platform.share_gpu(platform.device_and_dtype()[0])
    assert "\n" not in str(error.value)
    return str(error.value)


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "a build without CUDA" in line(monkeypatch, DEVICE="cuda")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert "no GPU is visible" in line(monkeypatch, DEVICE="cuda")


def test_no_such_device_or_dtype(monkeypatch):
    assert "set it to cpu or cuda" in line(monkeypatch, DEVICE="gpu")
    monkeypatch.delenv("COURSE_DEVICE")
    assert "float32, float16, bfloat16" in line(monkeypatch, DTYPE="fp8")


def test_a_dtype_that_the_machine_is_slow_in(monkeypatch, card):
    card(7, 5)
    assert "only emulates it" in line(monkeypatch, DTYPE="bfloat16")


def test_settings_are_obeyed(monkeypatch, card):
    card(9, 0)
    assert platform.device_and_dtype()[:2] == ("cuda", torch.bfloat16)
    monkeypatch.setenv("COURSE_DTYPE", "float32")
    assert platform.device_and_dtype() == ("cuda", torch.float32, "COURSE_DTYPE is float32")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert platform.device_and_dtype()[:2] == ("cpu", torch.float32)
    monkeypatch.setenv("COURSE_DTYPE", "float16")
    assert platform.device_and_dtype() == ("cpu", torch.float16, "COURSE_DTYPE is float16")


def test_no_bf16_tensor_is_asked_for_on_a_t4(card):
    card(7, 5)
    assert platform.device_and_dtype()[1] == torch.float16


def test_several_kernels_on_one_gpu(monkeypatch, card, tmp_path, capsys):
    card(8, 0)
    calls = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", calls.append)
    assert platform.share_gpu("cuda") is None and calls == []
    monkeypatch.setenv("COURSE_GPU_FRACTION", "0.25")
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    course_lib.setup("00_start_here")
    assert calls == [0.25] and "at most 25% of the GPU's memory" in capsys.readouterr().out
    assert platform.share_gpu("cpu") is None and calls == [0.25]


@pytest.mark.parametrize("fraction", ["0", "-1", "1.5", "half", "nan"])
def test_a_fraction_that_is_none(monkeypatch, fraction):
    assert "above 0 and at most 1" in line(monkeypatch, GPU_FRACTION=fraction)
