//! What each trial has cost since a state of it was last written: what losing its instance would
//! cost again. Wall times, for deciding about snapshots only.

use std::collections::BTreeMap;
use std::time::Duration;

use tune_core::records::TrialId;

/// What is known of a trial.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// Wall time of all its steps.
    pub(crate) wall: Duration,
    /// Wall time of the steps since its last written state.
    pub(crate) since: Duration,
    /// Reports since its last written state.
    pub(crate) reports: u64,
    /// The row of its last report.
    pub(crate) row: u64,
}

/// Accounts of all live trials.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    accounts: BTreeMap<TrialId, Account>,
}

impl Upkeep {
    pub(crate) fn get(&self, trial: TrialId) -> Account {
        self.accounts.get(&trial).copied().unwrap_or_default()
    }

    /// A step took this long.
    pub(crate) fn worked(&mut self, trial: TrialId, took: Duration) {
        let account = self.accounts.entry(trial).or_default();
        account.wall += took;
        account.since += took;
    }

    /// A report was handed over in this row.
    pub(crate) fn reported(&mut self, trial: TrialId, row: u64) {
        let account = self.accounts.entry(trial).or_default();
        account.reports += 1;
        account.row = row;
    }

    /// Its present state is written, or about to be.
    pub(crate) fn saved(&mut self, trial: TrialId) {
        let account = self.accounts.entry(trial).or_default();
        account.since = Duration::ZERO;
        account.reports = 0;
    }

    /// It goes on from a state that it would cost this much to come to again.
    pub(crate) fn took_over(&mut self, trial: TrialId, from: Account) {
        let account = self.accounts.entry(trial).or_default();
        account.since = from.since;
        account.reports = from.reports;
    }

    /// Only these trials are live.
    pub(crate) fn retain(&mut self, is_live: impl Fn(TrialId) -> bool) {
        self.accounts.retain(|trial, _| is_live(*trial));
    }

    /// The trial has ended.
    pub(crate) fn forget(&mut self, trial: TrialId) {
        self.accounts.remove(&trial);
    }
}
