//! All results of a comparison: which may be compared, how good each searcher is by group, and how ours
//! stand beside each of the others.

use std::collections::{BTreeMap, BTreeSet};

use tune_study::{Comparison, Group, Problem, compare};

use super::cell::Cell;

/// Problem, seed, batch.
type Place = (String, u32, u32);

/// A comparison.
pub(super) struct Study<'a> {
    problems: &'a [Problem],
    seeds: u32,
    pub(super) batches: Vec<u32>,
    /// Trials after which results are compared.
    pub(super) marks: Vec<u32>,
    /// Of other programs.
    pub(super) versions: BTreeMap<String, String>,
    /// Who takes part.
    searchers: Vec<(String, Role)>,
    cells: BTreeMap<(String, Place), Cell>,
    /// What no searcher is judged by: one of them took too long there.
    left_out: BTreeSet<Place>,
}

/// As what a searcher takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// One of ours that learns from results: it is compared with each of the others.
    Learner,
    /// One of ours that does not learn: only its standing is told.
    Baseline,
    /// Of another program, or of earlier results.
    Peer,
}

/// How good a searcher is in a group.
pub(super) struct Standing<'a> {
    pub(super) searcher: &'a str,
    pub(super) role: Role,
    /// Mean seconds that it took in a run.
    pub(super) seconds: f64,
    /// Mean log10 regret by mark, and its standard deviation over the means of seeds.
    pub(super) at: Vec<(f64, f64)>,
}

/// One of ours beside one of the others.
pub(super) struct Pairing {
    pub(super) ours: String,
    pub(super) peer: String,
    /// The group, or how many problems there are that both have.
    pub(super) group: String,
    /// By mark.
    pub(super) at: Vec<Option<Comparison>>,
}

/// The logarithm that is compared.
fn log(regret: f64) -> f64 {
    libm::log10(regret)
}

impl<'a> Study<'a> {
    pub(super) fn new(
        problems: &'a [Problem],
        seeds: u32,
        batches: Vec<u32>,
        marks: Vec<u32>,
    ) -> Self {
        Self {
            problems,
            seeds,
            batches,
            marks,
            versions: BTreeMap::new(),
            searchers: Vec::new(),
            cells: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// A searcher takes part.
    pub(super) fn join(&mut self, name: &str, role: Role) {
        if self.searchers.iter().all(|(other, _)| other != name) {
            self.searchers.push((name.to_owned(), role));
        }
    }

    /// Results; of other problems, seeds and batches than those of this comparison none are taken.
    pub(super) fn add(&mut self, cells: Vec<Cell>) {
        for cell in cells {
            if self.asks_for(&cell) {
                let place = (cell.problem.clone(), cell.seed, cell.batch);
                self.cells.insert((cell.searcher.clone(), place), cell);
            }
        }
    }

    /// It is about such a run: problem, seed, batch.
    pub(super) fn asks_for(&self, cell: &Cell) -> bool {
        let known = self.problems.iter().any(|p| p.name() == cell.problem);
        let seeded = (1..=self.seeds).contains(&cell.seed);
        known && seeded && self.batches.contains(&cell.batch)
    }

    /// The results of a run are there.
    pub(super) fn has(&self, searcher: &str, problem: &str, seed: u32, batch: u32) -> bool {
        self.cell(searcher, &(problem.to_owned(), seed, batch))
            .is_some()
    }

    /// Results of others. One with the name of one of ours goes by its file.
    pub(super) fn add_peers(&mut self, file: String, mut cells: Vec<Cell>) {
        for cell in &mut cells {
            if self.is_ours(&cell.searcher) {
                cell.searcher = format!("{file}/{}", cell.searcher);
            }
        }
        let names: BTreeSet<String> = cells.iter().map(|cell| cell.searcher.clone()).collect();
        self.add(cells);
        for name in names {
            let there = self.cells.keys().any(|(searcher, _)| *searcher == name);
            if there {
                self.join(&name, Role::Peer);
            }
        }
    }

    pub(super) fn is_ours(&self, name: &str) -> bool {
        let mut ours = self.searchers().filter(|(_, role)| *role != Role::Peer);
        ours.any(|(other, _)| other == name)
    }

    pub(super) fn searchers(&self) -> impl Iterator<Item = (&str, Role)> {
        self.searchers
            .iter()
            .map(|(name, role)| (name.as_str(), *role))
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.values()
    }

    /// Leaves out for all what took one of them too long. What there is to say of it, and of searchers
    /// that could not go on.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut errors: BTreeMap<(&str, &str), (u32, &str)> = BTreeMap::new();
        for ((searcher, place), cell) in &self.cells {
            if cell.over {
                let (problem, seed, batch) = place;
                notes.push(format!(
                    "left out for all: {problem} with seed {seed} and {batch} at once, where {searcher} took \
                     longer than the limit"
                ));
                self.left_out.insert(place.clone());
            }
            if let Some(error) = &cell.error {
                let entry = errors
                    .entry((searcher, &cell.problem))
                    .or_insert((0, error));
                entry.0 += 1;
            }
        }
        for ((searcher, problem), (count, error)) in errors {
            notes.push(format!("{searcher} on {problem}, {count} runs: {error}"));
        }
        notes
            .into_iter()
            .map(|note| tune_report::clean(&note).into_owned())
            .collect()
    }

    /// Those of the groups that have a problem here.
    pub(super) fn groups(&self) -> Vec<Group> {
        let there = |group: &Group| self.problems.iter().any(|p| p.groups().contains(group));
        Group::ALL.into_iter().filter(there).collect()
    }

    fn cell(&self, searcher: &str, place: &Place) -> Option<&Cell> {
        self.cells.get(&(searcher.to_owned(), place.clone()))
    }

    /// log10 regret of a searcher at a place.
    fn at(&self, searcher: &str, place: &Place, mark: u32) -> Option<f64> {
        let cell = self.cell(searcher, place)?;
        cell.regret.get(&mark).map(|regret| log(*regret))
    }

    /// The places of some problems with some batch that count, in order.
    fn places(&self, problems: &[&str], batch: u32) -> Vec<Place> {
        let all = problems.iter().flat_map(|problem| {
            (1..=self.seeds).map(move |seed| ((*problem).to_owned(), seed, batch))
        });
        all.filter(|place| !self.left_out.contains(place)).collect()
    }

    fn names_of(&self, group: Group) -> Vec<&str> {
        let inside = self.problems.iter().filter(|p| p.groups().contains(&group));
        inside.map(Problem::name).collect()
    }

    /// Every searcher that has results of a whole group, the best at the end first.
    pub(super) fn standings(&self, group: Group, batch: u32) -> Vec<Standing<'_>> {
        let places = self.places(&self.names_of(group), batch);
        let mut standings: Vec<Standing<'_>> = Vec::new();
        for (searcher, role) in self.searchers() {
            let at = self.marks.iter();
            let at = at.map(|mark| self.mean(searcher, &places, *mark));
            if let Some(at) = at.collect::<Option<Vec<_>>>() {
                let cells = places.iter().filter_map(|place| self.cell(searcher, place));
                let total: f64 = cells.map(|cell| cell.seconds).sum();
                standings.push(Standing {
                    searcher,
                    role,
                    seconds: total / places.len().max(1) as f64,
                    at,
                });
            }
        }
        let end = |standing: &Standing<'_>| standing.at.last().map_or(0.0, |(mean, _)| *mean);
        standings.sort_by(|a, b| end(a).total_cmp(&end(b)));
        standings
    }

    /// The mean of all places, none if one is missing, and the standard deviation of the means of seeds.
    pub(super) fn mean(&self, searcher: &str, places: &[Place], mark: u32) -> Option<(f64, f64)> {
        let mut by_seed: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for place in places {
            let value = self.at(searcher, place, mark)?;
            let (sum, count) = by_seed.entry(place.1).or_default();
            *sum += value;
            *count += 1.0;
        }
        let total: f64 = by_seed.values().map(|(sum, _)| sum).sum();
        let mean = (!places.is_empty()).then(|| total / places.len() as f64)?;
        let means: Vec<f64> = by_seed.values().map(|(sum, count)| sum / count).collect();
        let middle = means.iter().sum::<f64>() / means.len() as f64;
        let squares: f64 = means.iter().map(|m| (m - middle) * (m - middle)).sum();
        let deviation = (squares / (means.len() as f64 - 1.0).max(1.0)).sqrt();
        Some((mean, deviation))
    }

    /// The mean of a group, of a searcher that has all of it.
    pub(super) fn group_mean(
        &self,
        searcher: &str,
        group: Group,
        batch: u32,
        mark: u32,
    ) -> Option<f64> {
        let places = self.places(&self.names_of(group), batch);
        self.mean(searcher, &places, mark).map(|(mean, _)| mean)
    }

    /// Each of ours that learns beside each of the others with a batch: a family of tests is one of ours at a mark.
    pub(super) fn pairings(&self, batch: u32) -> Vec<Pairing> {
        let mut pairings = Vec::new();
        for (ours, _) in self.searchers().filter(|(_, role)| *role == Role::Learner) {
            let mut family: Vec<(String, String, Vec<Place>)> = Vec::new();
            for (peer, _) in self.searchers().filter(|(_, role)| *role == Role::Peer) {
                for (name, places) in self.shared(ours, peer, batch) {
                    family.push((peer.to_owned(), name, places));
                }
            }
            let by_mark: Vec<Vec<Option<Comparison>>> = self
                .marks
                .iter()
                .map(|mark| {
                    let pairs = family.iter().map(|(peer, _, places)| {
                        let pairs = places.iter().filter_map(|place| {
                            Some(self.at(ours, place, *mark)? - self.at(peer, place, *mark)?)
                        });
                        pairs.collect()
                    });
                    compare(&pairs.collect::<Vec<Vec<f64>>>())
                })
                .collect();
            for (index, (peer, group, _)) in family.into_iter().enumerate() {
                let at = by_mark
                    .iter()
                    .map(|marks| marks.get(index).copied().flatten());
                pairings.push(Pairing {
                    ours: ours.to_owned(),
                    peer,
                    group,
                    at: at.collect(),
                });
            }
        }
        pairings
    }

    /// What two searchers can be compared by: the groups that both have all problems of, or else all
    /// problems that both have.
    fn shared(&self, ours: &str, peer: &str, batch: u32) -> Vec<(String, Vec<Place>)> {
        let first = self.marks.first().copied().unwrap_or(0);
        let both = |place: &Place| {
            self.at(ours, place, first).is_some() && self.at(peer, place, first).is_some()
        };
        let places = |names: &[&str]| -> Vec<Place> {
            self.places(names, batch)
                .into_iter()
                .filter(|place| both(place))
                .collect()
        };
        let count = |places: &[Place]| {
            let names: BTreeSet<&str> = places.iter().map(|(name, ..)| name.as_str()).collect();
            names.len()
        };
        let mut whole = Vec::new();
        for group in self.groups() {
            let names = self.names_of(group);
            let there = places(&names);
            if count(&there) == names.len() {
                whole.push((group.name(), there));
            }
        }
        if whole.is_empty() {
            let names: Vec<&str> = self.problems.iter().map(Problem::name).collect();
            let there = places(&names);
            if !there.is_empty() {
                whole.push((format!("{} problems", count(&there)), there));
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::problems;

    /// The results of a searcher on all problems with some seeds: each regret times a factor.
    fn results(searcher: &str, seeds: u32, factor: f64) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (index, problem) in problems::all().unwrap().iter().enumerate() {
            for seed in 1..=seeds {
                let regret = factor * (1.0 + index as f64 + f64::from(seed) / 100.0);
                cells.push(Cell {
                    searcher: searcher.to_owned(),
                    problem: problem.name().to_owned(),
                    seed,
                    batch: 1,
                    regret: BTreeMap::from([(50, regret)]),
                    seconds: 0.5,
                    over: false,
                    error: None,
                });
            }
        }
        cells
    }

    fn study(problems: &[Problem]) -> Study<'_> {
        let mut study = Study::new(problems, 4, vec![1], vec![50]);
        study.join("tpe", Role::Learner);
        study.join("random", Role::Baseline);
        study.add(results("tpe", 4, 1.0));
        study.add(results("random", 4, 2.0));
        study
    }

    #[test]
    fn a_learner_is_paired_with_each_peer_on_every_group() {
        let problems = problems::all().unwrap();
        let mut study = study(&problems);
        study.add_peers("peers".to_owned(), results("optuna:tpe", 4, 10.0));
        assert!(study.settle().is_empty());
        let pairings = study.pairings(1);
        assert_eq!(pairings.len(), Group::ALL.len());
        for pairing in &pairings {
            assert_eq!(
                (pairing.ours.as_str(), pairing.peer.as_str()),
                ("tpe", "optuna:tpe")
            );
            let comparison = pairing.at[0].unwrap();
            assert!((comparison.mean + 1.0).abs() < 1e-9, "{comparison:?}");
            assert_eq!(comparison.verdict, tune_study::Verdict::Better);
        }
        let standings = study.standings(Group::Bbob(5), 1);
        let order: Vec<&str> = standings.iter().map(|standing| standing.searcher).collect();
        assert_eq!(order, ["tpe", "random", "optuna:tpe"]);
        let difference = standings[1].at[0].0 - standings[0].at[0].0;
        assert!((difference - libm::log10(2.0)).abs() < 1e-9);
    }

    #[test]
    fn a_run_over_the_limit_counts_for_nobody() {
        let problems = problems::all().unwrap();
        let mut study = study(&problems);
        let mut slow = results("gp", 4, 3.0);
        slow[0].over = true;
        slow[0].regret.clear();
        study.add_peers("peers".to_owned(), slow);
        let notes = study.settle();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("sphere-2 with seed 1"), "{notes:?}");
        // 8 problems of 4 seeds, less one.
        assert_eq!(study.pairings(1)[0].at[0].unwrap().pairs, 31);
        assert_eq!(study.standings(Group::Bbob(2), 1).len(), 3);
    }

    #[test]
    fn a_peer_that_did_few_problems_is_compared_on_those() {
        let problems = problems::all().unwrap();
        let mut study = study(&problems);
        let mut few = results("optuna:gp", 2, 1.0);
        few.retain(|cell| {
            ["sphere-2", "gallagher-10", "mixed-logs"].contains(&cell.problem.as_str())
        });
        study.add_peers("peers".to_owned(), few);
        let pairings = study.pairings(1);
        assert_eq!(pairings.len(), 1);
        assert_eq!(pairings[0].group, "3 problems");
        assert_eq!(pairings[0].at[0].unwrap().pairs, 6);
    }

    #[test]
    fn a_peer_with_the_name_of_one_of_ours_goes_by_its_file() {
        let problems = problems::all().unwrap();
        let mut study = study(&problems);
        study.add_peers("before".to_owned(), results("tpe", 4, 1.0));
        let pairings = study.pairings(1);
        assert_eq!(pairings[0].peer, "before/tpe");
        assert_eq!(
            pairings[0].at[0].unwrap().verdict,
            tune_study::Verdict::NoWorse
        );
    }
}
