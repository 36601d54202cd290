//! Which files for other tools a run writes.

/// Which derived files are written for each trial, beside `params.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// `params.json` and `result.json`.
    pub json: bool,
    /// `progress.csv`.
    pub csv: bool,
    /// `events.out.tfevents.*`.
    pub tensorboard: bool,
}

impl Outputs {
    /// Everything: the default of an experiment.
    pub const ALL: Self = Self {
        json: true,
        csv: true,
        tensorboard: true,
    };

    /// Nothing.
    pub const NONE: Self = Self {
        json: false,
        csv: false,
        tensorboard: false,
    };

    /// From the words of an experiment file: "json", "csv", "tensorboard".
    ///
    /// # Errors
    /// The first word that is none of these.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut outputs = Self::NONE;
        for word in words {
            match word {
                "json" => outputs.json = true,
                "csv" => outputs.csv = true,
                "tensorboard" => outputs.tensorboard = true,
                other => return Err(other),
            }
        }
        Ok(outputs)
    }

    /// Nothing is written at all.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}
