//! A quadratic model of the results, which stands for those of a generation that have not come: N. Hansen (2019),
//! *A Global Surrogate Assisted CMA-ES* (lq-CMA-ES), with its constants.
//!
//! Beside that paper: of all results the nearest count, in units of the distribution, instead of the newest; every
//! alternative of a choice has a coefficient; trials without a value count as bad as the worst that has one.

use std::collections::VecDeque;

use tune_model::{Points, Quadratic, Terms};
use tune_plugin::TrialId;
use tune_search::{Cma, Rank, Whitening};

use super::axes::Place;

/// Coefficients at most: above, squares or products have none.
const MAX_TERMS: usize = 256;
/// Results that are kept, the newest ones: twice as many as coefficients.
const KEPT: usize = 2 * MAX_TERMS;
/// So many results for each coefficient are needed,
const NEEDED: f64 = 1.1;
/// and so many count.
const COUNTED: usize = 2;
/// What the best result weighs, if the worst weighs 1.
const HEAVIEST: f64 = 20.0;
/// It is not believed before so many generations have results: of the few points of a first one it puts any in order,
/// and where several trials run at once, the distribution would be narrow before it is known where.
const SEEN: usize = 2;
/// The newest results that the model must have put in order.
const CHECKED: usize = 15;
/// The rank correlation (Kendall's) with these from which on the model is believed.
const BELIEVED: f64 = 0.85;

/// Results in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Archive(VecDeque<(Option<TrialId>, Place, Rank)>);

impl Archive {
    /// One more, of a trial of this run or of another one. Of too many the oldest is forgotten.
    pub(crate) fn push(&mut self, trial: Option<TrialId>, place: Place, rank: Rank) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((trial, place, rank));
    }

    /// What a trial came to that was told before; none if it says nothing after all.
    pub(crate) fn correct(&mut self, trial: TrialId, rank: Option<Rank>) {
        let Some(rank) = rank else {
            return self.0.retain(|(told, ..)| *told != Some(trial));
        };
        // Mostly it is the newest.
        let mut results = self.0.iter_mut().rev();
        if let Some((.., old)) = results.find(|(told, ..)| *told == Some(trial)) {
            *old = rank;
        }
    }

    /// A model of the results around this distribution, of whose generation so many are known. None while there are
    /// too few, or none has a value.
    pub(crate) fn model(&self, cma: &Cma, categories: &[usize], known: usize) -> Option<Model> {
        let frame = Frame {
            whitening: cma.whitening(),
            categories: categories.to_vec(),
        };
        let (terms, counted) = frame.terms(self.0.len())?;
        let counted = counted.max(COUNTED * cma.population());
        let places: Vec<&Place> = self.0.iter().map(|(_, place, _)| place).collect();
        let rows = frame.rows(&places);
        let ranks: Vec<Rank> = self.0.iter().map(|(.., rank)| *rank).collect();
        let quadratic = fitted(
            terms,
            frame.numbers(),
            &nearest(&rows, &ranks, &frame, counted),
        )?;
        let has_seen = rows.len() >= (SEEN * cma.population()).min(KEPT);
        let checked = CHECKED.max((6 * known / 5).min(3 * cma.population() / 4));
        let newest = rows.iter().zip(&ranks).rev().take(checked);
        let pairs: Vec<(f64, Rank)> = newest
            .map(|(row, rank)| (quadratic.predict(row), *rank))
            .collect();
        Some(Model {
            is_believed: has_seen && correlation(&pairs) >= BELIEVED,
            quadratic,
            frame,
        })
    }
}

/// Coordinates of a result, and what it came to.
type Row<'a> = (&'a [f64], Rank);

/// The results that count, the best first.
fn nearest<'a>(rows: &'a Points, ranks: &[Rank], frame: &Frame, count: usize) -> Vec<Row<'a>> {
    let length = |row: &[f64]| {
        let numbers = row.iter().take(frame.numbers());
        numbers.map(|x| x * x).sum::<f64>()
    };
    let mut all: Vec<(f64, usize)> = rows.iter().map(length).zip(0..).collect();
    // Among equals the earlier one.
    let by_length =
        |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1));
    if count < all.len() {
        all.select_nth_unstable_by(count, by_length);
        all.truncate(count);
    }
    let rank = |at: usize| ranks.get(at).copied().unwrap_or(Rank::WORST);
    all.sort_unstable_by(|a, b| rank(a.1).cmp(&rank(b.1)).then_with(|| by_length(a, b)));
    all.iter()
        .map(|(_, at)| (rows.get(*at), rank(*at)))
        .collect()
}

/// A polynomial through results, the best first. None if none has a value.
fn fitted(terms: Terms, numbers: usize, ranked: &[Row]) -> Option<Quadratic> {
    let losses = ranked.iter().filter_map(|(_, rank)| rank.loss());
    let worst = losses.reduce(f64::max)?;
    let losses = ranked.iter().map(|(_, rank)| rank.loss().unwrap_or(worst));
    let last = ranked.len().saturating_sub(1).max(1) as f64;
    let weight = |place: usize| HEAVIEST + (1.0 - HEAVIEST) * (place as f64 / last);
    let weights: Vec<f64> = (0..ranked.len()).map(weight).collect();
    let points: Points = ranked.iter().map(|(row, _)| *row).collect();
    Quadratic::fit(
        terms,
        numbers,
        &points,
        &losses.collect::<Vec<_>>(),
        &weights,
    )
}

/// What is expected where nothing has been tried.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    quadratic: Quadratic,
    frame: Frame,
    /// It has put the newest results in order.
    pub(crate) is_believed: bool,
}

impl Model {
    /// The expected losses.
    pub(crate) fn losses(&self, places: &[&Place]) -> Vec<f64> {
        let rows = self.frame.rows(places);
        rows.iter().map(|row| self.quadratic.predict(row)).collect()
    }
}

/// The coordinates of a model: those of a distribution, and 1 for the alternative of each choice.
#[derive(Clone, Debug)]
struct Frame {
    whitening: Whitening,
    categories: Vec<usize>,
}

impl Frame {
    fn numbers(&self) -> usize {
        self.whitening.dimensions()
    }

    /// The coordinates of places.
    fn rows(&self, places: &[&Place]) -> Points {
        let numbers: Vec<&[f64]> = places.iter().map(|place| place.x.as_slice()).collect();
        let white = self.whitening.of_all(&numbers);
        let width = self.numbers() + self.alternatives_count();
        if width == self.numbers() {
            return Points::of(width, white);
        }
        let mut white = white.chunks_exact(self.numbers().max(1));
        let mut rows = Vec::with_capacity(places.len() * width);
        for place in places {
            rows.extend(white.next().unwrap_or_default());
            rows.extend(self.alternatives(place));
        }
        Points::of(width, rows)
    }

    fn alternatives_count(&self) -> usize {
        self.categories.iter().map(|k| k.saturating_sub(1)).sum()
    }

    /// 1 for the alternative that is chosen; the first one is what the others are compared with.
    fn alternatives(&self, place: &Place) -> impl Iterator<Item = f64> {
        let choices = place.chosen.iter().zip(&self.categories);
        choices
            .flat_map(|(chosen, count)| (1..*count).map(move |k| f64::from(u8::from(k == *chosen))))
    }

    /// Which terms so many results are enough for, and how many results count.
    fn terms(&self, results: usize) -> Option<(Terms, usize)> {
        let others = self.alternatives_count();
        let count = |terms: Terms| terms.count(self.numbers()) + others;
        let fits = |terms: &Terms| count(*terms) <= MAX_TERMS;
        let all = [Terms::Pairs, Terms::Squares, Terms::Linear];
        let largest = all.into_iter().find(fits)?;
        let mut possible = all.into_iter().filter(fits);
        let terms = possible.find(|terms| results as f64 >= NEEDED * count(*terms) as f64)?;
        Some((terms, COUNTED * count(largest)))
    }
}

/// Kendall's rank correlation; ties count as neither in order nor out of it.
fn correlation(pairs: &[(f64, Rank)]) -> f64 {
    let (mut sum, mut count) = (0_i64, 0_i64);
    for (i, (expected, rank)) in pairs.iter().enumerate() {
        for (other, other_rank) in pairs.iter().take(i) {
            let by_model = expected.partial_cmp(other).map_or(0, |order| order as i64);
            sum += by_model * rank.cmp(other_rank) as i64;
            count += 1;
        }
    }
    sum as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use tune_plugin::Stream;
    use tune_search::Form;

    use super::*;
    use crate::told::rank;

    fn cma() -> Cma {
        let form = Form {
            population: 6,
            separable: false,
            active: false,
            adapts_rates: false,
        };
        Cma::new(vec![0.5; 2], 0.2, form)
    }

    fn place(stream: &mut Stream) -> Place {
        Place {
            x: vec![stream.unit(), stream.unit()],
            chosen: vec![stream.below(3) as usize],
        }
    }

    /// A bowl whose depth depends on the choice.
    fn loss(place: &Place) -> f64 {
        let off = |i: usize, to: f64| (place.x[i] - to) * (place.x[i] - to);
        3.0 * off(0, 0.3) + off(1, 0.6) + [0.2, 0.0, 0.5][place.chosen[0]]
    }

    fn archive(results: usize, stream: &mut Stream) -> Archive {
        let mut archive = Archive::default();
        for _ in 0..results {
            let place = place(stream);
            let rank = rank(Some(loss(&place)));
            archive.push(None, place, rank);
        }
        archive
    }

    #[test]
    fn bowls_with_choices_are_known_from_a_few_results_and_believed() {
        let mut stream = Stream::new(1);
        // Six coefficients of numbers and two of alternatives.
        let model = archive(12, &mut stream).model(&cma(), &[3], 1).unwrap();
        assert!(model.is_believed);
        assert!(
            !archive(11, &mut stream)
                .model(&cma(), &[3], 1)
                .unwrap()
                .is_believed
        );
        for _ in 0..30 {
            let place = place(&mut stream);
            let off = model.losses(&[&place])[0] - loss(&place);
            assert!(off.abs() < 1e-4, "{off}");
        }
    }

    #[test]
    fn while_there_are_few_results_fewer_terms_are_fitted_and_then_none() {
        let frame = Frame {
            whitening: cma().whitening(),
            categories: vec![3],
        };
        let terms = |results| frame.terms(results);
        assert_eq!(terms(9), Some((Terms::Pairs, 16)));
        assert_eq!(terms(8), Some((Terms::Squares, 16)));
        assert_eq!(terms(6), Some((Terms::Linear, 16)));
        assert_eq!(terms(5), None);
        let mut stream = Stream::new(2);
        assert!(archive(5, &mut stream).model(&cma(), &[3], 1).is_none());
    }

    #[test]
    fn noise_and_equal_values_are_not_believed() {
        let mut stream = Stream::new(3);
        for loss in [|s: &mut Stream| s.normal(), |_: &mut Stream| 1.0] {
            let mut archive = Archive::default();
            for _ in 0..40 {
                let value = loss(&mut stream);
                archive.push(None, place(&mut stream), rank(Some(value)));
            }
            assert!(!archive.model(&cma(), &[3], 1).unwrap().is_believed);
        }
    }

    #[test]
    fn a_region_that_fails_is_expected_to_be_bad_and_failures_alone_make_no_model() {
        let mut stream = Stream::new(4);
        let (mut archive, mut failures) = (Archive::default(), Archive::default());
        for _ in 0..16 {
            let mut place = place(&mut stream);
            place.chosen = vec![0];
            let fails = place.x[0] < 0.5;
            let value = (!fails).then(|| loss(&place));
            failures.push(None, place.clone(), rank(None));
            archive.push(None, place, rank(value));
        }
        let model = archive.model(&cma(), &[3], 1).unwrap();
        let at = |x: f64| {
            let (x, chosen) = (vec![x, 0.6], vec![0]);
            model.losses(&[&Place { x, chosen }])[0]
        };
        assert!(at(0.1) > at(0.6), "{} {}", at(0.1), at(0.6));
        assert!(failures.model(&cma(), &[3], 1).is_none());
    }

    #[test]
    fn a_trial_that_went_on_counts_as_it_ended_and_one_that_is_forgotten_does_not() {
        let mut stream = Stream::new(6);
        let mut archive = archive(3, &mut stream);
        archive.push(Some(7), place(&mut stream), rank(Some(1.0)));
        archive.correct(7, Some(rank(Some(2.0))));
        assert_eq!(
            archive.0.back().and_then(|(.., rank)| rank.loss()),
            Some(2.0)
        );
        archive.correct(8, None);
        assert_eq!(archive.0.len(), 4);
        archive.correct(7, None);
        assert_eq!(archive.0.len(), 3);
    }

    #[test]
    fn of_too_many_results_the_oldest_are_forgotten() {
        let mut stream = Stream::new(5);
        assert_eq!(archive(KEPT + 7, &mut stream).0.len(), KEPT);
    }

    #[test]
    fn correlations_are_those_of_the_definition() {
        let of = |pairs: &[(f64, f64)]| {
            let ranked: Vec<(f64, Rank)> =
                pairs.iter().map(|(m, v)| (*m, rank(Some(*v)))).collect();
            correlation(&ranked)
        };
        assert_eq!(of(&[(1.0, 5.0), (2.0, 6.0), (3.0, 9.0)]), 1.0);
        assert_eq!(of(&[(1.0, 9.0), (2.0, 6.0), (3.0, 5.0)]), -1.0);
        // Five pairs in order, one out of it.
        let one_off = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)];
        assert_eq!(of(&one_off), 4.0 / 6.0);
        assert_eq!(of(&[(1.0, 1.0), (1.0, 2.0), (2.0, 2.0)]), 1.0 / 3.0);
        assert_eq!(of(&[]), 0.0);
    }
}
