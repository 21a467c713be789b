"""docs/lifecycle.png, the picture at the top of README: python scripts/lifecycle.py"""
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PHASES = [  # name, labs, the known limit
    ("raw text", "01", "precision, recall\nof each filter"),
    ("base model", "02", "entropy of the source,\nnats/token"),
    ("assistant", "03–05", "100 % of held-out\ninstructions"),
    ("preferred", "06–09", "Bayes judge,\nreward–KL frontier"),
    ("safe", "10", "100 % harmful,\n0 % benign refused"),
    ("released", "11", "a model card\nwith intervals"),
]
INK, SOFT, HERE = "#1f2d3d", "#7a8794", "#2f6f4f"


def main(path=Path(__file__).parents[1] / "docs" / "lifecycle.png"):
    figure, axes = plt.subplots(figsize=(11, 2.6), dpi=110)
    axes.set(xlim=(-0.1, 12), ylim=(0, 2.5))
    axes.axis("off")
    for i, (name, labs, limit) in enumerate(PHASES):
        x = 2 * i
        axes.add_patch(FancyBboxPatch((x + 0.05, 1.05), 1.5, 0.75, boxstyle="round,pad=0.02,rounding_size=0.12", fc="#e3f1e8", ec=HERE, lw=2))
        axes.text(x + 0.8, 1.52, name, ha="center", va="center", color=INK, fontsize=10.5, weight="bold")
        axes.text(x + 0.8, 1.22, f"lab {labs}" if "–" not in labs else f"labs {labs}", ha="center", va="center", color=HERE, fontsize=9)
        axes.text(x + 0.8, 0.58, limit, ha="center", va="center", color=INK, fontsize=9)
        if i < len(PHASES) - 1:
            axes.add_patch(FancyArrowPatch((x + 1.6, 1.42), (x + 2.02, 1.42), arrowstyle="-|>", mutation_scale=13, color=SOFT))
    axes.text(0.05, 2.2, "One small model goes through every phase; the village knows the best possible result of each", color=INK, fontsize=12)
    axes.text(0.05, 0.1, "below each box: the limit that its plots show", color=SOFT, fontsize=8.5)
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
