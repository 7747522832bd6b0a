"""The steps of AdamW that rows of a table missed while their gradient was zero, and how to give them at once."""

from __future__ import annotations

import torch

TINY = 1e-30  # below it a factor is zero: denormal numbers are slow


class Missed:
    """For each row of a table: when it was last up to date, and what the steps since then add up to.

    In a step s without a gradient, a steps after its last, a row moves by
    `rate_s * beta1**a * m / (1 - beta1**s) / (sqrt(beta2**a * v / (1 - beta2**s)) + eps)`, m and v the moments it was
    left with. Summed over the steps, that is `m * small / sqrt(v)` where eps is small beside the spread and
    `m * large / eps` where it is large, so `small` and `large`, sums that no row's moments occur in, are kept for each
    row. Between the two, `m / (sqrt(v) / small + eps / large)` is exact to the second order of how much the spread
    changes while m fades: to 0.4% of the move in the first steps, soon to 1e-5. Needs beta1 < sqrt(beta2): else
    m / sqrt(v) does not fade.

    marks: (6, rows) in fp32; `at`, the step after which a row was up to date, 0 while it never had a gradient; `kept`,
        the product of its weight decays since; `fade` and `ratio`, beta1**a and (beta1 / sqrt(beta2))**a; the sums.
    """

    def __init__(self, marks: torch.Tensor) -> None:
        self.marks = marks
        self.at, self.kept, self.fade, self.ratio, self.small, self.large = marks

    @classmethod
    def none(cls, rows: int, at: int = 0) -> Missed:
        """Of a table of as many rows, all of them up to date after step `at`."""
        made = cls(torch.zeros(6, rows))
        made.at.fill_(at)
        made.kept.fill_(1)
        for each in (made.fade, made.ratio):
            each.fill_(float(at > 0))
        return made

    def add(self, step: int, rate: float, betas: tuple[float, float], decay: float) -> None:
        """All rows miss `step`, the count of the optimizer; decay: rate times weight decay."""
        beta1, beta2 = betas
        for factor, beta in ((self.fade, beta1), (self.ratio, beta1 / beta2**0.5)):
            torch.threshold_(factor.mul_(beta), TINY, 0.0)
        if decay:
            for each in (self.kept, self.small, self.large):
                each.mul_(1 - decay)
        corrected = rate / (1 - beta1**step)
        self.large.add_(self.fade, alpha=corrected)
        self.small.add_(self.ratio, alpha=corrected * (1 - beta2**step) ** 0.5)

    def clear(self, rows: torch.Tensor, step: int) -> None:
        """`rows` are up to date after `step`."""
        values = (float(step), 1.0, 1.0, 1.0, 0.0, 0.0)
        self.marks.index_copy_(1, rows, torch.tensor(values)[:, None].expand(6, len(rows)))

    def behind(self, step: int, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Which of `rows`, or of all, missed a step that moves them or their moments, (some,); `step`: the last."""
        at, kept = (self.at, self.kept) if rows is None else (self.at[rows], self.kept[rows])
        found = ((at < step) & ((at > 0) | (kept != 1))).nonzero()[:, 0]
        return found if rows is None else rows[found]

    def made_up(
        self, rows: torch.Tensor, state: tuple[torch.Tensor, ...], step: int, betas: tuple[float, float], eps: float
    ) -> tuple[torch.Tensor, ...]:
        """Weights and moments of `rows`, (rows, width) each, after the steps that they missed.

        state: weights, mean and square of the whole table, left as they are.
        """
        weights, mean, square = (each[rows] for each in state)
        at, kept, _, _, small, large = self.marks[:, rows, None]
        # what is zero has not moved: not by a first step at rate zero, nor beside moments of zero
        spread = square.sqrt().div_(small.clamp(min=TINY)).add_(eps / large.clamp(min=TINY))
        weights.mul_(kept).addcdiv_(mean, spread, value=-1)
        ages = torch.where(at > 0, step - at, 0)
        return weights, mean.mul_(betas[0] ** ages), square.mul_(betas[1] ** ages)
