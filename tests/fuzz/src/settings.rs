//! How long to fuzz and from which seed: from the environment, so that the short run of the tests
//! and a long one are the same code.

use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What all inputs follow from. `TUNE_FUZZ_SEED`; 1 by default.
    pub seed: u64,
    /// Inputs of every target, instead of the target's own number. `TUNE_FUZZ_ITERATIONS`.
    pub iterations: Option<u64>,
    /// Go on until so much time is over, whatever the number of inputs. `TUNE_FUZZ_SECONDS`.
    pub time: Option<Duration>,
    /// Write every input to a file before it is tried: for crashes that end the process.
    /// `TUNE_FUZZ_KEEP`, any value.
    pub keep: bool,
}

impl Settings {
    /// From the environment.
    ///
    /// # Errors
    /// A variable that is no number.
    pub fn from_env() -> Result<Self, String> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| match get(name) {
            None => Ok(None),
            Some(text) => (text.parse::<u64>().map(Some))
                .map_err(|e| format!("{name} is `{text}`: {e}; give a number")),
        };
        Ok(Self {
            seed: number("TUNE_FUZZ_SEED")?.unwrap_or(1),
            iterations: number("TUNE_FUZZ_ITERATIONS")?,
            time: number("TUNE_FUZZ_SECONDS")?.map(Duration::from_secs),
            keep: get("TUNE_FUZZ_KEEP").is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_and_nonsense_is_refused() {
        let with = |name: &'static str, value: &'static str| {
            Settings::read(move |n| (n == name).then(|| value.to_owned()))
        };
        assert_eq!(with("", "").unwrap().seed, 1);
        assert_eq!(with("TUNE_FUZZ_SEED", "9").unwrap().seed, 9);
        let iterations = with("TUNE_FUZZ_ITERATIONS", "70").unwrap().iterations;
        assert_eq!(iterations, Some(70));
        let error = with("TUNE_FUZZ_SECONDS", "long").unwrap_err();
        assert!(error.contains("TUNE_FUZZ_SECONDS"), "{error}");
    }
}
