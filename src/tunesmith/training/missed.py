"""The steps of AdamW that rows of a table missed while their gradient was zero, and how to give them at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch

TINY = 1e-30  # below it a factor is zero: denormal numbers are slow
CHUNK = 4096  # rows made up at a time, so that no second table is held
KINDS = 8  # of numbers kept for a row


class Missed:
    """For each row of a table: when it was last up to date, and what the steps since then add up to.

    In a step s without a gradient, a steps after its last, a row moves by
    `rate_s * beta1**a * m / (1 - beta1**s) / (d_s * sqrt(v) + eps)`, `d_s = sqrt(beta2**a / (1 - beta2**s))`, m and v
    the moments it was left with. The sum over the steps has sqrt(v) and eps in it alone beside numbers d_s that change
    little while m fades. It is taken as if they were two numbers, such that the sum is exact where eps is small beside
    the spread and where it is large, and to the third order of their change between. For that three sums in which no
    moments occur are kept for each row. Needs beta1 well under sqrt(beta2): see `optimizer.fades`.

    marks: (KINDS, rows) in fp32; `at`, the step after which a row was up to date, 0 while it never had a gradient;
        `kept`, the product of its weight decays since; the powers of a in the three sums; the sums.
    """

    def __init__(self, marks: torch.Tensor) -> None:
        self.marks = marks
        self.at, self.kept = marks[:2]
        self.powers, self.sums = marks[2:5], marks[5:]

    @classmethod
    def none(cls, rows: int, at: int = 0) -> Missed:
        """Of a table of as many rows, all of them up to date after step `at`."""
        made = cls(torch.zeros(KINDS, rows))
        made.at.fill_(at)
        made.kept.fill_(1)
        made.powers.fill_(float(at > 0))
        return made

    def add(self, step: int, rate: float, betas: tuple[float, float], decay: float) -> None:
        """All rows miss `step`, the count of the optimizer; decay: rate times weight decay."""
        root, spread = betas[1] ** 0.5, (1 - betas[1] ** step) ** 0.5
        if decay:
            self.kept.mul_(1 - decay)
            self.sums.mul_(1 - decay)
        corrected = rate / (1 - betas[0] ** step)
        each = zip(self.powers, self.sums, (1 / root, 1.0, root), (spread, 1.0, 1 / spread), strict=True)
        for power, total, factor, weight in each:  # of 1 / d_s, 1 and d_s
            torch.threshold_(power.mul_(betas[0] * factor), TINY, 0.0)
            total.add_(power, alpha=corrected * weight)

    def clear(self, rows: torch.Tensor, step: int) -> None:
        """`rows` are up to date after `step`."""
        values = torch.tensor([step, *[1] * 4, *[0] * 3], dtype=torch.float32)
        self.marks.index_copy_(1, rows, values[:, None].expand(KINDS, len(rows)))

    def behind(self, step: int, rows: torch.Tensor | None = None, *, seen: bool = False) -> torch.Tensor:
        """Which of `rows`, or of all, missed something until after `step`, (some,).

        seen: only rows that have moments; others are behind by their weight decay alone.
        """
        at, kept = (self.at, self.kept) if rows is None else (self.at[rows], self.kept[rows])
        found = ((at < step) & ((at > 0) | ((kept != 1) & (not seen)))).nonzero()[:, 0]
        return found if rows is None else rows[found]

    def moved(self, rows: torch.Tensor, state: tuple[torch.Tensor, ...], eps: float) -> torch.Tensor:
        """Weights of `rows`, (rows, width), after the steps that they missed.

        state: weights, mean and square of the whole table, left as they are.
        """
        table, mean, square = state
        weights = table[rows].mul_(self.kept[rows, None])
        seen = (self.at[rows] > 0).nonzero()[:, 0]
        if len(seen) == 0:
            return weights
        inverse, plain, direct = self.sums[:, rows[seen], None]
        whole = inverse.clamp(min=TINY)  # zero where no step had a rate: nothing moves
        centre = plain / whole
        apart = (direct / whole - centre**2).clamp_(min=0).sqrt_().clamp_(max=0.9 * centre)
        push, root = mean[rows[seen]].mul_(inverse / 2), square[rows[seen]].sqrt_()
        for number in (centre - apart, centre + apart):
            weights.index_add_(0, seen, push / (root + eps / number.clamp_(min=TINY)), alpha=-1)
        return weights

    def faded(self, rows: torch.Tensor, moment: torch.Tensor, step: int, beta: float) -> torch.Tensor:
        """A moment of `rows`, (rows, width), after `step`."""
        return moment[rows].mul_(beta ** (step - self.at[rows, None]))


def chunks(rows: torch.Tensor) -> Iterator[torch.Tensor]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
