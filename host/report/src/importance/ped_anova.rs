//! PED-ANOVA: how differently the values of a parameter lie among the best trials and among all
//! (S. Watanabe, A. Bansal, F. Hutter, 2023, arXiv:2304.10255), for conditional parameters among the
//! trials in which they are active (*Conditional PED-ANOVA: Hyperparameter Importance in Hierarchical &
//! Dynamic Search Spaces*, 2026, arXiv:2601.20800). No model of the objective, only ranks: a few very
//! bad values change nothing, and the cost is linear in trials.

use std::cmp::Ordering;

use tune_core::records::{Parameter, Space};

use super::Sample;
use super::density::Grid;

/// The best tenth, as in Optuna.
const TOP: f64 = 0.1;
/// Keeps quotients finite where hardly any trial lies.
const LEAST_DENSITY: f64 = 1e-12;
/// With fewer active trials nothing can be said of a parameter.
const MIN_ACTIVE: usize = 2;

/// The trials that are within the best tenth, as a mark for each; those as good as the last of them
/// too. Whoever came further is better, then whose loss is less.
pub(super) fn top(samples: &[Sample<'_>]) -> Vec<bool> {
    let order = |a: &Sample<'_>, b: &Sample<'_>| {
        let further = b.reached.cmp(&a.reached);
        // Not `total_cmp`: 0 and -0 are equal.
        further.then_with(|| a.loss.partial_cmp(&b.loss).unwrap_or(Ordering::Equal))
    };
    let mut ranked: Vec<&Sample<'_>> = samples.iter().collect();
    ranked.sort_by(|a, b| order(a, b));
    let place = ((TOP * ranked.len() as f64).ceil() as usize).saturating_sub(1);
    let last = ranked.get(place);
    let is_top = |s| last.is_some_and(|last| order(s, last) != Ordering::Greater);
    samples.iter().map(is_top).collect()
}

/// An importance for each parameter, not normalised.
pub(super) fn importances(space: &Space, samples: &[Sample<'_>], top: &[bool]) -> Vec<f64> {
    let of = |p: &Parameter| importance(p, samples, top).unwrap_or(0.0);
    space.parameters().iter().map(of).collect()
}

/// The Pearson divergence between the two densities, weighted by the shares of trials in which the
/// parameter is active: `a^2 / b` for `a` of the best and `b` of all. None for a parameter with one
/// value, or without enough trials.
fn importance(parameter: &Parameter, samples: &[Sample<'_>], top: &[bool]) -> Option<f64> {
    let grid = Grid::of(&parameter.domain)?;
    let mut all = vec![0; grid.places()];
    let mut best = vec![0; grid.places()];
    for (sample, is_top) in samples.iter().zip(top) {
        let value = sample.config.get(&parameter.name);
        let Some(place) = value.and_then(|v| grid.place(&parameter.domain, v)) else {
            continue;
        };
        if let (Some(all), Some(best)) = (all.get_mut(place), best.get_mut(place)) {
            *all += 1;
            *best += usize::from(*is_top);
        }
    }
    let active: usize = all.iter().sum();
    let active_top: usize = best.iter().sum();
    if active < MIN_ACTIVE || active_top == 0 {
        return None;
    }
    let densities = grid.density(&best).into_iter().zip(grid.density(&all));
    let divergence: f64 = densities
        .map(|(best, all)| {
            let (best, all) = (best + LEAST_DENSITY, all + LEAST_DENSITY);
            let off = best / all - 1.0;
            all * (off * off)
        })
        .sum();
    let of_top = active_top as f64 / top.iter().filter(|t| **t).count() as f64;
    let of_all = active as f64 / samples.len() as f64;
    Some(of_top * of_top / of_all * divergence)
}
