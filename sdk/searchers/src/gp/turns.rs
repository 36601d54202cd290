//! Which model suggests next: the one of the whole space or the one of the neighbourhood of the best
//! result. Each has its turn, the more often the more of its latest suggestions were the best so far.

/// A model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Of the whole space.
    Whole,
    /// Of the neighbourhood of the best result.
    Near,
    /// Of the neighbourhood of the best result of another branch: with other active parameters.
    Branch,
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
    /// Whether the latest turn of the neighbourhood was open to other branches.
    is_open: bool,
}

impl Turns {
    /// Both are equal.
    pub(crate) fn new() -> Self {
        Self {
            whole: 0.5,
            near: 0.5,
            owed: 0.0,
            is_open: true,
        }
    }

    /// Every second turn of the neighbourhood is open to those of other branches.
    pub(crate) fn next(&mut self) -> Model {
        let (whole, near) = (self.whole + DOUBT, self.near + DOUBT);
        self.owed += (near / (near + whole)).clamp(SHARE.0, SHARE.1);
        if self.owed < 1.0 {
            return Model::Whole;
        }
        self.owed -= 1.0;
        self.is_open = !self.is_open;
        if self.is_open {
            Model::Branch
        } else {
            Model::Near
        }
    }

    /// A suggestion of this model was the best so far, or not.
    pub(crate) fn judge(&mut self, model: Model, is_best: bool) {
        let successes = match model {
            Model::Whole => &mut self.whole,
            Model::Near => &mut self.near,
            // It is not there to be the best soon.
            Model::Branch => return,
        };
        *successes += NEWEST * (f64::from(u8::from(is_best)) - *successes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near_in_a_hundred(mut turns: Turns) -> usize {
        (0..100).filter(|_| turns.next() != Model::Whole).count()
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

    #[test]
    fn every_second_turn_of_the_neighbourhood_is_open_to_other_branches() {
        let mut turns = Turns::new();
        // What another branch gives says nothing of the neighbourhood.
        turns.judge(Model::Branch, false);
        let near: Vec<Model> = (0..80).map(|_| turns.next()).collect();
        let near: Vec<&Model> = near
            .iter()
            .filter(|model| **model != Model::Whole)
            .collect();
        let pairs = near
            .chunks(2)
            .all(|pair| pair == [&Model::Near, &Model::Branch]);
        assert!(near.len() == 40 && pairs);
    }
}
