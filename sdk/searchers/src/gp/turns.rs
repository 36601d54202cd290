//! Which model suggests next: the one of the whole space or the one of the neighbourhood of the best
//! result. Each has its turn, the more often the more of its latest suggestions were the best so far.

/// A model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Of the whole space.
    Whole,
    /// Of the neighbourhood of the best result.
    Near,
}

/// What the newest outcome counts in the share of successes: some five are remembered.
const NEWEST: f64 = 0.2;
/// Added to both shares, so that two without success are equal.
const DOUBT: f64 = 0.1;
/// The share of the neighbourhood is within these: neither model can know what the other would find.
const SHARE: (f64, f64) = (0.2, 0.75);

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    whole: f64,
    near: f64,
    /// What the neighbourhood has coming; at 1 it is its turn.
    owed: f64,
}

impl Turns {
    /// Both are equal.
    pub(crate) fn new() -> Self {
        Self {
            whole: 0.5,
            near: 0.5,
            owed: 0.0,
        }
    }

    pub(crate) fn next(&mut self) -> Model {
        let (whole, near) = (self.whole + DOUBT, self.near + DOUBT);
        self.owed += (near / (near + whole)).clamp(SHARE.0, SHARE.1);
        if self.owed < 1.0 {
            return Model::Whole;
        }
        self.owed -= 1.0;
        Model::Near
    }

    /// A suggestion of this model was the best so far, or not.
    pub(crate) fn judge(&mut self, model: Model, is_best: bool) {
        let successes = match model {
            Model::Whole => &mut self.whole,
            Model::Near => &mut self.near,
        };
        *successes += NEWEST * (f64::from(u8::from(is_best)) - *successes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near_in_a_hundred(mut turns: Turns) -> usize {
        (0..100).filter(|_| turns.next() == Model::Near).count()
    }

    #[test]
    fn success_earns_turns_and_nobody_is_left_without() {
        assert_eq!(near_in_a_hundred(Turns::new()), 50);
        let judged = |whole: bool, near: bool| {
            let mut turns = Turns::new();
            for _ in 0..50 {
                turns.judge(Model::Whole, whole);
                turns.judge(Model::Near, near);
            }
            near_in_a_hundred(turns)
        };
        assert!((74..=75).contains(&judged(false, true)));
        assert!((19..=20).contains(&judged(true, false)));
        assert_eq!(judged(false, false), 50);
    }
}
