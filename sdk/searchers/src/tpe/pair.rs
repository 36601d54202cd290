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
        let knows = |row: &&[f64]| {
            block
                .iter()
                .all(|(place, _)| row.get(*place).is_some_and(|x| !x.is_nan()))
        };
        let good: Vec<&[f64]> = split.good().filter(knows).collect();
        let mut asked = 0;
        let newest = split.bad().inspect(|_| asked += 1).filter(knows);
        let mut bad: Vec<&[f64]> = Vec::with_capacity(MAX_BAD.min(split.bad_count()));
        bad.extend(newest.take(MAX_BAD));
        bad.reverse();
        // Older ones are only counted, and not asked.
        let known = bad.len() + split.bad_count() - asked;
        let (weights, narrowest) = match view {
            View::Near => (
                kernel::by_rank(good.len()),
                kernel::narrowest((good.len() + known) / 2),
            ),
            View::Far => (kernel::equal(good.len()), kernel::narrowest(good.len())),
        };
        let ramp = kernel::ramp(known, bad.len());
        Self {
            good: Mixture::fit(block, &good, weights, narrowest, stream),
            bad: Mixture::fit(block, &bad, ramp, kernel::narrowest(known), stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::Axis;
    use super::super::history::History;
    use super::super::parzen::{Coordinate, Scratch};
    use super::*;
    use crate::told::rank;

    /// The models of these results of one number, the best first; the good ones are good.
    fn fit(good: &[f64], bad: &[f64], view: View) -> Pair {
        let mut history = History::default();
        for (loss, x) in good.iter().chain(bad).enumerate() {
            history.add(vec![*x], rank(Some(loss as f64)));
        }
        let share = (good.len() as f64 - 0.5) / (good.len() + bad.len()) as f64;
        let split = history.split(share, true);
        Pair::fit(&vec![(0, Axis::Number)], &split, view, &mut Stream::new(1))
    }

    /// The logarithm of the density of the good set.
    fn log_density(pair: &Pair, x: f64) -> f64 {
        pair.good
            .log_density(&[Coordinate::Cell(x, x)], &mut Scratch::default())
    }

    /// Numbers from one place on, up to another, on an even grid.
    fn grid(from: usize, to: usize) -> Vec<f64> {
        (from..to).map(|i| i as f64 / to as f64).collect()
    }

    #[test]
    fn a_lone_good_trial_is_as_wide_as_its_gap_however_many_are_known() {
        // One kernel has the gaps to the ends of the range, which are above every bound.
        let beside = |known, view| log_density(&fit(&[0.5], &grid(1, known), view), 0.6);
        assert_eq!(beside(10, View::Near), beside(300, View::Far));
    }

    #[test]
    fn near_kernels_get_narrower_with_all_trials_and_far_ones_with_the_good_ones() {
        // Four equal good trials: gaps of 0 but for the ends, so that the bound decides.
        let at = |known, view| {
            let pair = fit(&[0.5; 4], &grid(4, known), view);
            libm::exp(log_density(&pair, 0.5))
        };
        assert_eq!(at(40, View::Far), at(160, View::Far));
        // 1 / 6 wide with 4 good trials; 1 / 22 with 40 known ones, 1 / 82 with 160.
        assert!(at(40, View::Near) > 1.5 * at(40, View::Far));
        assert!(at(160, View::Near) > 1.5 * at(40, View::Near));
    }

    #[test]
    fn the_better_a_good_trial_the_likelier_it_is_near_it() {
        let ratio = |view: View| {
            let pair = fit(&[0.25, 0.75], &[], view);
            log_density(&pair, 0.25) - log_density(&pair, 0.75)
        };
        assert!(ratio(View::Near) > 0.1);
        assert!(ratio(View::Far).abs() < 1e-12);
    }

    #[test]
    fn of_the_bad_trials_the_newest_thousand_are_modelled_and_the_others_only_counted() {
        let density = |oldest: f64, more: usize| {
            let mut bad = vec![oldest; more];
            bad.extend(grid(0, MAX_BAD));
            let pair = fit(&[0.5], &bad, View::Far);
            pair.bad
                .log_density(&[Coordinate::Cell(0.25, 0.25)], &mut Scratch::default())
        };
        assert_eq!(density(0.25, 500), density(0.9, 500));
        assert_ne!(density(0.25, 0), density(0.25, 500));
    }
}
