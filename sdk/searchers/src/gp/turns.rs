//! Which model suggests next: the one of the whole space or the one of the neighbourhood of the best
//! result. Each has its turn, the more often the more of its latest suggestions were the best so far.

use crate::shares::{Shares, Side};

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

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// Of the whole space and of the neighbourhood.
    shares: Shares,
    /// Whether the latest turn of the neighbourhood was open to other branches.
    is_open: bool,
}

impl Turns {
    /// Both are equal.
    pub(crate) fn new() -> Self {
        Self {
            shares: Shares::new(),
            is_open: true,
        }
    }

    /// Every second turn of the neighbourhood is open to those of other branches.
    pub(crate) fn next(&mut self) -> Model {
        if self.shares.next() == Side::First {
            return Model::Whole;
        }
        self.is_open = !self.is_open;
        if self.is_open {
            Model::Branch
        } else {
            Model::Near
        }
    }

    /// A suggestion of this model was the best so far, or not.
    pub(crate) fn judge(&mut self, model: Model, is_best: bool) {
        match model {
            Model::Whole => self.shares.judge(Side::First, is_best),
            Model::Near => self.shares.judge(Side::Second, is_best),
            // It is not there to be the best soon.
            Model::Branch => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
