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
use std::time::SystemTime;

use tune_core::hex;
use tune_snapshot::INSTRUMENTATION_VERSION;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of the hash in front of the code.
const HASH_BYTES: usize = 32;

/// Bytes of all files together: some hundred plugins. `docs/experiment-file.md` names it.
const ROOM: u64 = 1 << 30;

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    /// Bytes of all files together.
    room: u64,
}

impl CodeCache {
    /// Opens the folder, or makes it for this user alone.
    ///
    /// # Errors
    /// If it cannot be made or others could write into it.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let cache = Self {
            folder: folder.to_owned(),
            room: ROOM,
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

    /// Compiled code that was kept.
    pub(crate) fn component(&self, engine: &Engine, key: &str) -> Option<Component> {
        let path = self.path(key);
        let component = load(engine, &path)?;
        // What was used last goes last. An old date costs a compilation, nothing more.
        let now = SystemTime::now();
        drop(fs::File::open(&path).and_then(|file| file.set_modified(now)));
        Some(component)
    }

    /// Keeps compiled code, in the place of what was not used for longest. A full disk costs the
    /// next run the time to compile, nothing more.
    pub(crate) fn keep(&self, key: &str, code: &[u8]) {
        let path = self.path(key);
        let hash = blake3::hash(code);
        let kept = self
            .write_new("new", &[hash.as_bytes(), code])
            .and_then(|new| fs::rename(&new, &path).inspect_err(|_| drop(fs::remove_file(&new))))
            .and_then(|()| self.trim(&path));
        drop(kept);
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.code"))
    }

    /// Deletes files, the least recently used first, until the others fit. Files that a process left
    /// behind when it was killed are among them.
    fn trim(&self, newest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        let mut total = 0_u64;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_file() {
                total = total.saturating_add(found.len());
                files.push((found.modified()?, entry.path(), found.len()));
            }
        }
        files.sort();
        for (_, path, size) in files {
            if total <= self.room {
                break;
            }
            if path != newest {
                // Another process may have been faster.
                drop(fs::remove_file(&path));
                total = total.saturating_sub(size);
            }
        }
        Ok(())
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
pub(crate) fn key(engine: &Engine, bytes: &[u8]) -> String {
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
    runnable(engine, code).ok()
}

/// A component out of code that was compiled for an equal engine by this program.
pub(crate) fn runnable(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `Engine::precompile_component` returned to this program, for an equal
    // engine: it comes from here, or from a child process of the same build through a pipe that
    // nobody else holds; or it lies in a folder that only this user can write to (checked when it
    // was opened), is unchanged since (its hash), and was made by an equal engine (its name). Held
    // by the test `damaged_code_is_not_run_but_compiled_again`.
    unsafe { Component::deserialize(engine, code) }
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

    fn cache(folder: &Path) -> CodeCache {
        CodeCache::open(&folder.join("code")).unwrap()
    }

    #[test]
    fn damaged_code_is_not_run_but_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let engine = Engine::default();
        let code = engine
            .precompile_component(&wat::parse_str("(component)").unwrap())
            .unwrap();
        cache.keep("x", &code);
        let path = cached_file(&cache.folder);
        assert!(cache.component(&engine, "x").is_some());
        assert!(cache.component(&engine, "y").is_none());

        let good = fs::read(&path).unwrap();
        for at in [0, HASH_BYTES, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(cache.component(&engine, "x").is_none());
        }
        fs::write(&path, &good[..10]).unwrap();
        assert!(cache.component(&engine, "x").is_none());
        cache.keep("x", &code);
        assert_eq!(fs::read(cached_file(&cache.folder)).unwrap(), good);
        runnable(&engine, b"nonsense").unwrap_err();
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = cache(folder.path());
        let engine = Engine::default();
        let code = engine
            .precompile_component(&wat::parse_str("(component)").unwrap())
            .unwrap();
        cache.room = 3 * (HASH_BYTES + code.len()) as u64;
        let old = SystemTime::now() - std::time::Duration::from_secs(3600);
        for (age, key) in ["a", "b", "c"].into_iter().enumerate() {
            cache.keep(key, &code);
            let when = old + std::time::Duration::from_secs(age as u64);
            let file = fs::File::open(cache.path(key)).unwrap();
            file.set_modified(when).unwrap();
        }
        assert!(cache.component(&engine, "a").is_some());
        cache.keep("d", &code);
        let there = ["a", "b", "c", "d"].map(|key| cache.component(&engine, key).is_some());
        assert_eq!(there, [true, false, true, true]);
        // The newest is kept, however large it is.
        cache.room = 1;
        cache.keep("e", &code);
        assert!(cache.component(&engine, "e").is_some());
        assert!(cache.component(&engine, "d").is_none());
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
