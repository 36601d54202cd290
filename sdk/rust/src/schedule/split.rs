//! A growing collection, split at a rank: the order statistic of every algorithm that asks for the
//! same quantile again and again while values only come in.
//!
//! Two heaps rather than a tree: the rank of such a quantile never falls as values come in, and the
//! code is a tenth of a balanced tree's.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Values of which the smallest `k` are kept apart, for a `k` that never falls.
#[derive(Clone, Debug)]
pub struct Split<T> {
    low: BinaryHeap<T>,
    high: BinaryHeap<Reverse<T>>,
}

impl<T: Ord> Default for Split<T> {
    fn default() -> Self {
        Self {
            low: BinaryHeap::new(),
            high: BinaryHeap::new(),
        }
    }
}

impl<T: Ord> Split<T> {
    /// Adds a value and moves the border: from now on the smallest `k` are the low part. O(log n)
    /// while `k` grows by at most a constant a call.
    pub fn insert(&mut self, value: T, k: usize) {
        // Through the low part into the high part, so that only the order decides where it ends.
        self.low.push(value);
        self.high.extend(self.low.pop().map(Reverse));
        while self.low.len() < k
            && let Some(Reverse(next)) = self.high.pop()
        {
            self.low.push(next);
        }
    }

    /// The largest value of the low part.
    #[must_use]
    pub fn last_below(&self) -> Option<&T> {
        self.low.peek()
    }

    /// The smallest value above the low part.
    #[must_use]
    pub fn first_above(&self) -> Option<&T> {
        self.high.peek().map(|Reverse(value)| value)
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.low.len() + self.high.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_that_of_the_sorted_values_after_every_insertion() {
        let mut stream = tune_space::Stream::new(1);
        let mut split = Split::default();
        let mut sorted = Vec::new();
        for n in 1..=500_usize {
            let value = stream.below(100);
            sorted.push(value);
            sorted.sort_unstable();
            let k = n / 3;
            split.insert(value, k);
            assert_eq!(split.last_below(), k.checked_sub(1).map(|i| &sorted[i]));
            assert_eq!(split.first_above(), Some(&sorted[k]));
            assert_eq!(split.len(), n);
        }
    }
}
