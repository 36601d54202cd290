//! Values over ranges of a line: which store holds which bytes, which chunks changed.
//!
//! Always sorted, disjoint, without empty ranges and with equal neighbours merged, so that two of
//! them that say the same are equal.

use std::ops::Range;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runs<T> {
    runs: Vec<(Range<usize>, T)>,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { runs: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Runs<T> {
    /// One range with one value.
    pub(crate) fn one(range: Range<usize>, value: T) -> Self {
        let mut runs = Self::default();
        runs.push(range, value);
        runs
    }

    /// In ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Range<usize>, &T)> + Clone {
        self.runs
            .iter()
            .map(|(range, value)| (range.clone(), value))
    }

    /// How many ranges.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Sum of their lengths.
    pub(crate) fn bytes(&self) -> usize {
        self.runs.iter().map(|(range, _)| range.len()).sum()
    }

    /// Adds a range behind all others.
    pub(crate) fn push(&mut self, range: Range<usize>, value: T) {
        if range.is_empty() {
            return;
        }
        match self.runs.last_mut() {
            Some((last, same)) if last.end == range.start && *same == value => {
                last.end = range.end;
            }
            last => {
                debug_assert!(last.is_none_or(|(last, _)| last.end <= range.start));
                self.runs.push((range, value));
            }
        }
    }

    /// Puts ranges, in ascending order, over what is there; None clears.
    pub(crate) fn overlay(
        &self,
        over: impl IntoIterator<Item = (Range<usize>, Option<T>)>,
    ) -> Self {
        let mut out = Self::default();
        let mut rest = self.runs.iter().cloned();
        let mut current = rest.next();
        for (range, value) in over {
            while let Some((run, v)) = current.take() {
                if run.start >= range.start {
                    current = Some((run, v));
                    break;
                }
                out.push(run.start..run.end.min(range.start), v.clone());
                if run.end > range.start {
                    current = Some((range.start..run.end, v));
                    break;
                }
                current = rest.next();
            }
            while let Some((run, v)) = current.take() {
                if run.end > range.end {
                    current = Some((run.start.max(range.end)..run.end, v));
                    break;
                }
                current = rest.next();
            }
            if let Some(value) = value {
                out.push(range, value);
            }
        }
        for (range, value) in current.into_iter().chain(rest) {
            out.push(range, value);
        }
        out
    }

    /// A range cut at the borders of the runs, with the value of each piece.
    pub(crate) fn pieces(
        &self,
        within: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, Option<&T>)> {
        let first = self
            .runs
            .partition_point(|(run, _)| run.end <= within.start);
        let mut runs = self.runs.iter().skip(first).peekable();
        let mut at = within.start;
        std::iter::from_fn(move || {
            if at >= within.end {
                return None;
            }
            let (end, value) = match runs.peek() {
                Some((run, value)) if run.start <= at => (run.end, Some(value)),
                Some((run, _)) => (run.start, None),
                None => (within.end, None),
            };
            let piece = at..end.min(within.end);
            at = piece.end;
            if value.is_some() {
                runs.next();
            }
            Some((piece, value))
        })
    }
}

impl Runs<()> {
    /// Ranges of either.
    pub(crate) fn union<T: Clone + PartialEq>(&self, other: &Runs<T>) -> Self {
        self.overlay(other.iter().map(|(range, _)| (range, Some(()))))
    }

    /// Ranges of this one alone.
    pub(crate) fn minus<T: Clone + PartialEq>(&self, other: &Runs<T>) -> Self {
        self.overlay(other.iter().map(|(range, _)| (range, None)))
    }

    /// The same with gaps up to `gap` bytes closed.
    pub(crate) fn close_gaps(&self, gap: usize) -> Self {
        let mut out = Self::default();
        let mut open: Option<Range<usize>> = None;
        for (range, ()) in self.iter() {
            match &mut open {
                Some(run) if range.start - run.end <= gap => run.end = range.end,
                _ => {
                    if let Some(run) = open.replace(range) {
                        out.push(run, ());
                    }
                }
            }
        }
        if let Some(run) = open {
            out.push(run, ());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: usize = 40;

    fn points(runs: &Runs<u8>) -> Vec<Option<u8>> {
        let mut points = vec![None; LINE];
        for (range, value) in runs.iter() {
            points[range].fill(Some(*value));
        }
        points
    }

    fn canonical(runs: &Runs<u8>) -> bool {
        runs.runs.iter().all(|(r, _)| !r.is_empty())
            && runs.runs.windows(2).all(|w| {
                w[0].0.end < w[1].0.start || (w[0].0.end == w[1].0.start && w[0].1 != w[1].1)
            })
    }

    fn layers() -> impl Strategy<Value = Vec<Vec<(Range<usize>, Option<u8>)>>> {
        let cuts = prop::collection::btree_set(0..=LINE, 0..8);
        let layer = (cuts, prop::collection::vec(prop::option::of(0..3u8), 8)).prop_map(
            |(cuts, values)| {
                let cuts: Vec<_> = cuts.into_iter().collect();
                let pairs = cuts.chunks_exact(2).zip(values);
                pairs.map(|(c, v)| (c[0]..c[1], v)).collect::<Vec<_>>()
            },
        );
        prop::collection::vec(layer, 1..6)
    }

    proptest! {
        #[test]
        fn overlays_act_as_painting_does(layers in layers(), (from, to) in (0..LINE, 0..=LINE)) {
            let mut runs = Runs::default();
            let mut model = vec![None; LINE];
            for layer in layers {
                for (range, value) in &layer {
                    model[range.clone()].fill(*value);
                }
                runs = runs.overlay(layer);
                prop_assert!(canonical(&runs), "{runs:?}");
                prop_assert_eq!(points(&runs), model.clone());
            }
            let mut at = from;
            for (piece, value) in runs.pieces(from..to) {
                prop_assert_eq!(piece.start, at);
                prop_assert!(model[piece.clone()].iter().all(|v| v.as_ref() == value));
                at = piece.end;
            }
            prop_assert_eq!(at, to.max(from));
            let bytes = model.iter().flatten().count();
            prop_assert_eq!(runs.bytes(), bytes);
        }
    }

    #[test]
    fn small_gaps_are_closed_and_wide_ones_stay() {
        let runs = Runs::default().overlay([(0..2, Some(())), (4..5, Some(())), (9..10, Some(()))]);
        let closed: Vec<_> = runs.close_gaps(2).iter().map(|(r, ())| r).collect();
        assert_eq!(closed, [0..5, 9..10]);
    }
}
