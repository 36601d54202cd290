//! What the levels are worth: how often a model of one of them orders the trials of the highest one
//! as that one does, compared with the models of the others (Hyper-Tune, section 4.2; MFES-HB, Li et
//! al. 2021).

use std::collections::VecDeque;

use tune_model::{Axis, Fit, Gp, Lbfgsb, Matern, Points, Standard};
use tune_plugin::{Config, Domain, Space, Stream, schedule::Score};

/// Results of a level that are modelled, the newest: so that a choice stays bounded.
const MOST_ROWS: usize = 100;
/// Results of the highest level that are ordered.
const MOST_ORDERED: usize = 50;
/// A level with fewer results has no model.
const FEWEST_ROWS: usize = 3;
/// Draws of each model, as in the paper.
const DRAWS: usize = 50;
/// The models are asked anew after a tenth more results, and at least so many: as few as make a model.
const FEWEST_NEW: u64 = FEWEST_ROWS as u64;
/// Parts of the highest level's own results: each is predicted from the others.
const FOLDS: usize = 5;

/// Configurations and scores at one level.
#[derive(Clone, Debug, Default)]
struct Level {
    rows: VecDeque<(Vec<f64>, Score)>,
    /// Kernel and noise of its last model: from there the next fit is short.
    last: Option<(Matern, f64)>,
}

/// Results at every level.
#[derive(Clone, Debug)]
pub(crate) struct Fidelity {
    space: Space,
    levels: Vec<Level>,
    /// Brackets, each of which begins at the level of its number.
    brackets: usize,
    stream: Stream,
    entries: u64,
    /// The last answer, and after how many entries.
    known: Option<(u64, Vec<Option<f64>>)>,
}

impl Fidelity {
    /// Without results.
    pub(crate) fn new(space: Space, levels: usize, brackets: usize, seed: u64) -> Self {
        Self {
            space,
            levels: vec![Level::default(); levels],
            brackets,
            stream: Stream::new(seed),
            entries: 0,
            known: None,
        }
    }

    /// Where a configuration lies: numbers in [0, 1], categories by position, NaN if inactive.
    pub(crate) fn encode(&self, config: &Config) -> Vec<f64> {
        let all = self.space.parameters().iter();
        all.map(|parameter| {
            let value = config.get(&parameter.name);
            let place = value.and_then(|value| match &parameter.domain {
                Domain::Choice(_) => parameter.domain.position(value).map(|p| p as f64),
                domain => domain.to_unit(value),
            });
            place.unwrap_or(f64::NAN)
        })
        .collect()
    }

    /// A trial was so good at this level.
    pub(crate) fn learn(&mut self, level: usize, at: Vec<f64>, score: Score) {
        if let Some(level) = self.levels.get_mut(level) {
            if level.rows.len() == MOST_ROWS {
                level.rows.pop_front();
            }
            level.rows.push_back((at, score));
            self.entries += 1;
        }
    }

    /// For every level the chance that its model is the one that orders best; none for levels
    /// without one. Only those are modelled at which a bracket begins, and the highest.
    pub(crate) fn chances(&mut self) -> Vec<Option<f64>> {
        if let Some((entries, chances)) = &self.known
            && self.entries < entries + FEWEST_NEW.max(entries / 10)
        {
            return chances.clone();
        }
        let chances = self.ask();
        self.known = Some((self.entries, chances.clone()));
        chances
    }

    fn ask(&mut self) -> Vec<Option<f64>> {
        let usable = |level: &Level| level.rows.len() >= FEWEST_ROWS;
        let top = self.levels.iter().rposition(usable);
        let highest = top.and_then(|top| self.levels.get(top));
        let ordered = highest.map_or_else(Vec::new, |level| newest(&level.rows, MOST_ORDERED));
        let points: Points = ordered.iter().map(|(at, _)| at.as_slice()).collect();
        let (space, stream) = (&self.space, &mut self.stream);
        let mut losses: Vec<Option<Vec<u32>>> = Vec::new();
        for (number, level) in self.levels.iter_mut().enumerate() {
            let draws = if Some(number) == top {
                own_draws(space, &ordered, &mut level.last, stream)
            } else if number < self.brackets && Some(number) < top && usable(level) {
                let rows = newest(&level.rows, MOST_ROWS);
                model(space, &rows, &mut level.last).and_then(|gp| draws(&gp, &points, stream))
            } else {
                None
            };
            let loss = |draw: &Vec<f64>| misordered(draw, &ordered);
            losses.push(draws.map(|draws| draws.iter().map(loss).collect()));
        }
        shares(&losses)
    }
}

/// The newest rows, at most so many, the newest first.
fn newest(rows: &VecDeque<(Vec<f64>, Score)>, most: usize) -> Vec<(Vec<f64>, Score)> {
    rows.iter().rev().take(most).cloned().collect()
}

/// How often each has the least loss of a draw; ties share.
fn shares(losses: &[Option<Vec<u32>>]) -> Vec<Option<f64>> {
    let mut shares: Vec<Option<f64>> = losses
        .iter()
        .map(|losses| losses.as_ref().map(|_| 0.0))
        .collect();
    for draw in 0..DRAWS {
        let of = |losses: &Option<Vec<u32>>| losses.as_ref()?.get(draw).copied();
        let Some(least) = losses.iter().filter_map(of).min() else {
            continue;
        };
        let winners = losses.iter().filter(|l| of(l) == Some(least)).count();
        for (share, losses) in shares.iter_mut().zip(losses) {
            if let Some(share) = share
                && of(losses) == Some(least)
            {
                *share += 1.0 / (winners * DRAWS) as f64;
            }
        }
    }
    shares
}

/// Pairs that a draw orders otherwise than the scores; equal scores are in no order.
fn misordered(draw: &[f64], ordered: &[(Vec<f64>, Score)]) -> u32 {
    let scored: Vec<(&f64, Score)> = draw.iter().zip(ordered.iter().map(|(_, s)| *s)).collect();
    let mut count = 0;
    for (i, (drawn, score)) in scored.iter().enumerate() {
        let later = scored.iter().skip(i + 1);
        let wrong = later.filter(|(d, s)| s != score && (s > score) != (d > drawn));
        count += wrong.count() as u32;
    }
    count
}

fn kernel(space: &Space) -> Matern {
    let axis = |domain: &Domain| match domain {
        Domain::Choice(_) => Axis::Category,
        _ => Axis::Number,
    };
    Matern::new(space.parameters().iter().map(|p| axis(&p.domain)).collect())
}

/// Standardised scores, the worst finite one for what is no number.
fn values(rows: &[(Vec<f64>, Score)]) -> Vec<f64> {
    let finite = rows
        .iter()
        .map(|(_, s)| s.value())
        .filter(|v| v.is_finite());
    let worst = finite.fold(f64::INFINITY, f64::min);
    let worst = if worst.is_finite() { worst } else { 0.0 };
    let all: Vec<f64> = rows
        .iter()
        .map(|(_, s)| {
            if s.value().is_finite() {
                s.value()
            } else {
                worst
            }
        })
        .collect();
    let standard = Standard::of(&all);
    all.iter().map(|v| standard.scaled(*v)).collect()
}

/// A model of these results. The fit starts from `last`, which becomes its own kernel and noise.
fn model(
    space: &Space,
    rows: &[(Vec<f64>, Score)],
    last: &mut Option<(Matern, f64)>,
) -> Option<Gp<Matern>> {
    let points: Points = rows.iter().map(|(at, _)| at.as_slice()).collect();
    let weights = space.parameters().len();
    // Optuna's prior of the weights (see the documentation of tune-model); scale and noise are
    // held by their bounds alone.
    let prior = |at: &[f64], slopes: &mut [f64]| {
        let mut sum = 0.0;
        for (x, slope) in at.iter().zip(slopes).skip(1).take(weights) {
            let w = libm::exp(*x);
            sum -= 0.1 / w + 0.1 * w;
            *slope = 0.1 / w - 0.1 * w;
        }
        sum
    };
    let logarithms = |low: f64, high: f64| (libm::log(low), libm::log(high));
    let mut bounds = vec![logarithms(0.05, 20.0)];
    bounds.resize(1 + weights, logarithms(1e-3, 1e3));
    bounds.push(logarithms(1e-4, 1.0));
    let fit = Fit {
        bounds: &bounds,
        prior: Some(&prior),
        minimizer: Lbfgsb {
            iterations: 20,
            evaluations: 25,
            tolerance: 1e-2,
            flat: 1e-5,
            ..Lbfgsb::default()
        },
    };
    let (start, noise) = last.take().unwrap_or_else(|| (kernel(space), 0.01));
    let gp = Gp::fit(&start, noise, &points, &values(rows), &fit)?;
    *last = Some((gp.kernel().clone(), gp.noise()));
    Some(gp)
}

fn normals(count: usize, stream: &mut Stream) -> Vec<f64> {
    (0..count).map(|_| stream.normal()).collect()
}

fn draws(gp: &Gp<Matern>, points: &Points, stream: &mut Stream) -> Option<Vec<Vec<f64>>> {
    let joint = gp.joint(points)?;
    let draw = |_| joint.draw(&normals(points.len(), stream));
    Some((0..DRAWS).map(draw).collect())
}

/// Draws of the highest level's model at its own results, each fold from a model of the others with
/// the parameters of the whole.
fn own_draws(
    space: &Space,
    rows: &[(Vec<f64>, Score)],
    last: &mut Option<(Matern, f64)>,
    stream: &mut Stream,
) -> Option<Vec<Vec<f64>>> {
    let whole = model(space, rows, last)?;
    let values = values(rows);
    let mut all = vec![vec![0.0; rows.len()]; DRAWS];
    for fold in 0..FOLDS.min(rows.len()) {
        let inside = |i: usize| i % FOLDS == fold;
        let pick = |wanted: bool| -> Points {
            let rows = rows
                .iter()
                .enumerate()
                .filter(|(i, _)| inside(*i) == wanted);
            rows.map(|(_, (at, _))| at.as_slice()).collect()
        };
        let others = values.iter().enumerate().filter(|(i, _)| !inside(*i));
        let others = others.map(|(_, v)| *v).collect();
        let gp = Gp::new(whole.kernel().clone(), whole.noise(), pick(false), others)?;
        for (draw, whole) in draws(&gp, &pick(true), stream)?.iter().zip(&mut all) {
            let places = whole.iter_mut().enumerate().filter(|(i, _)| inside(*i));
            for ((_, place), drawn) in places.zip(draw) {
                *place = *drawn;
            }
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{Parameter, RealRange};

    fn fidelity(levels: usize) -> Fidelity {
        let x = Parameter {
            name: "x".to_owned(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: Vec::new(),
        };
        Fidelity::new(Space::new(vec![x]).unwrap(), levels, levels, 1)
    }

    #[test]
    fn pairs_in_the_wrong_order_by_hand() {
        let rows: Vec<(Vec<f64>, Score)> = [1.0, 2.0, 2.0, f64::NAN]
            .map(|s| (vec![0.0], Score::new(s)))
            .into();
        assert_eq!(misordered(&[1.0, 2.0, 3.0, 0.0], &rows), 0);
        // 2 and 1 are exchanged, and the worst is not below the first.
        assert_eq!(misordered(&[3.0, 2.0, 4.0, 3.5], &rows), 3);
    }

    #[test]
    fn the_least_loss_of_a_draw_wins_and_ties_share() {
        let losses = [
            Some(vec![1; DRAWS]),
            None,
            Some(vec![1; DRAWS]),
            Some(vec![2; DRAWS]),
        ];
        let shares = shares(&losses);
        assert!((shares[0].unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((shares[1], shares[3]), (None, Some(0.0)));
    }

    #[test]
    fn a_level_that_orders_as_the_highest_does_is_worth_more_than_one_that_does_not() {
        let mut fidelity = fidelity(4);
        for i in 0..30 {
            let x = f64::from(i) / 29.0;
            let truth = -(x - 0.3) * (x - 0.3);
            // Level 0 is upside down, level 1 is right, level 3 has no results.
            fidelity.learn(0, vec![x], Score::new(-truth));
            fidelity.learn(1, vec![x], Score::new(10.0 + 3.0 * truth));
            if i % 5 == 0 {
                fidelity.learn(2, vec![x], Score::new(truth));
            }
        }
        let chances = fidelity.chances();
        assert!(chances[1].unwrap() > 0.6, "{chances:?}");
        assert!(chances[0].unwrap() < 0.05, "{chances:?}");
        assert_eq!(chances[3], None);
        let sum: f64 = chances.iter().flatten().sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn equal_scores_and_what_is_no_number_are_survived() {
        let mut fidelity = fidelity(2);
        assert_eq!(fidelity.chances(), [None, None]);
        for i in 0..200 {
            let score = if i % 2 == 0 { f64::NAN } else { 1.0 };
            fidelity.learn(0, vec![0.5], Score::new(score));
            fidelity.learn(1, vec![0.5], Score::new(f64::NAN));
        }
        let chances = fidelity.chances();
        assert!(
            chances.iter().all(|c| c.is_some_and(f64::is_finite)),
            "{chances:?}"
        );
    }

    #[test]
    fn levels_between_those_of_the_brackets_and_the_highest_cost_no_model() {
        let mut fidelity = Fidelity {
            brackets: 2,
            ..fidelity(5)
        };
        for i in 0..10 {
            for level in 0..4 {
                let x = f64::from(i) / 9.0;
                fidelity.learn(level, vec![x], Score::new(x));
            }
        }
        let modelled: Vec<bool> = fidelity.chances().iter().map(Option::is_some).collect();
        assert_eq!(modelled, [true, true, false, true, false]);
    }

    #[test]
    fn models_are_asked_anew_after_three_results_and_later_after_a_tenth_more() {
        let mut fidelity = fidelity(1);
        let mut asked = Vec::new();
        for i in 0..100 {
            fidelity.chances();
            asked.extend(fidelity.known.iter().map(|(entries, _)| *entries));
            fidelity.learn(0, vec![f64::from(i) / 99.0], Score::new(f64::from(i)));
        }
        asked.dedup();
        assert!(asked.starts_with(&[0, 3, 6, 9]), "{asked:?}");
        assert!(asked.ends_with(&[79, 86, 94]), "{asked:?}");
        let kernel = |fidelity: &Fidelity| fidelity.levels[0].last.is_some();
        assert!(kernel(&fidelity), "the next fit starts from the last one");
    }
}
