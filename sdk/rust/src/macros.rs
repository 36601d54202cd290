//! The export macros: one line that makes a crate a plugin. They expand to nothing natively but a
//! check that the type implements the trait.

/// Puts a manifest into the custom section `tune:manifest`.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_manifest {
    ($manifest:expr) => {
        const MANIFEST: $crate::manifest::Manifest =
            $manifest.package(env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_LICENSE"));
        #[unsafe(link_section = "tune:manifest")]
        static MANIFEST_JSON: [u8; MANIFEST.json_len()] = MANIFEST.json();
    };
}

/// The functions of the interface `trainable`, for the worlds that export it.
#[doc(hidden)]
#[macro_export]
macro_rules! __tune_trainable_exports {
    () => {
        fn setup(info: wit::TrialInfo, config: wit::Config) -> Result<(), wit::Failure> {
            PLUGIN.with(|plugin| plugin.setup(info, config))
        }
        fn step() -> Result<wit::Report, wit::Failure> {
            PLUGIN.with(|plugin| plugin.step())
        }
        fn reconfigure(change: wit::Change) -> Result<wit::Reconfigured, wit::Failure> {
            PLUGIN.with(|plugin| plugin.reconfigure(change))
        }
    };
}

/// Makes the crate a trainable plugin: `export_trainable!(MyTrainable);`
#[macro_export]
macro_rules! export_trainable {
    ($plugin:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: &str = <$plugin as $crate::Trainable>::NAME;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated exports")]
        const _: () = {
            use $crate::bindings::trainable::{
                exports::tune::plugin::trainable::Guest, tune::plugin::types as wit,
            };
            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$plugin> =
                    const { $crate::export::Slot::new() };
            }
            struct Exports;
            impl Guest for Exports {
                $crate::__tune_trainable_exports!();
            }
            $crate::bindings::trainable::export_world!(Exports with_types_in $crate::bindings::trainable);
            $crate::__tune_manifest!($crate::manifest::Manifest::of_trainable::<$plugin>());
        };
    };
}

/// Makes the crate a trainable plugin whose state another version of it can read:
/// `export_portable_trainable!(MyTrainable);` for a type that implements
/// [`PortableState`](crate::PortableState) too.
#[macro_export]
macro_rules! export_portable_trainable {
    ($plugin:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$plugin) -> Result<Vec<u8>, $crate::Failure> =
            <$plugin as $crate::PortableState>::save;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated exports")]
        const _: () = {
            use $crate::bindings::{
                portable::exports::tune::plugin::portable_state,
                trainable::{exports::tune::plugin::trainable, tune::plugin::types as wit},
            };
            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$plugin> =
                    const { $crate::export::Slot::new() };
                static TRANSFER: $crate::portable::Transfer =
                    const { $crate::portable::Transfer::new() };
            }
            struct Exports;
            impl trainable::Guest for Exports {
                $crate::__tune_trainable_exports!();
            }
            impl portable_state::Guest for Exports {
                fn save_chunk(offset: u64, max_len: u32) -> Result<Vec<u8>, wit::Failure> {
                    PLUGIN.with(|plugin| {
                        TRANSFER.with(|transfer| plugin.save_chunk(transfer, offset, max_len))
                    })
                }
                fn restore_chunk(offset: u64, bytes: Vec<u8>) -> Result<(), wit::Failure> {
                    PLUGIN.with(|plugin| {
                        TRANSFER.with(|transfer| plugin.restore_chunk(transfer, offset, &bytes))
                    })
                }
            }
            $crate::bindings::trainable::export_world!(Exports with_types_in $crate::bindings::trainable);
            $crate::bindings::portable::export_world!(Exports with_types_in $crate::bindings::portable);
            $crate::__tune_manifest!($crate::manifest::Manifest::of_trainable::<$plugin>());
        };
    };
}

/// Makes the crate a searcher plugin: `export_searcher!(MySearcher);`
#[macro_export]
macro_rules! export_searcher {
    ($plugin:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: &str = <$plugin as $crate::Searcher>::NAME;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated exports")]
        const _: () = {
            use $crate::bindings::{
                searcher::exports::tune::plugin::searcher::{Guest, Suggestion},
                trainable::tune::plugin::types as wit,
            };
            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$plugin> =
                    const { $crate::export::Slot::new() };
            }
            struct Exports;
            impl Guest for Exports {
                fn init(setup: wit::Setup) -> Result<(), Vec<wit::OptionError>> {
                    PLUGIN.with(|plugin| plugin.init_searcher(setup))
                }
                fn suggest(trial: u32, pinned: wit::Config) -> Result<Suggestion, wit::Failure> {
                    PLUGIN.with(|plugin| plugin.suggest(trial, pinned))
                }
                fn observe(trial: u32, report: wit::Report, state: wit::TrialState) {
                    PLUGIN.with(|plugin| plugin.observe(trial, report, state))
                }
                fn complete(trial: u32, outcome: wit::Outcome) {
                    PLUGIN.with(|plugin| plugin.complete(trial, outcome))
                }
                fn seed_with(known: Vec<wit::Observation>) {
                    PLUGIN.with(|plugin| plugin.seed_with(known))
                }
                fn regret_bound() -> Option<f64> {
                    PLUGIN.with(|plugin| plugin.regret_bound())
                }
            }
            $crate::bindings::searcher::export_world!(Exports with_types_in $crate::bindings::searcher);
            $crate::__tune_manifest!($crate::manifest::Manifest::of_searcher::<$plugin>());
        };
    };
}

/// Makes the crate a scheduler plugin: `export_scheduler!(MyScheduler);`
#[macro_export]
macro_rules! export_scheduler {
    ($plugin:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: &str = <$plugin as $crate::Scheduler>::NAME;
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated exports")]
        const _: () = {
            use $crate::bindings::{
                scheduler::exports::tune::plugin::scheduler::{Action, Creation, Guest, Turn},
                trainable::tune::plugin::types as wit,
            };
            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$plugin> =
                    const { $crate::export::Slot::new() };
            }
            struct Exports;
            impl Guest for Exports {
                fn init(setup: wit::Setup) -> Result<(), Vec<wit::OptionError>> {
                    PLUGIN.with(|plugin| plugin.init_scheduler(setup))
                }
                fn on_add(trial: u32, config: wit::Config) -> Vec<Action> {
                    PLUGIN.with(|plugin| plugin.on_add(trial, config))
                }
                fn on_result(trial: u32, report: wit::Report) -> Vec<Action> {
                    PLUGIN.with(|plugin| plugin.on_result(trial, report))
                }
                fn on_complete(trial: u32, last: Option<wit::Report>) -> Vec<Action> {
                    PLUGIN.with(|plugin| plugin.on_complete(trial, last))
                }
                fn on_error(trial: u32, kind: wit::FailureKind, will_retry: bool) -> Vec<Action> {
                    PLUGIN.with(|plugin| plugin.on_error(trial, kind, will_retry))
                }
                fn on_remove(trial: u32) -> Vec<Action> {
                    PLUGIN.with(|plugin| plugin.on_remove(trial))
                }
                fn next_to_run(creation: Creation) -> Turn {
                    PLUGIN.with(|plugin| plugin.next_to_run(creation))
                }
                fn describe() -> String {
                    PLUGIN.with(|plugin| plugin.describe())
                }
            }
            $crate::bindings::scheduler::export_world!(Exports with_types_in $crate::bindings::scheduler);
            $crate::__tune_manifest!($crate::manifest::Manifest::of_scheduler::<$plugin>());
        };
    };
}

/// Makes the crate a trainable plugin from an `async fn train(ctx: Ctx) -> Result<(), Failure>`:
///
/// ```
/// # use tune_plugin::{Ctx, Failure};
/// # async fn train(ctx: Ctx) -> Result<(), Failure> { ctx.report([("loss", 1.0)]).await; Ok(()) }
/// tune_plugin::export_train!(name = "mine", summary = "My model", grants = ["data"], train);
/// # fn main() {}
/// ```
///
/// `grants = [..]` and `mutable_parameters = [..]` can be left out. Without mutable parameters a
/// change of configuration is refused; with them the function gets
/// [`Progress::Changed`](crate::Progress).
#[macro_export]
macro_rules! export_train {
    (name = $name:expr, summary = $summary:expr, grants = $grants:tt,
     mutable_parameters = $parameters:tt, $train:path $(,)?) => {
        $crate::export_train!(@ $name, $summary, $grants, $parameters, $train);
    };
    (name = $name:expr, summary = $summary:expr, grants = $grants:tt, $train:path $(,)?) => {
        $crate::export_train!(@ $name, $summary, $grants, [], $train);
    };
    (name = $name:expr, summary = $summary:expr, mutable_parameters = $parameters:tt,
     $train:path $(,)?) => {
        $crate::export_train!(@ $name, $summary, [], $parameters, $train);
    };
    (name = $name:expr, summary = $summary:expr, $train:path $(,)?) => {
        $crate::export_train!(@ $name, $summary, [], [], $train);
    };
    (@ $name:expr, $summary:expr, $grants:tt, $parameters:tt, $train:path) => {
        const _: () = {
            #[allow(dead_code, reason = "natively nothing calls it")]
            struct Train($crate::Coroutine);
            impl $crate::Trainable for Train {
                const NAME: &'static str = $name;
                const SUMMARY: &'static str = $summary;
                const GRANTS: &'static [&'static str] = &$grants;
                const MUTABLE_PARAMETERS: &'static [&'static str] = &$parameters;
                fn setup(
                    info: &$crate::TrialInfo,
                    config: &$crate::Config,
                ) -> Result<Self, $crate::Failure> {
                    Ok(Self($crate::Coroutine::start(info, config, $train)))
                }
                fn step(&mut self) -> Result<$crate::Report, $crate::Failure> {
                    self.0.step()
                }
                fn reconfigure(
                    &mut self,
                    change: &$crate::Change,
                ) -> Result<$crate::Reconfigured, $crate::Failure> {
                    Ok(if <Self as $crate::Trainable>::MUTABLE_PARAMETERS.is_empty() {
                        $crate::Reconfigured::Unsupported
                    } else {
                        self.0.reconfigure(change)
                    })
                }
            }
            $crate::export_trainable!(Train);
        };
    };
}
