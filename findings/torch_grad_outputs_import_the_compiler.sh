#!/usr/bin/env bash
# torch 2.13.0: `import torch` loads neither sympy nor torch._dynamo. The first `torch.autograd.grad(y, x, grad_outputs)` loads sympy and some 480 modules (about a
# second), and the first optimiser that is made, even SGD, loads torch._dynamo on top (about another, 70 MB), though nothing is traced or compiled.
# `torch.autograd.grad` of a scalar without grad_outputs, and `backward()`, load nothing. Where processes live for seconds this is most of what they compute.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy
cat >"$place/look.py" <<'PYTHON'
import sys

import torch

loaded = lambda: ("sympy" in sys.modules, "torch._dynamo" in sys.modules)
x = torch.zeros(2, requires_grad=True)
seen = {"import torch": loaded()}
torch.autograd.grad((2 * x).sum(), x)
(2 * x).sum().backward()
seen["grad and backward of a scalar"] = loaded()
before = len(sys.modules)
torch.autograd.grad(2 * x, x, torch.ones(2))
seen["grad with grad_outputs"] = loaded()
more = len(sys.modules) - before
torch.optim.SGD([x], lr=0.1)
seen["an SGD"] = loaded()
for what, (sympy, dynamo) in seen.items():
    print(f"{what}: sympy {sympy}, torch._dynamo {dynamo}")
print(f"modules that grad_outputs loaded: {more}")
assert list(seen.values()) == [(False, False), (False, False), (True, False), (True, True)] and more > 300
PYTHON
"$place/venv/bin/python" "$place/look.py"
