//! Do two rungs rank the trials that both hold alike, but for what is noise?

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use tune_plugin::{
    TrialId,
    schedule::{Quantile, Ratio, Score},
};

/// Most trials that a new one's curve is compared with, the newest: more pairs change a percentile
/// little, and the cost of a result stays bounded.
const COMPARED: usize = 100;

/// Results of a trial in the order of time.
type Curve = Vec<(f64, Score)>;

/// How close two results are that count as equal.
#[derive(Debug)]
pub(crate) struct Noise {
    percentile: Ratio,
    curves: BTreeMap<TrialId, Curve>,
    /// Distances of pairs of trials at the ceiling whose curves crossed and crossed back.
    distances: Quantile,
    /// The newest trials at the ceiling.
    newest: VecDeque<TrialId>,
    /// The percentile of the distances; while there are none, that at the ceiling before.
    pub(crate) epsilon: f64,
}

impl Noise {
    pub(crate) fn new(percentile: Ratio) -> Self {
        Self {
            percentile,
            curves: BTreeMap::new(),
            distances: Quantile::new(percentile),
            newest: VecDeque::new(),
            epsilon: 0.0,
        }
    }

    pub(crate) fn record(&mut self, trial: TrialId, time: f64, score: Score) {
        self.curves.entry(trial).or_default().push((time, score));
    }

    /// A trial has come to the ceiling.
    pub(crate) fn at_ceiling(&mut self, trial: TrialId) {
        let Some(curve) = self.curves.get(&trial) else {
            return;
        };
        let others = self.newest.iter().filter_map(|id| self.curves.get(id));
        for distance in others.filter_map(|other| crossed_back(curve, other)) {
            self.distances.insert(Score::new(distance));
        }
        self.newest.push_back(trial);
        if self.newest.len() > COMPARED {
            self.newest.pop_front();
        }
        self.epsilon = self.distances.value().map_or(self.epsilon, Score::value);
    }

    /// The ceiling has risen: noise is that of later results now.
    pub(crate) fn rise(&mut self) {
        self.distances = Quantile::new(self.percentile);
        self.newest.clear();
    }
}

/// How far two curves are from each other in the end, if they crossed and crossed back: what is the
/// better one now was so before, and the worse one in between. Where their times differ, the last
/// result up to a time counts.
fn crossed_back(curve: &Curve, other: &Curve) -> Option<f64> {
    let mut pairs = curve.iter().rev().map_while(|(time, score)| {
        let until = other.partition_point(|(at, _)| at <= time);
        Some((*score, other.get(until.checked_sub(1)?)?.1))
    });
    let (end, other_end) = pairs.next()?;
    let order = end.cmp(&other_end);
    pairs.find(|(a, b)| order.is_ne() && a.cmp(b) == order.reverse())?;
    pairs.find(|(a, b)| a.cmp(b) == order)?;
    let distance = (end.value() - other_end.value()).abs();
    distance.is_finite().then_some(distance)
}

/// The trials that the ceiling and the rung below both hold, in the order of either.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    /// The best at the ceiling first, and how good each was below.
    ranked: Vec<((Reverse<Score>, TrialId), Score)>,
    /// Results below, the best first.
    places: Vec<Reverse<Score>>,
}

impl Ranking {
    /// Of the trials that both hold.
    pub(crate) fn of(top: &BTreeMap<TrialId, Score>, below: &BTreeMap<TrialId, Score>) -> Self {
        let common = top.iter().filter_map(|(id, score)| {
            let before = below.get(id)?;
            Some(((Reverse(*score), *id), *before))
        });
        let mut ranked: Vec<_> = common.collect();
        ranked.sort_unstable();
        let mut places: Vec<_> = ranked.iter().map(|(_, before)| Reverse(*before)).collect();
        places.sort_unstable();
        Self { ranked, places }
    }

    /// A trial with a result below has come to the ceiling.
    pub(crate) fn insert(&mut self, trial: TrialId, score: Score, before: Score) {
        let rank = (Reverse(score), trial);
        let place = self.ranked.partition_point(|(other, _)| *other < rank);
        self.ranked.insert(place, (rank, before));
        let place = self
            .places
            .partition_point(|other| *other < Reverse(before));
        self.places.insert(place, Reverse(before));
    }

    /// Whether both orders are the same, when results below that are not farther apart than
    /// `epsilon` may change places.
    pub(crate) fn agrees(&self, epsilon: f64) -> bool {
        let mut pairs = self.ranked.iter().zip(&self.places);
        pairs.all(|((_, before), Reverse(place))| {
            before == place || (before.value() - place.value()).abs() <= epsilon
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[f64]) -> BTreeMap<TrialId, Score> {
        (0..).zip(values.iter().map(|v| Score::new(*v))).collect()
    }

    fn agree(
        top: &BTreeMap<TrialId, Score>,
        below: &BTreeMap<TrialId, Score>,
        epsilon: f64,
    ) -> bool {
        let whole = Ranking::of(top, below);
        // Trial by trial it is the same.
        let mut grown = Ranking::default();
        for (trial, score) in top {
            if let Some(before) = below.get(trial) {
                grown.insert(*trial, *score, *before);
            }
        }
        assert_eq!(
            (&whole.ranked, &whole.places),
            (&grown.ranked, &grown.places)
        );
        whole.agrees(epsilon)
    }

    fn curve(values: &[f64]) -> Curve {
        let timed = (1..).zip(values);
        timed.map(|(t, v)| (f64::from(t), Score::new(*v))).collect()
    }

    #[test]
    fn rankings_agree_when_each_trial_is_within_epsilon_of_its_new_place() {
        let below = scores(&[0.9, 0.8, 0.75, 0.5]);
        assert!(agree(&scores(&[4.0, 3.0, 2.0, 1.0]), &below, 0.0));
        // 1 and 2 change places: 0.05 apart.
        let swapped = scores(&[4.0, 2.0, 3.0, 1.0]);
        assert!(!agree(&swapped, &below, 0.04));
        assert!(agree(&swapped, &below, 0.06));
        // 0 falls to the third place, which 0.75 had.
        let fallen = scores(&[2.0, 4.0, 3.0, 1.0]);
        assert!(!agree(&fallen, &below, 0.14));
        assert!(agree(&fallen, &below, 0.16));
    }

    #[test]
    fn only_trials_that_both_rungs_hold_are_ranked() {
        let below = scores(&[0.1, 0.9]);
        let top = BTreeMap::from([(1, Score::new(0.5)), (7, Score::new(0.9))]);
        assert!(agree(&top, &below, 0.0));
        assert!(agree(&BTreeMap::new(), &below, 0.0));
    }

    #[test]
    fn equal_results_may_change_places_and_so_may_those_that_are_not_numbers() {
        assert!(agree(&scores(&[1.0, 2.0]), &scores(&[0.5, 0.5]), 0.0));
        let nan = f64::NAN;
        assert!(agree(&scores(&[1.0, 2.0]), &scores(&[nan, nan]), 0.0));
        assert!(agree(&scores(&[nan, nan]), &scores(&[1.0, 0.0]), 0.0));
        assert!(!agree(&scores(&[1.0, 2.0]), &scores(&[0.0, nan]), 9.0));
    }

    #[test]
    fn noise_is_the_distance_of_curves_that_crossed_and_crossed_back() {
        let first = curve(&[0.5, 0.6, 0.9]);
        assert_eq!(
            crossed_back(&first, &curve(&[0.4, 0.7, 0.8])),
            Some(0.9 - 0.8)
        );
        assert_eq!(
            crossed_back(&first, &curve(&[0.4, 0.5, 0.8])),
            None,
            "never crossed"
        );
        assert_eq!(
            crossed_back(&first, &curve(&[0.6, 0.7, 0.8])),
            None,
            "crossed once"
        );
        assert_eq!(
            crossed_back(&first, &curve(&[0.4, 0.7, 0.9])),
            None,
            "no order now"
        );
        // Neither above nor below in between is no crossing.
        assert_eq!(crossed_back(&first, &curve(&[0.4, 0.6, 0.8])), None);
        assert_eq!(crossed_back(&first, &curve(&[])), None);
    }

    #[test]
    fn curves_with_times_of_their_own_are_compared_by_the_last_result_up_to_a_time() {
        let first: Curve = [(10.0, 0.5), (20.0, 0.6), (30.0, 0.9)]
            .map(|(t, v)| (t, Score::new(v)))
            .into();
        let other: Curve = [(9.0, 0.4), (19.0, 0.7), (28.0, 0.8), (31.0, 2.0)]
            .map(|(t, v)| (t, Score::new(v)))
            .into();
        assert_eq!(crossed_back(&first, &other), Some(0.9 - 0.8));
    }

    #[test]
    fn epsilon_is_the_percentile_of_all_pairs_at_the_ceiling_and_is_kept_when_it_rises() {
        let mut noise = Noise::new(Ratio::from_decimal(0.9).unwrap());
        // Over pairs, each with trial 0: distances 0.1, 0.2 and (1 with 2) none.
        for (trial, values) in [[0.5, 0.6, 0.9], [0.4, 0.7, 0.8], [0.3, 0.75, 0.7]]
            .into_iter()
            .enumerate()
        {
            for (time, score) in curve(&values) {
                noise.record(trial as TrialId, time, score);
            }
            noise.at_ceiling(trial as TrialId);
        }
        // 1 with 2: 0.8 > 0.7, 0.7 < 0.75, 0.4 > 0.3: 0.1 as well. Of 0.1, 0.1, 0.2 the position 1.8.
        assert!((noise.epsilon - 0.18).abs() < 1e-12, "{}", noise.epsilon);
        noise.rise();
        noise.at_ceiling(7);
        assert!((noise.epsilon - 0.18).abs() < 1e-12);
    }
}
