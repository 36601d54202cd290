//! What a table is and which configurations it holds: all but the curves.

use tune_space::{Config, Space};

use crate::{
    ABOUT_FILE, About, Match, NoRow, TableError,
    about::place_of,
    configurations,
    lookup::{LOOKUP, Lookup},
    sampler,
};

/// A configuration of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its id: any number, ascending from row to row.
    pub id: u32,
    /// Its active parameters.
    pub config: Config,
}

/// A table without its curves.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub(crate) about: About,
    pub(crate) space: Space,
    pub(crate) constants: Config,
    pub(crate) rows: Vec<Row>,
    lookup: Lookup,
}

impl Catalogue {
    /// Reads `table.json` and `configurations.csv`.
    ///
    /// # Errors
    /// What is wrong first, and where.
    pub fn parse(about: &[u8], configurations: &[u8]) -> Result<Self, TableError> {
        let file = about;
        let about = About::parse(file)?;
        let (space, constants) = sampler::read(file, &about.space)?;
        for parameter in space.parameters() {
            if let Some(reason) = configurations::unwritable(parameter) {
                let place = place_of(file, &["space", &parameter.name]);
                let hint = "give its values texts that differ";
                return Err(TableError::new(ABOUT_FILE, place, reason, hint));
            }
        }
        let (rows, lookup) = configurations::read(configurations, &space)?;
        Ok(Self {
            about: about.with_shared_names(),
            space,
            constants,
            rows,
            lookup,
        })
    }

    /// What the table is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The space of the configurations.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// What was the same in all configurations.
    #[must_use]
    pub fn constants(&self) -> &Config {
        &self.constants
    }

    /// All configurations, by id.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The index of the row that stands for a whole configuration, constants included. A constant
    /// `lookup`, `"nearest"` or `"exact"`, goes before `how`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find(&self, config: &Config, how: Match) -> Result<usize, NoRow> {
        if self.space.check(config).is_ok() {
            return self.lookup.find(&self.space, config, how);
        }
        let mut how = how;
        let mut others = Vec::new();
        for (name, value) in config.iter() {
            if self.space.get(name).is_some() {
                continue;
            }
            others.push(name);
            if let Some(recorded) = self.constants.get(name) {
                if recorded != value {
                    return Err(NoRow::Constant {
                        name: name.to_owned(),
                        recorded: recorded.clone(),
                        given: value.clone(),
                    });
                }
            } else if name == LOOKUP {
                how = match value.to_string().as_str() {
                    "exact" => Match::Exact,
                    "nearest" => Match::Nearest,
                    _ => {
                        return Err(NoRow::How(value.clone()));
                    }
                };
            } else {
                let names = self.space.parameters().iter().map(|p| p.name.as_str());
                return Err(NoRow::Unknown {
                    name: name.to_owned(),
                    known: names.collect::<Vec<_>>().join(", "),
                });
            }
        }
        let mut picked = config.clone();
        for name in others {
            picked.remove(name);
        }
        self.lookup.find(&self.space, &picked, how)
    }

    pub(crate) fn from_parts(
        about: About,
        space: Space,
        constants: Config,
        rows: Vec<Row>,
    ) -> Self {
        let mut lookup = Lookup::default();
        for (index, row) in rows.iter().enumerate() {
            lookup.add(&space, index, &row.config);
        }
        Self {
            about: about.with_shared_names(),
            space,
            constants,
            rows,
            lookup,
        }
    }
}
