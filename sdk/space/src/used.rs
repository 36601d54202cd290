//! Which configurations of a discrete space were suggested already, so that none is suggested twice
//! while others are left. In a space with uncountably many there is nothing to remember.

use std::collections::BTreeSet;

use crate::{Config, Space, Walk};

/// The used configurations of a space.
#[derive(Clone, Debug)]
pub struct Used {
    space: Space,
    points: u32,
    countable: bool,
    seen: BTreeSet<Vec<u64>>,
}

impl Used {
    /// None is used yet. `points` as in [`Walk::new`]: 0 to remember only where every parameter
    /// can be counted.
    #[must_use]
    pub fn new(space: &Space, points: u32) -> Self {
        Self {
            space: space.clone(),
            points,
            countable: Walk::new(space.clone(), points).is_some(),
            seen: BTreeSet::new(),
        }
    }

    /// Marks a configuration as used. One that does not belong to the space is ignored.
    pub fn record(&mut self, config: &Config) {
        if self.countable && self.space.check(config).is_ok() {
            self.seen.insert(self.space.fingerprint(config));
        }
    }

    /// The space can be counted, so that what is used is remembered.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.countable
    }

    /// The configuration was not used, or that is not remembered.
    #[must_use]
    pub fn is_new(&self, config: &Config) -> bool {
        !self.countable || !self.seen.contains(&self.space.fingerprint(config))
    }

    /// The first unused configuration of a part of the space (see [`Space::pin`]) in the order of
    /// a [`Walk`], from a configuration on and round again; none if all are used. The cost grows
    /// with the number of used ones.
    #[must_use]
    pub fn unused_from(&self, part: &Space, config: &Config) -> Option<Config> {
        if self.is_new(config) {
            return Some(config.clone());
        }
        let mut walk = Walk::new(part.clone(), self.points)?;
        walk.seek(config);
        // Among one more than are used there is an unused one, unless the walk went round.
        for _ in 0..=self.seen.len() {
            let config = walk.config();
            if self.is_new(&config) {
                return Some(config);
            }
            walk.advance();
        }
        None
    }
}
