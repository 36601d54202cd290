//! The `artifact` interface: result files of a trial, staged in memory until their step is handed
//! over. A step that is discarded or repeated leaves no trace.

use std::collections::BTreeMap;

use tune_core::Limits;

use crate::bindings::artifact::{ArtifactError, Host};
use crate::fault::Denied;
use crate::store::StoreData;

/// Bytes of a name, as the contract says.
const MAX_NAME_BYTES: usize = 128;

/// What a step did to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedArtifact {
    /// A plain file name: letters, digits, `.`, `_` and `-`, not starting with a dot.
    pub name: String,
    /// What was written.
    pub bytes: Vec<u8>,
    /// The bytes go behind what earlier steps wrote; else they replace it.
    pub append: bool,
}

/// The artifacts of one trial.
#[derive(Debug)]
pub(crate) struct Artifacts {
    granted: bool,
    staged: Vec<StagedArtifact>,
    /// Size of every file, staged bytes included.
    sizes: BTreeMap<String, u64>,
    /// Their sum.
    used: u64,
    /// The most bytes and files there were or should have been since the present step began.
    most: (u64, usize),
    /// Something was refused in the present step.
    refused: bool,
    max_bytes: u64,
    max_count: usize,
}

impl Artifacts {
    pub(crate) fn new(granted: bool, limits: &Limits) -> Self {
        Self {
            granted,
            staged: Vec::new(),
            sizes: BTreeMap::new(),
            used: 0,
            most: (0, 0),
            refused: false,
            max_bytes: limits.artifact_bytes,
            max_count: limits.artifact_count as usize,
        }
    }

    /// All of them, for another instance of the same trial.
    pub(crate) fn take_all(&mut self) -> Self {
        let nothing = Self {
            staged: Vec::new(),
            sizes: BTreeMap::new(),
            used: 0,
            ..*self
        };
        std::mem::replace(self, nothing)
    }

    /// Size of every file: what of them belongs to the state of the trial.
    pub(crate) fn sizes(&self) -> &BTreeMap<String, u64> {
        &self.sizes
    }

    /// Goes on with files of these sizes and nothing staged.
    pub(crate) fn restore(&mut self, sizes: BTreeMap<String, u64>) {
        self.staged.clear();
        self.used = sizes.values().sum();
        self.sizes = sizes;
    }

    /// The most bytes and files there were, or should have been, since the present step began.
    pub(crate) fn most(&self) -> (u64, usize) {
        self.most
    }

    /// A step begins: what is there now is the most so far.
    pub(crate) fn begin(&mut self) {
        self.most = (self.used, self.sizes.len());
        self.refused = false;
    }

    /// Which limit the first refusal of a step was about: the contract's error has no room for it.
    fn first_refusal(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.refused, true) {
            return None;
        }
        let ((bytes, files), max) = (self.most, (self.max_bytes, self.max_count));
        Some(if files > max.1 {
            format!(
                "{files} artifacts wanted, {} allowed (artifact_count)",
                max.1
            )
        } else {
            format!(
                "{bytes} bytes of artifacts wanted, {} allowed (artifact_bytes)",
                max.0
            )
        })
    }

    /// What was staged since the last take.
    pub(crate) fn take(&mut self) -> Vec<StagedArtifact> {
        std::mem::take(&mut self.staged)
    }

    fn stage(&mut self, name: String, bytes: Vec<u8>, append: bool) -> Result<(), ArtifactError> {
        if !is_file_name(&name) {
            return Err(ArtifactError::BadName(name));
        }
        let old = self.sizes.get(&name).copied();
        let freed = if append { 0 } else { old.unwrap_or(0) };
        let others = self.used.saturating_sub(freed);
        let used = others.saturating_add(bytes.len() as u64);
        let files = self.sizes.len() + usize::from(old.is_none());
        self.most = (self.most.0.max(used), self.most.1.max(files));
        if files > self.max_count {
            // However many bytes are left, none can go into another file.
            return Err(ArtifactError::OverLimit(0));
        }
        if used > self.max_bytes {
            return Err(ArtifactError::OverLimit(
                self.max_bytes.saturating_sub(others),
            ));
        }
        self.used = used;
        let before = if append { old.unwrap_or(0) } else { 0 };
        self.sizes.insert(name.clone(), before + bytes.len() as u64);
        match self.staged.iter_mut().find(|s| s.name == name) {
            Some(staged) if append => staged.bytes.extend_from_slice(&bytes),
            Some(staged) => {
                staged.bytes = bytes;
                staged.append = false;
            }
            None => self.staged.push(StagedArtifact {
                name,
                bytes,
                append,
            }),
        }
        Ok(())
    }
}

/// Checks sizes that were read from a file.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check_sizes(sizes: &BTreeMap<String, u64>, limits: &Limits) -> Result<(), String> {
    if let Some(name) = sizes.keys().find(|name| !is_file_name(name)) {
        return Err(format!(
            "`{}` is no name of an artifact",
            name.escape_debug()
        ));
    }
    let bytes = sizes
        .values()
        .try_fold(0_u64, |sum, size| sum.checked_add(*size));
    if sizes.len() > limits.artifact_count as usize
        || bytes.is_none_or(|bytes| bytes > limits.artifact_bytes)
    {
        return Err(format!(
            "its {} artifacts are over the limits of {} files and {} bytes",
            sizes.len(),
            limits.artifact_count,
            limits.artifact_bytes
        ));
    }
    Ok(())
}

fn is_file_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl StoreData {
    fn stage(
        &mut self,
        name: String,
        bytes: Vec<u8>,
        append: bool,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        if !self.artifacts.granted {
            return Err(Denied("artifact").into());
        }
        self.charge(bytes.len() as u64);
        let answer = self.artifacts.stage(name, bytes, append);
        if matches!(answer, Err(ArtifactError::OverLimit(_)))
            && let Some(note) = self.artifacts.first_refusal()
        {
            self.log.lock().note(&note);
        }
        Ok(answer)
    }
}

impl Host for StoreData {
    fn write(
        &mut self,
        name: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.stage(name, bytes, false)
    }

    fn append(
        &mut self,
        name: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.stage(name, bytes, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts() -> Artifacts {
        Artifacts::new(
            true,
            &Limits {
                artifact_bytes: 10,
                artifact_count: 2,
                ..Limits::default()
            },
        )
    }

    #[test]
    fn writes_of_a_step_are_joined_by_file() {
        let mut artifacts = artifacts();
        artifacts.stage("m".into(), vec![1, 2], true).unwrap();
        artifacts.stage("m".into(), vec![3], true).unwrap();
        artifacts.stage("n".into(), vec![4], false).unwrap();
        artifacts.stage("n".into(), vec![5], true).unwrap();
        let staged: Vec<_> = artifacts
            .take()
            .into_iter()
            .map(|s| (s.name, s.bytes, s.append))
            .collect();
        let expected = [
            ("m".to_owned(), vec![1, 2, 3], true),
            ("n".to_owned(), vec![4, 5], false),
        ];
        assert_eq!(staged, expected);
        assert!(artifacts.take().is_empty());
    }

    #[test]
    fn the_limits_hold_over_all_steps_of_a_trial() {
        let mut artifacts = artifacts();
        artifacts.stage("m".into(), vec![0; 6], false).unwrap();
        drop(artifacts.take());
        let left = artifacts.stage("n".into(), vec![0; 5], false).unwrap_err();
        assert!(matches!(left, ArtifactError::OverLimit(4)));
        artifacts.stage("m".into(), vec![0; 10], false).unwrap();
        artifacts.stage("n".into(), vec![], false).unwrap();
        // Files, not bytes, are what is short now.
        artifacts.stage("m".into(), vec![], false).unwrap();
        let left = artifacts.stage("o".into(), vec![], false).unwrap_err();
        assert!(matches!(left, ArtifactError::OverLimit(0)));
        assert_eq!(artifacts.most(), (11, 3), "what was wanted in vain");
        let note = artifacts.first_refusal().unwrap();
        assert!(note.contains("3 artifacts wanted, 2 allowed"), "{note}");
        assert_eq!(artifacts.first_refusal(), None, "said once a step");
        artifacts.begin();
        assert_eq!(artifacts.most(), (0, 2));
    }

    #[test]
    fn a_name_cannot_be_a_path() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            ".hidden",
            "a\\b",
            "é",
            "a\0",
            &"x".repeat(129),
        ] {
            let refused = artifacts().stage(name.into(), vec![], false).unwrap_err();
            assert!(matches!(refused, ArtifactError::BadName(n) if n == name));
        }
        assert!(
            artifacts()
                .stage("model_v-1.bin".into(), vec![], false)
                .is_ok()
        );
    }
}
