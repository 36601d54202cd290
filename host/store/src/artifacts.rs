//! Artifacts: files that trials write. What was written becomes durable with its row; the files
//! that people see are made after the commit, and can be made again from the database at any time.
//!
//! Writes up to [`INLINE_BYTES`] stand in the database, larger ones are files under
//! `artifacts/content/`, named by their hash. People see `artifacts/000012/<name>`.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};

use crate::StoreError;
use crate::run_dir::sync_dir;
use crate::schema::Database;

pub(crate) const ARTIFACTS: &str = "artifacts";
pub(crate) const CONTENT: &str = "content";
pub(crate) const STAGING: &str = "staging";

/// Writes up to this size are cheaper inside the commit than as a file of their own with its sync.
const INLINE_BYTES: usize = 64 << 10;

/// As in the contract.
const MAX_NAME_BYTES: usize = 128;

/// One write to a file of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Whose file.
    pub trial: u32,
    /// Name of the file; see [`check_artifact_name`].
    pub name: String,
    /// What to write.
    pub bytes: Vec<u8>,
    /// Append to the file; else it is replaced.
    pub append: bool,
}

/// A file of a trial as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Whose file.
    pub trial: u32,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Sequence of the row with the last write.
    pub sequence: u64,
    /// Where it is, relative to the run directory.
    pub path: PathBuf,
}

/// Whether a name may stand in a directory: 1 to 128 characters of `a-z A-Z 0-9 . _ -`, not
/// starting with a dot.
///
/// # Errors
/// It may not.
pub fn check_artifact_name(name: &str) -> Result<(), StoreError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty()
        || name.len() > MAX_NAME_BYTES
        || name.starts_with('.')
        || !name.bytes().all(allowed)
    {
        return Err(StoreError::BadArtifactName {
            name: name.chars().take(MAX_NAME_BYTES).collect(),
        });
    }
    Ok(())
}

/// A write as the database holds it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) id: i64,
    pub(crate) sequence: u64,
    pub(crate) trial: u32,
    pub(crate) name: String,
    pub(crate) appended: bool,
    pub(crate) size: u64,
    pub(crate) hash: [u8; 32],
    /// The bytes are a content file.
    pub(crate) external: bool,
}

/// A write whose bytes are safe, on its way to the database.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) artifact: Artifact,
    pub(crate) hash: [u8; 32],
    pub(crate) external: bool,
}

/// The files that stand, from all writes: for each, the parts since it was last replaced.
pub(crate) fn current_files(parts: Vec<Part>) -> BTreeMap<(u32, String), Vec<Part>> {
    let mut files: BTreeMap<(u32, String), Vec<Part>> = BTreeMap::new();
    for part in parts {
        let file = files.entry((part.trial, part.name.clone())).or_default();
        if !part.appended {
            file.clear();
        }
        file.push(part);
    }
    files
}

pub(crate) fn describe(files: &BTreeMap<(u32, String), Vec<Part>>) -> Vec<ArtifactFile> {
    files
        .iter()
        .map(|((trial, name), parts)| ArtifactFile {
            trial: *trial,
            name: name.clone(),
            size: parts.iter().map(|p| p.size).sum(),
            sequence: parts.last().map_or(0, |p| p.sequence),
            path: Path::new(ARTIFACTS).join(trial_dir(*trial)).join(name),
        })
        .collect()
}

fn trial_dir(trial: u32) -> String {
    format!("{trial:06}")
}

fn content_name(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// The artifacts directory of a run that this process writes.
#[derive(Debug)]
pub(crate) struct Artifacts {
    root: Dir,
    content: Dir,
    staging: Dir,
    /// Files that are links to a content file, which must not be appended to.
    linked: BTreeMap<(u32, String), bool>,
}

impl Artifacts {
    /// Opens the directory, empties staging, and makes files again that are not as committed.
    pub(crate) fn open(run: &Dir, path: &Path, database: &Database) -> Result<Self, StoreError> {
        let io = |error: &_| StoreError::io(path, "opening the artifacts", error);
        let root = run.open_dir(ARTIFACTS).map_err(|e| io(&e))?;
        root.remove_dir_all(STAGING)
            .or_else(absent)
            .map_err(|e| io(&e))?;
        root.create_dir(STAGING).map_err(|e| io(&e))?;
        let mut this = Self {
            content: root.open_dir(CONTENT).map_err(|e| io(&e))?,
            staging: root.open_dir(STAGING).map_err(|e| io(&e))?,
            root,
            linked: BTreeMap::new(),
        };
        for ((trial, name), parts) in current_files(database.artifact_parts()?) {
            check_artifact_name(&name)?;
            let intact = this.is_as_committed(trial, &name, &parts).unwrap_or(false);
            let is_link = matches!(parts.as_slice(), [only] if only.external);
            this.linked.insert((trial, name.clone()), is_link);
            if !intact {
                this.rebuild(path, database, trial, &name, &parts)?;
            }
        }
        Ok(this)
    }

    /// Whether a file is what its rows say. A crash after a commit leaves the version before, which
    /// may well be of the same length: the bytes decide.
    fn is_as_committed(&self, trial: u32, name: &str, parts: &[Part]) -> io::Result<bool> {
        let mut file = self.root.open(Path::new(&trial_dir(trial)).join(name))?;
        let size: u64 = parts.iter().map(|p| p.size).sum();
        if file.metadata()?.len() != size {
            return Ok(false);
        }
        for part in parts {
            let mut hasher = blake3::Hasher::new();
            io::copy(&mut (&mut file).take(part.size), &mut hasher)?;
            if *hasher.finalize().as_bytes() != part.hash {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rebuild(
        &mut self,
        path: &Path,
        database: &Database,
        trial: u32,
        name: &str,
        parts: &[Part],
    ) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        for part in parts {
            let some = if part.external {
                self.content
                    .read(content_name(&part.hash))
                    .map_err(|e| StoreError::io(path, format!("artifact {name}"), &e))?
            } else {
                database.artifact_bytes(part.id)?
            };
            if *blake3::hash(&some).as_bytes() != part.hash {
                return Err(StoreError::damaged(
                    path,
                    format!(
                        "the bytes of artifact {name} of trial {trial} are not those that were written"
                    ),
                ));
            }
            bytes.extend(some);
        }
        self.linked.insert((trial, name.to_owned()), false);
        self.replace(trial, name, &bytes)
            .map_err(|e| StoreError::io(path, format!("artifact {name}"), &e))
    }

    /// Makes the bytes of large writes safe, before their rows commit.
    pub(crate) fn store(&self, writes: Vec<(u64, Artifact)>) -> io::Result<Vec<Stored>> {
        let mut created = false;
        let mut stored = Vec::with_capacity(writes.len());
        for (sequence, artifact) in writes {
            let hash = blake3::hash(&artifact.bytes);
            let external = artifact.bytes.len() > INLINE_BYTES;
            let name = hash.to_hex();
            if external && !self.content.try_exists(name.as_str())? {
                self.stage(name.as_str(), &artifact.bytes)?;
                self.staging
                    .rename(name.as_str(), &self.content, name.as_str())?;
                created = true;
            }
            stored.push(Stored {
                sequence,
                artifact,
                hash: *hash.as_bytes(),
                external,
            });
        }
        if created {
            sync_dir(&self.content)?;
        }
        Ok(stored)
    }

    /// Shows committed writes to people.
    pub(crate) fn publish(&mut self, stored: &[Stored]) -> io::Result<()> {
        for Stored {
            artifact,
            hash,
            external,
            ..
        } in stored
        {
            let key = (artifact.trial, artifact.name.clone());
            let (trial, name) = (artifact.trial, artifact.name.as_str());
            let known = self.linked.get(&key).copied();
            match known {
                Some(linked) if artifact.append => {
                    self.append(trial, name, &artifact.bytes, linked)?;
                    self.linked.insert(key, false);
                }
                _ if *external => {
                    self.link(trial, name, hash)?;
                    self.linked.insert(key, true);
                }
                _ => {
                    self.replace(trial, name, &artifact.bytes)?;
                    self.linked.insert(key, false);
                }
            }
        }
        Ok(())
    }

    fn stage(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.staging.create(name)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn directory(&self, trial: u32) -> io::Result<Dir> {
        let name = trial_dir(trial);
        self.root.create_dir(&name).or_else(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                Ok(())
            } else {
                Err(error)
            }
        })?;
        self.root.open_dir(&name)
    }

    fn replace(&self, trial: u32, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.stage(name, bytes)?;
        self.staging.rename(name, &self.directory(trial)?, name)
    }

    fn link(&self, trial: u32, name: &str, hash: &[u8; 32]) -> io::Result<()> {
        let content = content_name(hash);
        self.staging.remove_file(name).or_else(absent)?;
        if self
            .content
            .hard_link(&content, &self.staging, name)
            .is_err()
        {
            // A file system without links.
            self.content.copy(&content, &self.staging, name)?;
        }
        self.staging.rename(name, &self.directory(trial)?, name)?;
        // A rename over another link to the same content leaves both names.
        self.staging.remove_file(name).or_else(absent)
    }

    fn append(&self, trial: u32, name: &str, bytes: &[u8], linked: bool) -> io::Result<()> {
        let directory = self.directory(trial)?;
        if linked {
            let mut whole = directory.read(name)?;
            whole.extend_from_slice(bytes);
            return self.replace(trial, name, &whole);
        }
        let mut options = OpenOptions::new();
        options.append(true);
        let mut file = directory.open_with(name, &options)?;
        file.write_all(bytes)?;
        file.sync_data()
    }
}

/// What is to be deleted may be gone already.
fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
