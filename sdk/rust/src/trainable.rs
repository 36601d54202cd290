//! The trait of training code.

use tune_space::{Change, Config, Failure, Reconfigured, Report, TrialInfo};

/// Training code in steps. One instance of the plugin is one trial.
///
/// Randomness comes from `info.seed` alone, so that a run repeats exactly.
pub trait Trainable: Sized + 'static {
    /// By which experiments name the plugin.
    const NAME: &'static str;
    /// One sentence for lists of plugins.
    const SUMMARY: &'static str;
    /// What the plugin wants of the host beside `log`: `"data"`, `"artifact"`, `"directory"` (files
    /// under `/data`, read with `std::fs`), `"virtual-cost"`.
    const GRANTS: &'static [&'static str] = &[];
    /// Parameters that [`Trainable::reconfigure`] can change in mid-training.
    const MUTABLE_PARAMETERS: &'static [&'static str] = &[];

    /// Builds the trial. Called once, before the first step.
    ///
    /// # Errors
    /// Ends the trial; the message is shown to the user.
    fn setup(info: &TrialInfo, config: &Config) -> Result<Self, Failure>;

    /// Trains until the next intermediate result. Called again and again until the report is
    /// [`Report::finished`] or the host stops the trial.
    ///
    /// # Errors
    /// Ends the trial; the message is shown to the user.
    fn step(&mut self) -> Result<Report, Failure>;

    /// Goes on with another configuration. Called between steps, when a scheduler changes a trial.
    /// By default [`Reconfigured::Unsupported`].
    ///
    /// # Errors
    /// Fails the step that follows; the message is shown to the user.
    fn reconfigure(&mut self, _change: &Change) -> Result<Reconfigured, Failure> {
        Ok(Reconfigured::Unsupported)
    }
}
