//! One searcher beside another on the same problems and seeds.

use crate::interval::interval;
use crate::signed_rank::{holm, signed_rank};

/// Errors of the first kind that a family of tests may have.
const SIGNIFICANT: f64 = 0.05;
/// A searcher is no worse if its mean log10 regret is surely at most this much higher: a regret 1.26 times
/// as large.
const MARGIN: f64 = 0.1;

/// What a comparison says of the first searcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Significantly lower regret.
    Better,
    /// Not significantly worse, and the upper end of the interval of the mean difference is at most 0.1.
    NoWorse,
    /// Neither can be said.
    Open,
    /// Significantly higher regret.
    Worse,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NoWorse => "no worse",
            Self::Open => "open",
            Self::Worse => "worse",
        }
    }
}

/// Two searchers, compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Pairs of results.
    pub pairs: usize,
    /// Mean difference of log10 regret: below 0, the first is better.
    pub mean: f64,
    /// Its 95 % interval by the bootstrap.
    pub interval: (f64, f64),
    /// The probability of Wilcoxon's test, corrected for all comparisons of the family.
    pub probability: f64,
    /// What this says.
    pub verdict: Verdict,
}

/// Compares by the differences of log10 regret of the pairs of each comparison of a family; none for
/// one without pairs, which does not count in the family.
#[must_use]
pub fn compare(family: &[Vec<f64>]) -> Vec<Option<Comparison>> {
    let tests = family.iter().filter(|pairs| !pairs.is_empty());
    let raw: Vec<f64> = tests.map(|pairs| signed_rank(pairs)).collect();
    let mut corrected = holm(&raw).into_iter();
    let one = |(index, pairs): (usize, &Vec<f64>)| {
        let interval = interval(pairs, index as u64)?;
        let probability = corrected.next()?;
        let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
        let verdict = if probability < SIGNIFICANT && mean != 0.0 {
            if mean < 0.0 {
                Verdict::Better
            } else {
                Verdict::Worse
            }
        } else if interval.1 <= MARGIN {
            Verdict::NoWorse
        } else {
            Verdict::Open
        };
        Some(Comparison {
            pairs: pairs.len(),
            mean,
            interval,
            probability,
            verdict,
        })
    };
    family.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences around a mean, no two of the same size.
    fn around(mean: f64, spread: f64) -> Vec<f64> {
        (0..40)
            .map(|i| mean + spread * (f64::from(i) - 19.5) / 20.0)
            .collect()
    }

    #[test]
    fn verdicts_follow_the_difference_its_interval_and_its_significance() {
        let family = [
            around(-0.5, 0.4),
            around(0.5, 0.4),
            around(0.001, 0.1),
            around(0.05, 2.0),
            Vec::new(),
        ];
        let verdicts: Vec<Option<Verdict>> = compare(&family)
            .into_iter()
            .map(|c| c.map(|c| c.verdict))
            .collect();
        let expected = [
            Some(Verdict::Better),
            Some(Verdict::Worse),
            Some(Verdict::NoWorse),
            Some(Verdict::Open),
            None,
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn the_more_comparisons_a_family_has_the_more_it_takes() {
        let pairs = around(-0.3, 0.8);
        let alone = compare(std::slice::from_ref(&pairs));
        let many: Vec<Vec<f64>> = std::iter::repeat_n(pairs, 20).collect();
        let [Some(alone)] = alone[..] else { panic!() };
        let Some(Some(among)) = compare(&many).first().copied() else {
            panic!()
        };
        assert!((among.probability / alone.probability - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_searcher_is_no_worse_than_itself() {
        let same = compare(&[vec![0.0; 10]]);
        assert_eq!(same[0].unwrap().verdict, Verdict::NoWorse);
    }
}
