"""What an answer may not call is found under every name, and what a library does by itself is no offence."""

import sys
import threading

import pytest
import torch
import torch.nn.functional as F

from course_lib.questions import core, own_code

QUESTIONS = {q.id: q for lab in ("02_pretraining", "04_lora_and_qlora") for q in core.questions_of(lab)}
q = torch.randn(1, 2, 5, 4)
x = torch.randn(3, 4)


def verdict(act, forbid=()):
    """What is found in act(), or None."""
    try:
        with own_code.only_own_code(forbid):
            act()
    except own_code.Forbidden as found:
        return str(found)
    return None


def dispatch_off():
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default(q, q, q)


def off_and_on():
    watch = sys.getprofile()
    sys.setprofile(None)
    F.scaled_dot_product_attention(q, q, q)
    sys.setprofile(watch)


def in_a_thread():
    thread = threading.Thread(target=lambda: F.scaled_dot_product_attention(q, q, q))
    thread.start()
    thread.join()


def swallowed():
    try:
        F.scaled_dot_product_attention(q, q, q)
    except own_code.Forbidden:
        pass


def backward():
    leaf = x.clone().requires_grad_()
    torch.autograd.Variable._execution_engine.run_backward(
        (leaf.sum(),), (torch.ones(()),), False, False, (leaf,), False, True
    )


# fmt: off
SHORTCUTS = {
    "by its name": ("causal_attention", lambda: F.scaled_dot_product_attention(q, q, q)),
    "in two halves": ("causal_attention", lambda: getattr(F, "scaled_dot_" + "product_attention")(q, q, q)),
    "a private name": ("causal_attention", lambda: torch._scaled_dot_product_attention_math(q, q, q)),
    "a kernel": ("causal_attention", lambda: torch._scaled_dot_product_flash_attention_for_cpu(q, q, q)),
    "an operator": ("causal_attention", lambda: torch.ops.aten.scaled_dot_product_attention.default(q, q, q)),
    "a packet of operators": ("causal_attention", lambda: torch.ops.aten.scaled_dot_product_attention(q, q, q)),
    "dispatch switched off": ("causal_attention", dispatch_off),
    "a module": ("causal_attention", lambda: torch.nn.MultiheadAttention(4, 2).train()(q[0], q[0], q[0])),
    "in a thread": ("causal_attention", in_a_thread),
    "caught": ("causal_attention", swallowed),
    "RMSNorm": ("rms_norm", lambda: torch.nn.RMSNorm(4)(x)),
    "functorch": ("lora_gradients", lambda: torch.func.grad(torch.sum)(x)),
    "vjp": ("lora_gradients", lambda: torch.func.vjp(torch.neg, x)[1](x)),
    "forward mode": ("lora_gradients", lambda: torch.func.jvp(torch.neg, (x,), (x,))),
    "the engine": ("lora_gradients", backward),
}
# fmt: on


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_is_found_under_every_name(name, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    question, act = SHORTCUTS[name]
    assert "this exercise may not call it" in verdict(act, QUESTIONS[question].forbid), name
    if name not in ("caught", "forward mode"):  # torch itself scripts for the latter, with a warning
        assert verdict(act) is None, "nothing is forbidden elsewhere"


def test_the_watch_cannot_be_taken_off_and_put_back():
    assert verdict(off_and_on) == "your function calls sys.setprofile: write it without"
    assert "sys.settrace" in verdict(lambda: sys.settrace(None))


def test_the_course_s_own_functions_are_found_and_its_modules_may_be_looked_through():
    from course_lib.stages.pretrain import next_token_loss

    logits, ids = torch.randn(1, 3, 5), torch.ones(1, 3, dtype=torch.long)
    assert "course_lib's own next_token_loss" in verdict(lambda: next_token_loss(logits, ids))
    modules = [module for name, module in sys.modules.items() if name.startswith("course_lib")]
    assert verdict(lambda: [getattr(module, "no_such_name", None) for module in modules]) is None


def test_importing_a_module_of_the_course_calls_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "course_lib.world.jobs", raising=False)

    def answer():
        import course_lib.world.jobs as jobs

        return jobs.JOBS

    assert verdict(answer) is None


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, when its compiler is imported
@pytest.mark.parametrize("question", ["causal_attention", "rms_norm", "lora_gradients"])
def test_what_is_allowed_stays_allowed(question):
    """Half precision, threads, compiled functions, modules, softmax and norms of other kinds."""
    forbid = QUESTIONS[question].forbid
    compiled = torch.compile(lambda t: torch.softmax(t @ t.mT, -1))

    def pool():
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda t: F.softmax(t.bfloat16() @ t.bfloat16().mT, -1), (x, x)))

    for act in (lambda: compiled(x), pool, lambda: F.layer_norm(x, (4,)), lambda: torch.nn.Linear(4, 4)(x)):
        assert verdict(act, forbid) is None


def test_names_are_folded():
    forbids = own_code.forbids(("torch.rms_norm", "*flash_attention*"))
    for name in (
        "rms_norm",
        "_fused_rms_norm",
        "rms_norm.default",
        "__rms_norm__",
        "\uff52ms_norm",
        "_flash_attention_x",
    ):
        assert forbids(name), name
    for name in ("norm", "rms", "rms_normal", "layer_norm", ""):
        assert not forbids(name), name
