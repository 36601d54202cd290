//! The instance of a trial: what it exports, and making one, for a step or for a state.

use std::sync::Arc;

use tune_core::PluginFault;

use crate::bindings::{portable_state, trainable};
use crate::instance::{Fuel, Instance};
use crate::linked::Linked;
use crate::log::SharedLog;
use crate::plugin::TrialStart;
use crate::store::{Account, StoreParts};

/// Where the functions of a trainable are.
pub(crate) struct TrialIndices {
    pub(crate) trainable: trainable::GuestIndices,
    pub(crate) portable: Option<portable_state::GuestIndices>,
}

/// The functions of a trainable.
pub(crate) struct TrialExports {
    pub(crate) trainable: trainable::Guest,
    pub(crate) portable: Option<portable_state::Guest>,
}

/// An instance; its start code burns `fuel`, with what is gone of that already.
pub(crate) fn instance(
    linked: &Arc<Linked>,
    indices: &TrialIndices,
    start: &TrialStart,
    log: SharedLog,
    account: Account,
    fuel: (Fuel, u64),
) -> Result<Instance<TrialExports>, Box<PluginFault>> {
    let parts = StoreParts {
        limits: &start.limits,
        control: Arc::clone(&start.control),
        seed: start.info.seed,
        data: Arc::clone(&start.data),
        grants: &start.grants,
        log,
        account,
    };
    Instance::new(linked, parts, fuel, |store, exports| {
        Ok(TrialExports {
            trainable: indices.trainable.load(&mut *store, exports)?,
            portable: match &indices.portable {
                Some(portable) => Some(portable.load(store, exports)?),
                None => None,
            },
        })
    })
}

/// An instance for a state; what its own start code says is nobody's.
pub(crate) fn fresh(
    linked: &Arc<Linked>,
    indices: &TrialIndices,
    start: &TrialStart,
    log: SharedLog,
) -> Result<Instance<TrialExports>, Box<PluginFault>> {
    let said = log.lock().end();
    let fuel = (Fuel::for_host(&start.limits), 0);
    let made = instance(linked, indices, start, log.clone(), Account::Host, fuel);
    log.lock().forget(said);
    made
}
