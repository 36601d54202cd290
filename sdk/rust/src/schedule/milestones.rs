//! What HyperBand plans (Li et al. 2017): how many trials each of its brackets begins with, where it
//! compares them, and how many go on.

use tune_space::OptionError;

use super::rungs::{checked, powers};
use super::{Ratio, refused};

/// Most brackets of a band, and most trials of a bracket: nearly all of them are stopped in one
/// answer of a scheduler, which holds no more actions.
const MOST: (usize, u64) = (100, 10_000);

/// A point at which the trials of a bracket are compared, in units of `time_attr`, and how many of
/// them are meant to run to it.
pub type Milestone = (f64, u64);

/// The milestones of every bracket of HyperBand, the most aggressive bracket first: (1, 3, 9) gives
/// 9 trials to 1, 3 to 3, 1 to 9; then 5 to 3 and 2 to 9; then 3 to 9.
///
/// With s the largest number such that `grace x factor^s <= max_t`, the bracket k = s, s - 1, .. 0
/// begins with ceil((s + 1) factor^k / (k + 1)) trials, and ceil(n / factor) of n go on. Its
/// milestones are `max_t / factor^i` for i = k, .. 0, rounded down to a multiple of `grace` but for
/// the last. Milestones that fall together are one: as many go on from it as from the last of them.
/// Exact as far as 128 bits go, then in floats.
///
/// # Errors
/// Names the option: `max_t` if there is none or it is not below 1e38, `grace_period` if it
/// is not positive, above `max_t`, or gives more than 100 brackets or a bracket of more than 10,000
/// trials, `reduction_factor` if it is not above 1.
pub fn milestones(
    grace: f64,
    factor: f64,
    max_t: Option<f64>,
) -> Result<Vec<Vec<Milestone>>, OptionError> {
    let hint = "set it in the experiment to the most that one trial may get";
    let refuse = || refused("max_t", "HyperBand needs a finite one", hint);
    let end = max_t.filter(|end| *end < 1e38).ok_or_else(refuse)?;
    let (first, step) = checked(grace, factor, end)?;
    let most = Ratio::from_decimal(end).unwrap_or(first);
    let units = powers(most * first.inverse(), step.inverse()).map(Ratio::floor);
    let units = units.map_while(|n| Ratio::new(n, 1)).take(MOST.0 + 1);
    let mut levels: Vec<f64> = units.map(|n| (n * first).to_f64()).collect();
    levels.first_mut().into_iter().for_each(|last| *last = end);
    let count = levels.len();
    let bracket = |(k, power): (usize, Ratio)| {
        let all = Ratio::new(count as u64, k as u64 + 1).map(|share| (share * power).ceil());
        let fewer = |n: &u64| Some((Ratio::new(*n, 1)? * step.inverse()).ceil());
        let trials = std::iter::successors(all, fewer);
        let levels = levels.iter().copied().take(k + 1).rev();
        let mut milestones: Vec<_> = levels.zip(trials).collect();
        milestones.dedup_by_key(|(level, _)| *level);
        milestones
    };
    let powers = powers(Ratio::ONE, step).take(count).enumerate();
    let mut brackets: Vec<Vec<Milestone>> = powers.map(bracket).collect();
    brackets.reverse();
    let trials = brackets.iter().flatten().map(|(_, trials)| *trials).max();
    if count > MOST.0 || trials > Some(MOST.1) {
        let message = format!("{grace} gives too many brackets, or some of too many trials");
        let hint = "raise it, the least after which a trial can be judged, or `reduction_factor`";
        return Err(refused("grace_period", message, hint));
    }
    Ok(brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max_t: f64, factor: f64) -> Vec<Vec<Milestone>> {
        milestones(1.0, factor, Some(max_t)).unwrap()
    }

    fn first(max_t: f64, factor: f64) -> (Vec<u64>, Vec<f64>) {
        let brackets = of(max_t, factor).into_iter().rev();
        let (levels, trials) = brackets.map(|bracket| bracket[0]).unzip();
        (trials, levels)
    }

    #[test]
    fn brackets_are_those_of_the_paper() {
        assert_eq!(
            of(81.0, 3.0),
            [
                vec![(1.0, 81), (3.0, 27), (9.0, 9), (27.0, 3), (81.0, 1)],
                vec![(3.0, 34), (9.0, 12), (27.0, 4), (81.0, 2)],
                vec![(9.0, 15), (27.0, 5), (81.0, 2)],
                vec![(27.0, 8), (81.0, 3)],
                vec![(81.0, 5)],
            ]
        );
    }

    #[test]
    fn other_pairs_begin_with_the_known_numbers_of_trials() {
        let (trials, levels) = first(100.0, 3.0);
        assert_eq!(trials, [5, 8, 15, 34, 81]);
        assert_eq!(levels, [100.0, 33.0, 11.0, 3.0, 1.0]);
        assert_eq!(first(27.0, 3.0).0, [4, 6, 12, 27]);
        assert_eq!(first(8.0, 2.0).0, [4, 4, 6, 8]);
        assert_eq!(first(8.0, 2.0).1, [8.0, 4.0, 2.0, 1.0]);
        assert_eq!(first(1000.0, 10.0).0, [4, 20, 134, 1000]);
        assert_eq!(first(1.0, 3.0), (vec![1], vec![1.0]));
    }

    #[test]
    fn where_logarithms_round_up_there_is_no_bracket_that_begins_with_nothing() {
        // Ray Tune: a fourth bracket at 0.
        assert_eq!(first(20.0, 3.0), (vec![3, 5, 9], vec![20.0, 6.0, 2.0]));
        // 5 ^ 3, where the float logarithm is 3.0000000000000004 or less.
        assert_eq!(first(125.0, 5.0).1, [125.0, 25.0, 5.0, 1.0]);
        assert_eq!(first(243.0, 3.0).0.len(), 6);
    }

    #[test]
    fn every_bracket_ends_at_max_t_and_its_milestones_rise() {
        for factor in [
            1.1,
            1.5,
            2.0,
            2.2,
            std::f64::consts::E,
            3.0,
            4.7,
            10.0,
            299.5,
        ] {
            for max_t in [1.0, 2.0, 4.84, 14.52, 99.9, 100.0, 300.0, 5000.0] {
                for bracket in of(max_t, factor) {
                    assert!(
                        bracket.is_sorted_by(|a, b| a.0 < b.0 && a.1 >= b.1),
                        "{bracket:?}"
                    );
                    assert!(bracket[0].0 >= 1.0 && bracket[0].1 >= 1);
                    assert_eq!(bracket.last().unwrap().0, max_t);
                }
            }
        }
        // 2.2 squared is 4.84, in decimals.
        assert_eq!(first(14.52, 2.2).1, [14.52, 6.0, 3.0, 1.0]);
    }

    #[test]
    fn milestones_that_fall_together_are_one() {
        // 10, 6.7, 4.4, 3.0 (2.96), 2.0 (1.98), 1.3: 6 brackets; the first begins with 7.6 at 1.
        assert_eq!(
            of(10.0, 1.5)[0],
            [(1.0, 8), (2.0, 4), (4.0, 3), (6.0, 2), (10.0, 2)]
        );
    }

    #[test]
    fn the_first_milestone_can_be_another_unit() {
        let brackets = milestones(1e6, 3.0, Some(10e6)).unwrap();
        let trials = [(1e6, 9), (3e6, 3), (10e6, 1)];
        assert_eq!(brackets[0], trials);
        assert_eq!(brackets[2], [(10e6, 3)]);
        let fine = milestones(0.1, 3.0, Some(0.9)).unwrap();
        assert_eq!(fine[0], [(0.1, 9), (0.3, 3), (0.9, 1)]);
    }

    #[test]
    fn what_cannot_be_planned_is_refused_by_the_name_of_the_option() {
        for (grace, factor, max_t, key) in [
            (1.0, 3.0, None, "max_t"),
            (1.0, 3.0, Some(1e300), "max_t"),
            (1.0, 3.0, Some(0.5), "grace_period"),
            (0.0, 3.0, Some(9.0), "grace_period"),
            (f64::NAN, 3.0, Some(9.0), "grace_period"),
            (1.0, 1.0, Some(9.0), "reduction_factor"),
            (1.0, 1.001, Some(9.0), "grace_period"),
            (1.0, 2.0, Some(1e30), "grace_period"),
            (1.0, 2.0, Some(16_384.0), "grace_period"),
        ] {
            let error = milestones(grace, factor, max_t).unwrap_err();
            assert_eq!(error.key, key, "{error:?}");
        }
        assert_eq!(of(8192.0, 2.0)[0][0], (1.0, 8192));
    }
}
