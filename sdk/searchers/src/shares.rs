//! Whose turn it is, of two who suggest: the more often the more of one's latest suggestions were the best so far.

use tune_search::Rank;

/// What the newest outcome counts in the share of successes: some five are remembered.
const NEWEST: f64 = 0.2;
/// Added to both, so that two without success are equal.
const DOUBT: f64 = 0.1;
/// The share of the second one is within these: neither can know what the other would find.
const SHARE: (f64, f64) = (0.2, 0.75);

/// One of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    First,
    Second,
}

/// How well both have done.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    first: f64,
    second: f64,
    /// What the second one has coming; at 1 it is its turn.
    owed: f64,
}

impl Shares {
    /// Both are equal.
    pub(crate) fn new() -> Self {
        Self {
            first: 0.5,
            second: 0.5,
            owed: 0.0,
        }
    }

    /// Whose turn it is.
    pub(crate) fn next(&mut self) -> Side {
        let (first, second) = (self.first + DOUBT, self.second + DOUBT);
        self.owed += (second / (second + first)).clamp(SHARE.0, SHARE.1);
        if self.owed < 1.0 {
            return Side::First;
        }
        self.owed -= 1.0;
        Side::Second
    }

    /// A suggestion of this one was the best so far, or not.
    pub(crate) fn judge(&mut self, side: Side, is_best: bool) {
        let successes = match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        };
        *successes += NEWEST * (f64::from(u8::from(is_best)) - *successes);
    }
}

/// The best rank so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Best(Option<Rank>);

impl Best {
    /// Remembers a rank if none was better before. Failures and broken constraints are never the best.
    pub(crate) fn improves(&mut self, rank: Option<Rank>) -> bool {
        let rank = rank.filter(|rank| rank.reached().is_some());
        let is_best = rank.is_some_and(|rank| self.0.is_none_or(|best| rank < best));
        if is_best {
            self.0 = rank;
        }
        is_best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second_in_a_hundred(mut shares: Shares) -> usize {
        (0..100).filter(|_| shares.next() == Side::Second).count()
    }

    #[test]
    fn success_earns_turns_and_nobody_is_left_without() {
        assert_eq!(second_in_a_hundred(Shares::new()), 50);
        let judged = |first: bool, second: bool| {
            let mut shares = Shares::new();
            for _ in 0..50 {
                shares.judge(Side::First, first);
                shares.judge(Side::Second, second);
            }
            second_in_a_hundred(shares)
        };
        assert!((74..=75).contains(&judged(false, true)));
        assert!((19..=20).contains(&judged(true, false)));
        assert_eq!(judged(false, false), 50);
    }
}
