//! Training code as one `async fn` with reports in its loop: the function API on top of
//! [`Trainable`](crate::Trainable).
//!
//! The function's future is kept in the instance and polled once a step. `ctx.report(..).await`
//! hands a report to the host and suspends; the next step goes on behind it. Its state lives in
//! the plugin's memory like any other, so a loop can be paused, cloned and resumed in its middle.
//!
//! The host never runs ahead: whether the loop has another round is known only when it goes on. So
//! a function that returns ends its trial with one more report, the last metrics again, marked
//! finished. `ctx.report(metrics.finished())` marks the last report itself and avoids that.

use std::{
    cell::{RefCell, RefMut},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use tune_space::{Change, Config, Failure, Metric, Reconfigured, Report, TrialInfo};

/// What the function learns when it goes on after a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// As before.
    Continue,
    /// With this configuration from now on; [`Ctx::info`] has a fresh seed.
    Changed(Config),
}

/// Metrics of a report.
pub trait IntoReport {
    /// As a report.
    fn into_report(self) -> Report;
}

impl IntoReport for Report {
    fn into_report(self) -> Report {
        self
    }
}

impl<const N: usize> IntoReport for [(&str, f64); N] {
    fn into_report(self) -> Report {
        let metrics = self.map(|(name, value)| Metric {
            name: name.into(),
            value,
        });
        Report {
            metrics: metrics.into(),
            ..Report::default()
        }
    }
}

/// What the function and the host's side share.
struct Shared {
    info: TrialInfo,
    config: Config,
    /// The function has run to its first report.
    started: bool,
    /// The configuration changed since the last report.
    changed: bool,
    outbox: Option<Report>,
    /// What the function did that it must not.
    misuse: Option<&'static str>,
}

/// The function's handle on its trial.
pub struct Ctx(Rc<RefCell<Shared>>);

impl Ctx {
    fn shared(&self) -> RefMut<'_, Shared> {
        self.0.borrow_mut()
    }

    /// The present configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared().config.clone()
    }

    /// Trial, seed and worker threads; seed and workers are fresh after [`Progress::Changed`].
    #[must_use]
    pub fn info(&self) -> TrialInfo {
        self.shared().info.clone()
    }

    /// Hands an intermediate result to the host and waits until the trial goes on.
    pub fn report<M: IntoReport>(&self, metrics: M) -> impl Future<Output = Progress> + use<'_, M> {
        let mut report = Some(metrics.into_report());
        std::future::poll_fn(move |_| {
            let mut shared = self.shared();
            if let Some(report) = report.take() {
                if shared.outbox.replace(report).is_some() {
                    shared.misuse = Some(
                        "two reports wait at once: await each `ctx.report(..)` before the next",
                    );
                }
                return Poll::Pending;
            }
            if shared.outbox.is_some() {
                // Polled again within the same step.
                return Poll::Pending;
            }
            Poll::Ready(if std::mem::take(&mut shared.changed) {
                Progress::Changed(shared.config.clone())
            } else {
                Progress::Continue
            })
        })
    }
}

type Training = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A training function in progress: what `export_train!` exports, and how a test runs one natively.
pub struct Coroutine {
    shared: Rc<RefCell<Shared>>,
    future: Option<Training>,
    last: Option<Report>,
}

impl Coroutine {
    /// Calls `train`, whose body runs from the first step on.
    pub fn start<F>(info: &TrialInfo, config: &Config, train: impl FnOnce(Ctx) -> F) -> Self
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let shared = Rc::new(RefCell::new(Shared {
            info: info.clone(),
            config: config.clone(),
            started: false,
            changed: false,
            outbox: None,
            misuse: None,
        }));
        Self {
            future: Some(Box::pin(train(Ctx(shared.clone())))),
            shared,
            last: None,
        }
    }

    /// Runs the function to its next report. When it returns: the last metrics again, finished.
    ///
    /// # Errors
    /// What the function returned, or what it did that it must not.
    pub fn step(&mut self) -> Result<Report, Failure> {
        let Some(future) = &mut self.future else {
            return Err("the training function has already ended".into());
        };
        self.shared.borrow_mut().started = true;
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let (outbox, misuse) = {
            let mut shared = self.shared.borrow_mut();
            (shared.outbox.take(), shared.misuse.take())
        };
        if let Some(misuse) = misuse {
            self.future = None;
            return Err(misuse.into());
        }
        if let Poll::Ready(result) = polled {
            self.future = None;
            result?;
            let last = self.last.take().ok_or(
                "the training function ended without a report: call `ctx.report(..).await` at least once",
            )?;
            // The cost of the last step was charged with its own report.
            return Ok(Report { cost: None, ..last }.finished());
        }
        let report = outbox.ok_or(
            "the training function awaits something other than `ctx.report(..)`, which never happens in a plugin",
        )?;
        self.last = Some(report.clone());
        Ok(report)
    }

    /// The function learns of the change at the end of the report that it awaits.
    #[must_use]
    pub fn reconfigure(&mut self, change: &Change) -> Reconfigured {
        let mut shared = self.shared.borrow_mut();
        shared.config = change.config.clone();
        shared.info.seed = change.seed;
        shared.info.workers = change.workers;
        shared.changed = shared.started;
        Reconfigured::Applied
    }
}
