//! The two models of a block: of its good trials and of its bad ones. Which trials tell of a block, how
//! much each weighs and how narrow a kernel may be is said here; what a mixture is, in `parzen`.

use tune_plugin::Stream;

use super::blocks::Block;
use super::history::Split;
use super::kernel;
use super::parzen::Mixture;

/// Kernels of the bad set at most. Their weights have reached 9/10 there, so that older trials would
/// hardly change it; a suggestion stays near 1 ms at any number of trials.
const MAX_BAD: usize = 1_000;

/// How the good set is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The better a trial the more it weighs, and kernels get narrower the more trials are known.
    Near,
    /// As in Optuna: equal weights, and kernels as wide as the good set is small.
    Far,
}

/// Models of the good and the bad set of a block.
pub(crate) struct Pair {
    pub(crate) good: Mixture,
    pub(crate) bad: Mixture,
}

impl Pair {
    pub(crate) fn fit(block: &Block, split: &Split, view: View, stream: &mut Stream) -> Self {
        // Only trials in which the block was active tell something of it.
        let knows = |row: &&&[f64]| {
            block
                .iter()
                .all(|(place, _)| row.get(*place).is_some_and(|x| !x.is_nan()))
        };
        let good: Vec<&[f64]> = split.good.iter().filter(knows).copied().collect();
        let bad: Vec<&[f64]> = split.bad.iter().filter(knows).copied().collect();
        let (weights, narrowest) = match view {
            View::Near => (
                kernel::by_rank(good.len()),
                kernel::narrowest((good.len() + bad.len()) / 2),
            ),
            View::Far => (vec![1.0; good.len()], kernel::narrowest(good.len())),
        };
        let old = bad.len().saturating_sub(MAX_BAD);
        let newest = bad.get(old..).unwrap_or_default();
        let mut ramp = kernel::ramp(bad.len());
        let ramp = ramp.split_off(old);
        Self {
            good: Mixture::fit(block, &good, weights, narrowest, stream),
            bad: Mixture::fit(block, newest, ramp, kernel::narrowest(bad.len()), stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parzen::{Axis, Coordinate};
    use super::*;

    /// The density of the good set at a distance from its only trial, among so many bad ones.
    fn beside(known: usize, view: View) -> f64 {
        let good = [0.5];
        let bad: Vec<[f64; 1]> = (1..known).map(|i| [i as f64 / known as f64]).collect();
        let split = Split {
            good: vec![&good],
            bad: bad.iter().map(|row| &row[..]).collect(),
        };
        let pair = Pair::fit(&vec![(0, Axis::Number)], &split, view, &mut Stream::new(1));
        pair.good.log_density(&[Coordinate::Cell(0.6, 0.6)])
    }

    #[test]
    fn a_lone_good_trial_is_as_wide_as_its_gap_however_many_are_known() {
        // One kernel has the gaps to the ends of the range, which are above every bound.
        assert_eq!(beside(10, View::Near), beside(300, View::Far));
    }

    #[test]
    fn near_kernels_get_narrower_with_all_trials_and_far_ones_with_the_good_ones() {
        // Four equal good trials: gaps of 0 but for the ends, so that the bound decides.
        let at = |known: usize, view: View| {
            let good = [[0.5]; 4];
            let bad: Vec<[f64; 1]> = (4..known).map(|i| [i as f64 / known as f64]).collect();
            let split = Split {
                good: good.iter().map(|row| &row[..]).collect(),
                bad: bad.iter().map(|row| &row[..]).collect(),
            };
            let pair = Pair::fit(&vec![(0, Axis::Number)], &split, view, &mut Stream::new(1));
            libm::exp(pair.good.log_density(&[Coordinate::Cell(0.5, 0.5)]))
        };
        assert_eq!(at(40, View::Far), at(160, View::Far));
        // 1 / 6 wide with 4 good trials; 1 / 22 with 40 known ones, 1 / 82 with 160.
        assert!(at(40, View::Near) > 1.5 * at(40, View::Far));
        assert!(at(160, View::Near) > 1.5 * at(40, View::Near));
    }

    #[test]
    fn the_better_a_good_trial_the_likelier_it_is_near_it() {
        let good = [[0.25], [0.75]];
        let split = Split {
            good: good.iter().map(|row| &row[..]).collect(),
            bad: Vec::new(),
        };
        let ratio = |view: View| {
            let pair = Pair::fit(&vec![(0, Axis::Number)], &split, view, &mut Stream::new(1));
            let at = |x: f64| pair.good.log_density(&[Coordinate::Cell(x, x)]);
            at(0.25) - at(0.75)
        };
        assert!(ratio(View::Near) > 0.1);
        assert!(ratio(View::Far).abs() < 1e-12);
    }
}
