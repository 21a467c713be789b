"""A Llama in 120 lines: what lab 02 teaches is what trains, and its weights load into transformers' LlamaForCausalLM
unchanged.

Left out against the real thing: grouped-query attention, RoPE scaling, dropout. Axis letters: CONTRIBUTING.md.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from course_lib.stages.cache import Cache, attend_once, empty_cache
from course_lib.stages.shared import tokens_at_once
from course_lib.stages.tokenizer import BOS, EOS, PAD

# the linear layers of a block by name: what an adapter may sit on, and what is held in 4 bits
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
ALL_LINEAR = (*ATTENTION, "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class ModelConfig:
    vocabulary: int = 2432
    hidden: int = 128  # D, the width of the residual stream
    intermediate: int = 384  # width of the gated MLP
    layers: int = 4
    heads: int = 4  # H; a head has P = hidden / heads dimensions
    context: int = 512  # longest sequence, tokens
    rope_base: float = 10_000.0
    eps: float = 1e-6


def rms_norm(x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6) -> Float[Tensor, "*batch D"]:
    """x / √(mean(x²) + eps) · weight (Zhang & Sennrich 2019, eq. 4)."""
    return F.rms_norm(x, weight.shape, weight, eps)


def rope_tables(length: int, head: int, base: float) -> tuple[Float[Tensor, "T P"], Float[Tensor, "T P"]]:
    """cos and ∓sin of position · base^(−2i/P), for both halves of a head (Su et al. 2021, in Llama's half-split order).

    The sine of the first half is negative: the rotation takes the second half away there and adds the first half in the
    second."""
    frequencies = base ** (-torch.arange(0, head, 2, dtype=torch.float32) / head)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    return angles.cos().repeat(1, 2), torch.cat((-angles.sin(), angles.sin()), dim=-1)


def apply_rope(
    x: Float[Tensor, "B H T P"], cos: Float[Tensor, "*rows T P"], sin: Float[Tensor, "*rows T P"]
) -> Float[Tensor, "B H T P"]:
    """Rotate each pair (x_i, x_{i+P/2}) by its position's angle; `roll` swaps the halves."""
    return x * cos + x.roll(x.shape[-1] // 2, dims=-1) * sin


def taken(x: Float[Tensor, "B T D"], places: Int[Tensor, " N"] | None) -> Float[Tensor, "B T D"] | Float[Tensor, "N D"]:
    """The tokens of a batch at `places`, which count through its rows (row · T + column). None: all, as they are."""
    # by numbers: an index that is a mask would sort in the backward pass
    return x if places is None else x.flatten(0, 1).index_select(0, places)


def one_a_row(columns: Int[Tensor, " B"], width: int) -> Int[Tensor, " B"]:
    """Places of one token a row, which stands in that column; rows of `width` tokens."""
    return torch.arange(len(columns), device=columns.device) * width + columns


class Attention(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.k_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.v_proj = nn.Linear(config.hidden, config.hidden, bias=False)
        self.o_proj = nn.Linear(config.hidden, config.hidden, bias=False)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        cos: Tensor,
        sin: Tensor,
        visible: Bool[Tensor, "B 1 T S"] | Float[Tensor, "B 1 T S"] | None = None,
        cache=None,
        places: Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "B T D"] | Float[Tensor, "N D"]:
        """`visible`: which of S keys each token may read, None for itself and all before it. `cache`: (keys, values,
        column) or None, see Cache: the new ones are written from that column on, and all up to them are read. `places`:
        the tokens whose result is wanted, all by default; see `taken`.
        """
        in_heads = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B T D] → [B H T P]
        q, k, v = in_heads(self.q_proj(x)), in_heads(self.k_proj(x)), in_heads(self.v_proj(x))
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if cache:
            keys, values, column = cache
            rows, end = x.shape[0], column + x.shape[1]
            keys[:rows, :, column:end], values[:rows, :, column:end] = k, v
            k, v = keys[:rows, :, :end], values[:rows, :, :end]
        if cache and visible is not None and q.shape[2] == 1:
            y = attend_once(q, k, v, visible)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=visible, is_causal=visible is None)
        return self.o_proj(taken(y.transpose(1, 2).flatten(-2), places))


class MLP(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.down_proj = nn.Linear(config.intermediate, config.hidden, bias=False)

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class RMSNorm(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(config.hidden)), config.eps

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return rms_norm(x, self.weight, self.eps)


class Block(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.input_layernorm, self.self_attn = RMSNorm(config), Attention(config)
        self.post_attention_layernorm, self.mlp = RMSNorm(config), MLP(config)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        cos: Tensor,
        sin: Tensor,
        visible: Tensor | None = None,
        cache=None,
        places: Tensor | None = None,
    ) -> Float[Tensor, "B T D"] | Float[Tensor, "N D"]:
        x = taken(x, places) + self.self_attn(self.input_layernorm(x), cos, sin, visible, cache, places)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocabulary, config.hidden)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config)


class Llama(nn.Module):
    """forward(ids) → logits, fp32. The output head is the embedding matrix (tied): the parameter count has it once."""

    checkpointing = False  # compute a block's inside again in the backward pass and do not keep it: `stages.step`
    cos: Tensor  # [context P], as `rope_tables` makes them
    sin: Tensor

    def __init__(self, config: ModelConfig, seed: int = 0):
        super().__init__()
        self.config, self.model = config, Decoder(config)
        cos, sin = rope_tables(config.context, config.hidden // config.heads, config.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = 0.05 if "embed" in name else weight.shape[1] ** -0.5  # 1/√fan_in keeps sizes
                if "down_proj" in name:
                    std *= (2 * config.layers) ** -0.5  # 2·layers such terms add up in the residual stream
                nn.init.normal_(weight, std=std, generator=generator)
        for attention in (m for m in self.modules() if isinstance(m, Attention)):
            # o = vᵀ: a head copies what it reads from the first step on ("mimetic" initialisation, Trockman & Kolter
            # 2023). Copying a name from earlier in the document is what a small model otherwise takes longest to
            # discover.
            attention.o_proj.weight.data.copy_(attention.v_proj.weight.data.T)

    def hidden(
        self,
        ids: Int[Tensor, "B T"],
        segments: Int[Tensor, "B T"] | None = None,
        visible: Bool[Tensor, "B 1 T T"] | Float[Tensor, "B 1 T T"] | None = None,
        positions: Int[Tensor, "B T"] | None = None,
        places: Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "B T D"] | Float[Tensor, "N D"]:
        """What the head reads. `segments`: number of the example that each token of a packed row belongs to; attention
        stays inside it. RoPE only knows distances, so positions need not start again. They must be given where tokens
        that read each other do not stand side by side: `stages.shared`, which also says what each token reads.
        `places`: where a loss reads (see `taken`). In the last block the other tokens are keys and values, no more.
        """
        x, length = self.model.embed_tokens(ids), ids.shape[1]
        if segments is not None:
            past = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
            visible = (segments[:, None, :, None] == segments[:, None, None, :]) & past
        at = slice(length) if positions is None else positions[:, None]
        cos, sin, twice = self.cos[at], self.sin[at], self.checkpointing and torch.is_grad_enabled()
        for k, block in enumerate(self.model.layers):
            inputs = (x, cos, sin, visible, None, places if k + 1 == self.config.layers else None)
            x = checkpoint(block, *inputs, use_reentrant=False) if twice else block(*inputs)
        return self.model.norm(x)

    def head(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch V"]:
        # float: autocast gives half precision, which no loss should see
        return F.linear(x, self.model.embed_tokens.weight).float()

    def forward(self, ids: Int[Tensor, "B T"], segments: Int[Tensor, "B T"] | None = None) -> Float[Tensor, "B T V"]:
        return self.head(self.hidden(ids, segments))

    def read(
        self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, " B"], rows: int, room: int
    ) -> tuple[Float[Tensor, "B V"], Cache]:
        """Logits after the last token of each text (padding on the right), and a cache with space for `rows` texts that
        go on from these, by `room` tokens each.
        """
        (n, width), c, states = ids.shape, self.config, []
        cache = empty_cache(self.cos, lengths, rows, width, room, c.layers, c.heads)
        at_once = max(1, tokens_at_once(ids.device) // width)
        for part in (slice(first, first + at_once) for first in range(0, n, at_once)):
            ends, longest = lengths[part], int(lengths[part].max())
            x, cos, sin = self.model.embed_tokens(ids[part, :longest]), self.cos[:longest], self.sin[:longest]
            places = one_a_row(ends - 1, longest)  # all else of the last block is keys and values
            for k, block in enumerate(self.model.layers):
                written = (cache.keys[k][part], cache.values[k][part], 0)
                x = block(x, cos, sin, None, written, places if k + 1 == c.layers else None)
            states.append(x)
        return self.head(self.model.norm(torch.cat(states))), cache

    def read_on(self, tokens: Int[Tensor, " B"], cache: Cache) -> Float[Tensor, "B V"]:
        """Logits after one more token of each text in the cache, which they are added to."""
        x, n, end = self.model.embed_tokens(tokens[:, None]), len(tokens), cache.columns + 1
        cos, sin = (table[cache.lengths[:n], None, None] for table in (self.cos, self.sin))
        for k, block in enumerate(self.model.layers):
            x = block(x, cos, sin, cache.padding[:n, ..., :end], (cache.keys[k], cache.values[k], cache.columns))
        cache.lengths[:n] += 1
        cache.columns = end
        return self.head(self.model.norm(x[:, 0]))

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def last_hidden(hidden: Float[Tensor, "B T D"], ids: Int[Tensor, "B T"]) -> Float[Tensor, "B D"]:
    """The hidden state at the last token of each row that is not padding, wherever the padding stands."""
    places = torch.arange(ids.shape[1], device=ids.device)
    return hidden[torch.arange(len(ids), device=ids.device), ((ids != PAD) * places).argmax(-1)]


class RewardModel(Llama):
    """forward(ids [B T]) → rewards [B], read by a linear reward head from the last real token of each row (padding on
    the right).
    """

    def __init__(self, config: ModelConfig, seed: int = 0):
        super().__init__(config, seed)
        self.score = nn.Linear(config.hidden, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:  # ty: ignore[incompatible-method-override]
        return self.score(last_hidden(self.hidden(ids), ids))[:, 0]


class ValuePolicy(Llama):
    """A policy with a value head beside the language head; both read the same hidden states."""

    def __init__(self, config: ModelConfig, seed: int = 0):
        super().__init__(config, seed)
        self.value = nn.Linear(config.hidden, 1)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)


def to_transformers(model: Llama):
    """The same weights in transformers' LlamaForCausalLM (a RewardModel: LlamaForSequenceClassification), fp32, for
    PEFT and TRL. Outputs agree to 1e-5.
    """
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    c = model.config
    config = LlamaConfig(
        vocab_size=c.vocabulary,
        hidden_size=c.hidden,
        intermediate_size=c.intermediate,
        num_hidden_layers=c.layers,
        num_attention_heads=c.heads,
        num_key_value_heads=c.heads,
        max_position_embeddings=c.context,
        rms_norm_eps=c.eps,
        rope_parameters={"rope_type": "default", "rope_theta": c.rope_base},
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    config.num_labels = 1
    theirs = (LlamaForSequenceClassification if isinstance(model, RewardModel) else LlamaForCausalLM)(config)
    missing, unexpected = theirs.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    return theirs
