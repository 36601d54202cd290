//! The directory of runs: finding a run by its name or path, and choosing the place of a new one.

use std::path::{Path, PathBuf};

use tune_store::{Header, Journal, RunDir, StoreError, list_runs};

use crate::failure::Failure;

/// More numbered runs of one name are a mistake, and each costs a look at the disk.
const MAX_NUMBER: u32 = 100_000;
/// Longest name of a run.
const MAX_NAME: usize = 100;
/// Names that are offered instead of an unknown one.
const MAX_NEAR: usize = 3;

/// The directory of a run that should be there.
pub(crate) fn find(runs: &Path, wanted: &str) -> Result<PathBuf, Failure> {
    let as_name = runs.join(wanted);
    let is_name = !wanted.is_empty() && !wanted.contains(['/', '\\']) && wanted != "..";
    if is_name && as_name.is_dir() {
        return Ok(as_name);
    }
    let as_path = Path::new(wanted);
    if as_path.is_dir() {
        return Ok(as_path.to_owned());
    }
    let (known, _) = list_runs(runs)?;
    let names: Vec<&str> = known.iter().map(|run| run.name.as_str()).collect();
    let near = near(wanted, names.iter().copied());
    let hint = if !near.is_empty() {
        format!("did you mean {}?", near.join(" or "))
    } else if names.is_empty() {
        format!(
            "there are no runs in {}; --runs names another directory",
            runs.display()
        )
    } else {
        "`tune-host runs` lists the runs".to_owned()
    };
    Err(Failure::usage(format!(
        "there is no run `{wanted}`\n  hint: {hint}"
    )))
}

/// The names that were probably meant, the nearest first.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    // The distance costs the product of the lengths; nobody misspells a longer word.
    const MAX_WORD: usize = 64;
    if wanted.len() > MAX_WORD {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    let mut found: Vec<(usize, &str)> = names
        .filter(|name| name.len() <= MAX_WORD)
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::osa_distance(&wanted, &lower);
            let begins =
                wanted.len() >= 2 && (lower.starts_with(&wanted) || wanted.starts_with(&lower));
            (begins || distance <= (name.chars().count() / 3).max(1)).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.truncate(MAX_NEAR);
    found.into_iter().map(|(_, name)| name).collect()
}

/// A new run: under exactly this name, or under the experiment's with the first free number.
pub(crate) fn create(
    runs: &Path,
    explicit: Option<&str>,
    experiment: &str,
    header: &Header,
) -> Result<(RunDir, Journal), Failure> {
    if let Some(name) = explicit {
        check_name(name)?;
        return match RunDir::create(&runs.join(name), header) {
            Err(StoreError::Exists { path }) => {
                let free = free_name(runs, name);
                let shown = resume_command(&path);
                Err(Failure::usage(format!(
                    "{} exists already\n  hint: go on with it by `{shown}`, or use `--name {free}`",
                    path.display()
                )))
            }
            other => Ok(other?),
        };
    }
    for number in 1..=MAX_NUMBER {
        match RunDir::create(&runs.join(numbered(experiment, number)), header) {
            // Another process may take the name between a look and the creation: so no look.
            Err(StoreError::Exists { .. }) => {}
            other => return Ok(other?),
        }
    }
    Err(Failure::usage(format!(
        "{} has {MAX_NUMBER} runs of `{experiment}`\n  hint: choose another name with --name",
        runs.display()
    )))
}

fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        name.to_owned()
    } else {
        format!("{name}-{number}")
    }
}

fn free_name(runs: &Path, name: &str) -> String {
    (2..=MAX_NUMBER)
        .map(|number| numbered(name, number))
        .find(|name| !runs.join(name).exists())
        .unwrap_or_else(|| "NAME".to_owned())
}

fn check_name(name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= MAX_NAME && name.chars().all(fits) {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "`{name}` cannot name a run\n  hint: 1 to {MAX_NAME} of letters, digits, `-`, `_`, `.`, \
             beginning with a letter or digit; --runs names the directory above it"
        )))
    }
}

/// What to type to go on with a run.
pub(crate) fn resume_command(run: &Path) -> String {
    format!("tune-host resume {}", quoted(run))
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/\\-_.,:+@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.into_owned()
    } else if text.starts_with('-') {
        format!("./'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_an_experiment_are_numbered() {
        let dir = tempfile::tempdir().unwrap();
        for expected in ["digits", "digits-2", "digits-3"] {
            let (run, _) = create(dir.path(), None, "digits", &Header::default()).unwrap();
            assert_eq!(run.path(), dir.path().join(expected));
        }
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_a_free_one() {
        let dir = tempfile::tempdir().unwrap();
        let create = |name| create(dir.path(), Some(name), "digits", &Header::default());
        create("mine").unwrap();
        let message = create("mine").unwrap_err().message();
        assert!(message.contains("--name mine-2"), "{message}");
        assert!(message.contains("tune-host resume "), "{message}");
        for bad in ["", "../up", "a/b", ".hidden", "-x", "a b"] {
            assert!(create(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_is_found_by_name_and_by_path_and_a_slip_of_the_pen_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (run, _) = create(dir.path(), Some("digits"), "", &Header::default()).unwrap();
        assert_eq!(find(dir.path(), "digits").unwrap(), run.path());
        let path = run.path().to_str().unwrap().to_owned();
        assert_eq!(find(Path::new("nowhere"), &path).unwrap(), run.path());
        let message = find(dir.path(), "digist").unwrap_err().message();
        assert!(message.contains("did you mean digits?"), "{message}");
        let message = find(&dir.path().join("none"), "x").unwrap_err().message();
        assert!(message.contains("there are no runs in"), "{message}");
    }

    #[test]
    fn the_command_to_go_on_survives_a_shell() {
        assert_eq!(
            resume_command(Path::new("runs/digits")),
            "tune-host resume runs/digits"
        );
        assert_eq!(quoted(Path::new("my runs/it's")), r"'my runs/it'\''s'");
    }
}
