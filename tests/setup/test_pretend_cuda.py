"""The stages on a pretend GPU: a tensor that stays on the CPU is found here, not by the first student who has a card.
First, that the pretence tells right from wrong.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pretend_cuda import PretendCuda, marked

from course_lib.evaluation.alignment import measure
from course_lib.evaluation.instructions import score
from course_lib.evaluation.memorised import completes
from course_lib.evaluation.probes import knowledge
from course_lib.evaluation.runs.reward_model import examine_reward
from course_lib.evaluation.runs.rlhf import learned_reward
from course_lib.platform import device_and_dtype
from course_lib.stages import dpo, generate, grpo, guard, lora, nf4, ppo, pretrain, retrieval, reward, sft
from course_lib.stages.artifacts import load_stage, save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.perplexity import document_losses
from course_lib.stages.preferences import PreferenceConfig
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import attention, heatmap
from course_lib.world import pretrain_rows, village
from course_lib.world.annotators import pairs_of, preference_rows, prompts, thumbs
from course_lib.world.tasks import task_rows

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)
TASKS, PAIRS = task_rows("train", 12), preference_rows("test", 4)
PREFERENCES = PreferenceConfig(rows=4, batch=4, learning_rate=1e-3)
CHAT = [{"role": "user", "content": "Who bakes?"}, {"role": "assistant", "content": "Ada does."}]
TOKENIZER = load_tokenizer()
ON_CPU = torch.arange(3.0)  # a constant of a module


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    for name in ("COURSE_DEVICE", "COURSE_DTYPE", "COURSE_GPU_FRACTION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gpu():
    with PretendCuda() as mode:
        yield mode


def small(seed=0):
    return Llama(SMALL, seed).to("cuda").eval()


def put(target, index, value):
    target[index] = value


SAME, INDEX, NUMPY = (
    "Expected all tensors to be on the same device",
    "indices should be",
    "convert cuda:0 device type tensor to numpy",
)
MISTAKES = {
    "a sum": (lambda a, b: a + b, SAME),
    "a constant made before": (lambda a, b: a * ON_CPU, SAME),
    "a product of matrices": (lambda a, b: a @ b.T, SAME),
    "a layer left behind": (lambda a, b: torch.nn.Linear(3, 2)(a), SAME),
    "labels": (lambda a, b: F.cross_entropy(a, torch.tensor([0, 1, 2, 0])), SAME),
    "ids": (lambda a, b: F.embedding(torch.tensor([0, 1]), a), SAME),
    "index_select": (lambda a, b: a.index_select(0, torch.tensor([0, 1])), SAME),
    "index_copy": (lambda a, b: a.index_copy(0, torch.tensor([0]), a[:1]), SAME),
    "a mask": (lambda a, b: a.masked_fill(b > 0, 0.0), SAME),
    "where": (lambda a, b: torch.where(b > 0, a, a), SAME),
    "stack": (lambda a, b: torch.stack([a[0], b[0]]), SAME),
    "in place": (lambda a, b: torch.zeros(()).add_(a.sum()), SAME),
    "equal": (lambda a, b: torch.equal(a, b), SAME),
    "an index on the GPU into the CPU": (lambda a, b: b[torch.tensor([0]).cuda()], INDEX),
    "writing at an index on the GPU": (lambda a, b: put(b, a > 0, 0.0), INDEX),
    "numbers of the CPU by a mask": (lambda a, b: put(a, a > 0, b[b > 0]), INDEX),
    "numbers of the GPU by a list": (lambda a, b: put(b, [0, 1], a[:2]), INDEX),
    "a generator": (lambda a, b: torch.multinomial(a.softmax(-1), 1, generator=torch.Generator()), "generator"),
    "a generator of new numbers": (
        lambda a, b: torch.randn(3, device="cuda", generator=torch.Generator()),
        "generator",
    ),
    "a product of whole numbers": (lambda a, b: (a > 0).long() @ (a > 0).long().T, "addmm_cuda"),
    "numpy()": (lambda a, b: a.numpy(), NUMPY),
    "numpy of it": (lambda a, b: np.asarray(a), NUMPY),
    "numpy of a list of numbers": (lambda a, b: np.array([a.mean()]), NUMPY),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(gpu, mistake):
    wrong, message = MISTAKES[mistake]
    with pytest.raises((RuntimeError, TypeError), match=message):
        wrong(torch.ones(4, 3, device="cuda"), torch.ones(4, 3))


def test_what_a_gpu_allows_passes(gpu):
    a, b = torch.ones(4, 3, device="cuda"), torch.ones(4, 3)
    assert (str(a.device), str(b.device), a.is_cuda, b.is_cuda) == ("cuda:0", "cpu", True, False)
    assert all(
        map(
            marked,
            (
                a[torch.tensor([0])],
                a[b > 0],
                a + torch.tensor(1.0),
                a.new_zeros(2),
                torch.ones_like(a),
                a.max(1).values,
                b.to(a),
                b.to("cuda", torch.float64),
            ),
        )
    )
    put(a, 0, b[0]), put(a, torch.tensor([1]), torch.tensor(2.0)), b.copy_(a)
    assert not any(
        map(
            marked,
            (b, b[a.argmin()], a.cpu(), a.to("cpu"), torch.tensor([a.sum(), a.mean()]), torch.as_tensor(a.tolist())),
        )
    )
    assert marked(torch.as_tensor(b, device="cuda")) and not marked(b)
    assert (
        b[1, 0] == 2 and a.cpu().numpy().sum() == float(a.sum()) and marked(torch.nn.Parameter(a)) and a.to("cuda") is a
    )
    assert device_and_dtype()[:2] == ("cuda", torch.bfloat16)


def test_nothing_stays_pretended():
    with pytest.raises(ZeroDivisionError), PretendCuda():
        _ = 1 / 0
    assert (
        not torch.cuda.is_available()
        and torch.autocast is torch.amp.autocast_mode.autocast
        and torch.ones(1).device.type == "cpu"
    )


@pytest.mark.parametrize("capability, dtype", [((8, 0), torch.bfloat16), ((7, 5), torch.float16)])
def test_pretraining(capability, dtype, monkeypatch):
    config, seen = pretrain.PretrainConfig(model=SMALL, documents=12, batch=256, validations=0), set()
    monkeypatch.setattr(pretrain, "pretrain_rows", lambda split, n=None: pretrain_rows(split, n)[:12])
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, given, made: seen.add(made.dtype) if isinstance(module, torch.nn.Linear) else None
    )
    with PretendCuda(capability):
        run = pretrain.pretrain(config=config, progress=False)
        assert (
            {str(p.device) for p in run.model.parameters()} == {"cuda:0"}
            and dtype in seen
            and run.history[-1]["train_loss"] > 0
        )
    hook.remove()


def test_fine_tuning_killed_and_resumed_and_what_reads_it(gpu, tmp_path):
    options = dict(
        config=sft.SFTConfig(batch=512, validations=1),
        progress=False,
        out=tmp_path,
        validation=TASKS[:2],
        checkpoint_steps=1,
    )

    def kill(history):
        if len(history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sft.finetune(small(), TASKS, on_step=kill, **options)
    model = sft.finetune(small(), TASKS, **options).model
    save_stage("sft", model, {}, tmp_path / "sft")
    score(model, TOKENIZER, TASKS[:2], max_new_tokens=3)
    document_losses(model, [[1, 5, 6], [1, 7]])
    knowledge(model, TOKENIZER, village(), residents=village().residents[:2])
    completes(model, TOKENIZER, ["Meet Ada"], [" Cobb"])
    guard.fit_probe(
        guard.hidden_states(model, TOKENIZER, [CHAT[:1], [{"role": "user", "content": "Hello."}]]), [True, False]
    )
    retrieval.embedding_search(model, TOKENIZER, ["Day 1: Ada Cobb bakes.", "Day 2: Bo Reed sews."])("Who sews?")
    attention.figure(*attention.attend(model, TOKENIZER, "Meet Ada."))


@pytest.mark.parametrize("four_bits", [False, True])
def test_adapters(gpu, four_bits, tmp_path):
    model = lora.add_lora(nf4.quantize_base(small()) if four_bits else small(), 2, 4.0)
    sft.finetune(model, TASKS, sft.SFTConfig(batch=512, validations=0), progress=False)
    lora.save_adapter_stage(model, {}, folder=tmp_path)
    lora.load_adapter(model, lora.adapter_state(model))
    lora.merge_and_unload(nf4.dequantize_base(model))
    assert marked(model(torch.tensor([[1, 5]], device="cuda")))


def test_a_stage_is_loaded_onto_the_gpu(gpu):
    assert all(map(marked, load_stage("sft").model.state_dict().values()))


@pytest.mark.parametrize("temperature, top_p", [(0.0, 1.0), (1.0, 1.0), (0.8, 0.9)])
def test_generating(gpu, temperature, top_p):
    model = small()
    assert len(generate.generate(model, TOKENIZER, ["Meet", ""], 4, temperature, top_p)) == 2
    assert (
        0
        <= generate.sample_next_token(
            model(torch.tensor([[1]], device="cuda"))[0, -1], temperature, top_p, torch.Generator()
        )
        < 2432
    )
    uncached = torch.nn.Sequential(torch.nn.Embedding(2432, 8), torch.nn.Linear(8, 2432)).to("cuda")
    generate.generate_ids(uncached, [[1, 5], [1]], 3, temperature, top_p)


def test_preferences_and_reinforcement(gpu):
    base, judge = small(), reward.train_reward(PAIRS, PREFERENCES, small(), progress=False).model.eval()
    examine_reward(judge, PAIRS)
    asked, learned = prompts("train", 2), learned_reward(judge)
    policy = ppo.ppo(
        learned, asked, ppo.PPOConfig(steps=1, prompts=2, each=2, kl_target=1.0), base, progress=False
    ).model
    for kl_in_reward in (True, False):
        grpo.grpo(
            learned, asked, grpo.GRPOConfig(steps=1, prompts=2, each=2, kl_in_reward=kl_in_reward), base, progress=False
        )
    dpo.dpo(PAIRS, PREFERENCES, base, lengths=True, loss_fn=dpo.ipo_loss, progress=False)
    dpo.kto(thumbs(pairs_of(PAIRS), seed=3), PREFERENCES, base, progress=False)
    measure(policy, base, asked, each=2, reward=learned)
    heatmap.per_token(policy, TOKENIZER, CHAT, base, learned)
    heatmap.reward_so_far(judge, TOKENIZER, CHAT)


def test_a_students_loss_may_make_its_tensors_without_naming_a_device(gpu, monkeypatch):
    """`check` tries it on the CPU, where nobody needs to."""
    monkeypatch.setattr(pretrain, "pretrain_rows", lambda split, n=None: pretrain_rows(split, n)[:12])

    def careless(loss):
        return lambda first, *rest, **options: loss(first * torch.ones(first.shape), *rest, **options)

    pretrain.pretrain(
        config=pretrain.PretrainConfig(model=SMALL, documents=12, batch=256, validations=0),
        loss_fn=careless(pretrain.next_token_loss),
        progress=False,
    )
    sft.finetune(
        small(), TASKS, sft.SFTConfig(batch=512, validations=0), loss_fn=careless(sft.response_loss), progress=False
    )
    reward.train_reward(PAIRS, PREFERENCES, small(), loss_fn=careless(reward.bradley_terry_loss), progress=False)
    dpo.dpo(PAIRS, PREFERENCES, small(), loss_fn=careless(dpo.dpo_loss), progress=False)
    dpo.kto(thumbs(pairs_of(PAIRS)), PREFERENCES, small(), loss_fn=careless(dpo.kto_loss), progress=False)
