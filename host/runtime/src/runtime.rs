//! From the bytes of a component to a plugin that can be instantiated.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tune_core::{Limits, Metering};
use tune_snapshot::Tracking;
use wasmtime::component::Component;

use crate::cache::CodeCache;
use crate::engines::EngineLevel;
use crate::imports::check_imports;
use crate::inspect::examine;
use crate::limiter::too_many;
use crate::load_error::{LoadError, LoadProblem};
use crate::plugin::Plugin;

/// How a runtime is set up.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// A folder for compiled code, made if it is missing; it must be closed to other users. By
    /// default none: everything is compiled anew.
    pub cache_dir: Option<PathBuf>,
    /// How it is found which pages of memory a guest wrote to since its last snapshot. By default
    /// the best that works on this machine; all give the same snapshots.
    pub tracking: Option<Tracking>,
}

/// A runtime that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The folder for compiled code.
    #[error("cache folder {}: {cause}", folder.display())]
    Cache {
        /// Which folder.
        folder: PathBuf,
        /// What is wrong with it.
        cause: std::io::Error,
    },
}

/// Loads plugins. Cheap to make and to clone; engines are made when the first plugin needs them.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    tracking: Tracking,
    cache: Option<CodeCache>,
    // Std mutex: held while an engine is made, some milliseconds, so that there is one of each.
    levels: Mutex<HashMap<(Metering, bool), Arc<EngineLevel>>>,
}

impl Runtime {
    /// A runtime without plugins.
    ///
    /// # Errors
    /// If the cache folder cannot be made or is open to others.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let cache = match options.cache_dir {
            None => None,
            Some(folder) => match CodeCache::open(&folder) {
                Ok(cache) => Some(cache),
                Err(cause) => return Err(RuntimeError::Cache { folder, cause }),
            },
        };
        Ok(Self {
            shared: Arc::new(Shared {
                tracking: options.tracking.unwrap_or_else(Tracking::detect),
                cache,
                levels: Mutex::default(),
            }),
        })
    }

    /// How it is found which pages of memory a guest wrote to since its last snapshot.
    #[must_use]
    pub fn tracking(&self) -> Tracking {
        self.shared.tracking
    }

    /// Inspects, compiles and links a plugin. Slow the first time (a tenth of a second to half a
    /// minute), quick when the compiled code is in the cache.
    ///
    /// `strict`: NaN bits inside the guest are canonical too, at 1.6 to 2.5 times the run time.
    ///
    /// # Errors
    /// See [`LoadProblem`]; the message begins with `name`.
    pub fn load(
        &self,
        name: &str,
        bytes: &[u8],
        metering: Metering,
        strict: bool,
        limits: &Limits,
    ) -> Result<Plugin, LoadError> {
        let load = || {
            let (inspection, instrumented) = examine(bytes, limits)?;
            check_imports(&inspection.imports)?;
            let level = self.level(metering, strict)?;
            let component = match &self.shared.cache {
                Some(cache) => cache.component(&level.engine, &instrumented.bytes),
                None => Component::from_binary(&level.engine, &instrumented.bytes),
            }
            .map_err(|e| {
                let hint = "the component is valid and cannot be compiled: please report it";
                LoadError::new(LoadProblem::Load, format!("{e:#}"), hint)
            })?;
            // None: it has parts that only others can fill, which linking refuses.
            if let Some(message) = component.resources_required().as_ref().and_then(too_many) {
                let hint = "link its modules so that they share their memory and tables";
                return Err(LoadError::new(LoadProblem::Load, message, hint));
            }
            let pre = level.linker.instantiate_pre(&component).map_err(|e| {
                let hint = "it was built against other interfaces: build it with the SDK of this \
                            tune-host";
                LoadError::new(LoadProblem::Import, format!("{e:#}"), hint)
            })?;
            Plugin::new(name, inspection, level, pre, instrumented.layout)
        };
        load().map_err(|e: LoadError| e.of(name))
    }

    fn level(&self, metering: Metering, strict: bool) -> Result<Arc<EngineLevel>, LoadError> {
        let mut levels = self
            .shared
            .levels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = levels.get(&(metering, strict)) {
            return Ok(Arc::clone(level));
        }
        let level = EngineLevel::new(metering, strict, self.shared.tracking).map_err(|e| {
            let hint = "this processor or operating system is not supported";
            LoadError::new(LoadProblem::Load, format!("no engine: {e:#}"), hint)
        })?;
        let level = Arc::new(level);
        levels.insert((metering, strict), Arc::clone(&level));
        Ok(level)
    }
}
