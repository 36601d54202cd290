//! From the bytes of a component to a plugin that can be instantiated.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tune_core::{Limits, Metering};
use tune_snapshot::Tracking;
use wasmtime::component::Component;

use crate::cache::{self, CodeCache};
use crate::compile::Compiler;
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
    /// Who compiles what is not in the cache. **By default this process, without a bound.**
    pub compiler: Compiler,
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
    compiler: Compiler,
    // Std mutex: held by whoever compiles, so that one component is compiled at a time; in this
    // process that takes all cores anyway.
    compiling: Mutex<()>,
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
                compiler: options.compiler,
                compiling: Mutex::default(),
                levels: Mutex::default(),
            }),
        })
    }

    /// How it is found which pages of memory a guest wrote to since its last snapshot.
    #[must_use]
    pub fn tracking(&self) -> Tracking {
        self.shared.tracking
    }

    /// Inspects, compiles and links a plugin of whomever. Slow the first time (a tenth of a second to
    /// half a minute, and no longer than [`Compiler`] allows), quick when the compiled code is in the
    /// cache. One component is compiled at a time, the others wait.
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
        self.load_by(
            &self.shared.compiler,
            name,
            bytes,
            (metering, strict),
            limits,
        )
    }

    /// The same for a plugin that is known to be harmless to compile, such as one that was shipped
    /// with the program: this process compiles it, on all cores.
    ///
    /// # Errors
    /// As [`Runtime::load`].
    pub fn load_trusted(
        &self,
        name: &str,
        bytes: &[u8],
        metering: Metering,
        strict: bool,
        limits: &Limits,
    ) -> Result<Plugin, LoadError> {
        self.load_by(
            &Compiler::InProcess,
            name,
            bytes,
            (metering, strict),
            limits,
        )
    }

    fn load_by(
        &self,
        compiler: &Compiler,
        name: &str,
        bytes: &[u8],
        (metering, strict): (Metering, bool),
        limits: &Limits,
    ) -> Result<Plugin, LoadError> {
        let load = || {
            let (inspection, instrumented) = examine(bytes, limits)?;
            check_imports(&inspection.imports)?;
            let level = self.level(metering, strict)?;
            let component = self.compiled(compiler, &level, &instrumented.bytes)?;
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

    /// The compiled form of a component, from the cache or made now and kept.
    fn compiled(
        &self,
        compiler: &Compiler,
        level: &EngineLevel,
        bytes: &[u8],
    ) -> Result<Component, LoadError> {
        let key = cache::key(&level.engine, bytes);
        let kept = || self.shared.cache.as_ref()?.component(&level.engine, &key);
        if let Some(component) = kept() {
            return Ok(component);
        }
        let _one_at_a_time = self
            .shared
            .compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whoever was before may have compiled the same.
        if let Some(component) = kept() {
            return Ok(component);
        }
        let cannot = |e: wasmtime::Error| {
            let hint = "the component is valid and cannot be compiled: please report it";
            LoadError::new(LoadProblem::Load, format!("{e:#}"), hint)
        };
        let code = match compiler {
            Compiler::InProcess => level.engine.precompile_component(bytes).map_err(cannot)?,
            Compiler::Child(child) => child.compile(level.metering, level.strict, bytes)?,
        };
        if let Some(cache) = &self.shared.cache {
            cache.keep(&key, &code);
        }
        cache::runnable(&level.engine, &code).map_err(cannot)
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
