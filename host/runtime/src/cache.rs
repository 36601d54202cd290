//! Compiled code, kept between runs: compiling takes from a tenth of a second to half a minute.
//!
//! Loading compiled code runs whatever it says, so the cache is a folder of this user alone, and
//! what is read from it is compared with the hash that was stored with it. The cache never makes a
//! load fail: what is missing or damaged is compiled again.

#![expect(
    unsafe_code,
    reason = "loading compiled code has no safe interface; named in ARCHITECTURE.md"
)]

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tune_core::hex;
use tune_snapshot::INSTRUMENTATION_VERSION;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of the hash in front of the code.
const HASH_BYTES: usize = 32;

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
}

impl CodeCache {
    /// Opens the folder, or makes it for this user alone.
    ///
    /// # Errors
    /// If it cannot be made or others could write into it.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let cache = Self {
            folder: folder.to_owned(),
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let found = fs::metadata(folder)?;
        let ours = cache.write_new("probe", &[]).and_then(|path| {
            let uid = fs::metadata(&path)?.uid();
            fs::remove_file(&path)?;
            Ok(uid)
        })?;
        if found.uid() != ours || found.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it holds code that will be run and must be closed to others: `chmod 700` it",
            ));
        }
        Ok(cache)
    }

    /// The compiled form of these bytes, from the cache or compiled now and kept.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let path = self.folder.join(format!("{}.code", key(engine, bytes)));
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        let component = Component::from_binary(engine, bytes)?;
        // A full disk costs the next run the time to compile, nothing more.
        if let Ok(code) = component.serialize() {
            let hash = blake3::hash(&code);
            let kept = self
                .write_new("new", &[hash.as_bytes(), &code])
                .and_then(|new| {
                    fs::rename(&new, &path).inspect_err(|_| drop(fs::remove_file(&new)))
                });
            drop(kept);
        }
        Ok(component)
    }

    /// Writes a file under a name that nobody else uses.
    fn write_new(&self, name: &str, parts: &[&[u8]]) -> io::Result<PathBuf> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self
            .folder
            .join(format!(".{name}-{}-{count}", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        for part in parts {
            if let Err(error) = file.write_all(part) {
                drop(fs::remove_file(&path));
                return Err(error);
            }
        }
        Ok(path)
    }
}

/// Everything that the compiled code follows from.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Blake(blake3::Hasher::new());
    INSTRUMENTATION_VERSION.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(blake3::hash(bytes).as_bytes());
    hex(hasher.0.finalize().as_bytes())
}

fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::read(path).ok()?;
    let (hash, code) = file.split_at_checked(HASH_BYTES)?;
    if blake3::hash(code).as_bytes() != hash {
        return None;
    }
    // SAFETY: `code` is what `Component::serialize` returned to this program: it lies in a folder
    // that only this user can write to (checked when it was opened), is unchanged since (its hash),
    // and was made by an equal engine (its name). Held by the test
    // `damaged_code_is_not_run_but_compiled_again`.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn cached_file(folder: &Path) -> PathBuf {
        let files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }

    #[test]
    fn damaged_code_is_not_run_but_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(&folder.path().join("code")).unwrap();
        let engine = Engine::default();
        let bytes = wat::parse_str("(component)").unwrap();
        cache.component(&engine, &bytes).unwrap();
        let path = cached_file(&cache.folder);
        assert!(load(&engine, &path).is_some());

        let good = fs::read(&path).unwrap();
        for at in [0, HASH_BYTES, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(load(&engine, &path).is_none());
        }
        fs::write(&path, &good[..10]).unwrap();
        assert!(load(&engine, &path).is_none());
        cache.component(&engine, &bytes).unwrap();
        assert_eq!(fs::read(cached_file(&cache.folder)).unwrap(), good);
    }

    #[test]
    fn other_engines_and_other_bytes_have_other_keys() {
        let fuel = Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        let plain = Engine::default();
        let keys = [key(&plain, b"a"), key(&plain, b"b"), key(&fuel, b"a")];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), 3);
        assert_eq!(key(&Engine::default(), b"a"), keys[0]);
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let error = CodeCache::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        CodeCache::open(folder.path()).unwrap();
    }
}
