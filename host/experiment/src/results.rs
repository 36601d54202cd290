//! Results from elsewhere: a CSV file with a header of dotted parameter names and metrics, and a line
//! a result. A file that cannot be such one is an error; a line that cannot is handed on with the
//! reason, so that the rest of the file is used.

use tune_space::{Config, Ending, FailureKind, Report};
use tune_table::{Line, Lines};

use crate::{Fitting, Misfit};

/// Results in a file at most: ten times as many as are told.
const MAX_ROWS: usize = 100_000;
/// The optional column that says how a trial ended.
const STATUS: &str = "status";
/// How a trial ended, in our words, Optuna's and Ray Tune's.
const ENDINGS: [(&str, Ending); 10] = [
    ("", Ending::Finished),
    ("finished", Ending::Finished),
    ("complete", Ending::Finished),
    ("completed", Ending::Finished),
    ("terminated", Ending::Finished),
    ("stopped", Ending::Stopped),
    ("pruned", Ending::Stopped),
    ("failed", Ending::Failed(FailureKind::Reported)),
    ("fail", Ending::Failed(FailureKind::Reported)),
    ("error", Ending::Failed(FailureKind::Reported)),
];

/// What a file holds.
#[derive(Debug)]
pub struct Results {
    /// A line each, in their order.
    pub results: Vec<Recorded>,
    /// Columns that are nothing of the plan.
    pub ignored: Vec<String>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    Value(String),
    Metric(String),
    Status,
    Ignored,
}

/// A result as its source tells it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Where it stands in its source: `trial 3`, `line 7`.
    pub place: String,
    /// The whole configuration, or why it cannot be read.
    pub config: Result<Config, Misfit>,
    /// Its last report, if it has one.
    pub last: Option<Report>,
    /// How it ended.
    pub ending: Ending,
}

impl Results {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// In words, what is wrong with the file as a whole.
    pub fn parse(bytes: &[u8], fitting: &Fitting<'_>) -> Result<Self, String> {
        parse(bytes, fitting)
    }
}

fn parse(bytes: &[u8], fitting: &Fitting<'_>) -> Result<Results, String> {
    let mut lines = Lines::new("results", bytes);
    let words = |error: tune_table::TableError| {
        format!(
            "line {}: {}\n  hint: {}",
            error.line, error.message, error.hint
        )
    };
    let Some(header) = lines.next_line() else {
        return Err("it is empty\n  hint: the first line names parameters and metrics".to_owned());
    };
    let header = header.and_then(|line| line.cells()).map_err(words)?;
    let names: Vec<&str> = header.iter().map(|cell| cell.text.trim()).collect();
    let columns = columns(&names, fitting)?;
    let mut results = Vec::new();
    while let Some(line) = lines.next_line() {
        if results.len() == MAX_ROWS {
            return Err(format!(
                "it has more than {MAX_ROWS} results\n  hint: leave out all but the newest"
            ));
        }
        // Without its line the rest of the file still has its own.
        results.push(match line {
            Ok(line) => row(&line, &columns, fitting),
            Err(error) => unusable(error.line, &error.message),
        });
    }
    let ignored = names.iter().zip(&columns);
    let ignored = ignored.filter(|(_, column)| **column == Column::Ignored);
    Ok(Results {
        results,
        ignored: ignored.map(|(name, _)| format!("`{name}`")).collect(),
    })
}

fn columns(names: &[&str], fitting: &Fitting<'_>) -> Result<Vec<Column>, String> {
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other == name) {
            return Err(format!(
                "line 1: the column `{name}` stands there twice\n  hint: remove one"
            ));
        }
    }
    let column = |name: &&str| match *name {
        name if fitting.is_value(name) => Column::Value(name.to_owned()),
        name if fitting.is_metric(name) => Column::Metric(name.to_owned()),
        STATUS => Column::Status,
        _ => Column::Ignored,
    };
    let columns: Vec<Column> = names.iter().map(column).collect();
    let lacking = fitting
        .objectives()
        .find(|metric| !columns.contains(&Column::Metric((*metric).to_owned())));
    if let Some(metric) = lacking {
        return Err(format!(
            "line 1: no column is named `{metric}`, which is to be improved\n  hint: the first line \
             names parameters, in full with dots, and metrics"
        ));
    }
    Ok(columns)
}

fn unusable(line: u64, why: &str) -> Recorded {
    Recorded {
        place: format!("line {line}"),
        config: Err(Misfit {
            name: String::new(),
            why: why.to_owned(),
        }),
        last: None,
        ending: Ending::Finished,
    }
}

fn row(line: &Line<'_>, columns: &[Column], fitting: &Fitting<'_>) -> Recorded {
    let number = line.number();
    let cells = match line.row(columns.len()) {
        Ok(cells) => cells,
        Err(error) => return unusable(number, &error.message),
    };
    let mut config = Config::new();
    let mut report = Report::default();
    let mut ending = Ending::Finished;
    for (column, cell) in columns.iter().zip(&cells) {
        let text = cell.text.trim();
        match column {
            // An inactive parameter.
            Column::Value(_) | Column::Metric(_) if text.is_empty() => {}
            Column::Value(name) => match fitting.value(name, text) {
                Ok(value) => {
                    config.insert(name.as_str(), value);
                }
                Err(misfit) => return unusable(number, &misfit.why),
            },
            // "nan" and "inf" are numbers too: the worst there are.
            Column::Metric(name) => match text.parse::<f64>() {
                Ok(value) => report = report.with(name.as_str(), value),
                Err(_) => {
                    return unusable(number, &format!("`{name}` is `{text}`, which is no number"));
                }
            },
            Column::Status => {
                let word = text.to_lowercase();
                let known = ENDINGS.iter().find(|(known, _)| *known == word);
                let Some((_, known)) = known else {
                    let why = format!("`{STATUS}` is `{text}`: finished, stopped or failed");
                    return unusable(number, &why);
                };
                ending = *known;
            }
            Column::Ignored => {}
        }
    }
    Recorded {
        place: format!("line {number}"),
        config: Ok(config),
        last: (!report.metrics.is_empty()).then_some(report),
        ending,
    }
}

#[cfg(test)]
mod tests {
    use tune_core::EnginePlan;
    use tune_space::Observation;

    use super::*;

    fn plan() -> EnginePlan {
        let text = "version = 1\ntrainable = \"t\"\nmetric = \"m\"\nmode = \"max\"\ntrials = 1\n\
                    [space]\nmodel.lr = { uniform = [0, 1] }\nkind = { choice = [\"a\", \"b,c\"] }\n\
                    n = { randint = [1, 9], when = { kind = [\"a\"] } }\nbatch = 32\n";
        crate::parse(text, "x.toml", 0).unwrap().engine
    }

    /// Observations and what is said of the other lines.
    fn told(text: &str) -> (Vec<Observation>, Vec<String>) {
        let plan = plan();
        let fitting = Fitting::new(&plan).unwrap();
        let read = Results::parse(text.as_bytes(), &fitting).unwrap();
        let (mut known, mut said) = (Vec::new(), Vec::new());
        for one in read.results {
            let config = one.config;
            let fits = config.and_then(|c| fitting.observation(&c, one.last.as_ref(), one.ending));
            match fits {
                Ok(observation) => known.push(observation),
                Err(misfit) => said.push(format!("{}: {}", one.place, misfit.why)),
            }
        }
        (known, said)
    }

    #[test]
    fn parameters_metrics_and_endings_are_read_by_the_header() {
        let (known, said) = told(
            "kind,seconds,model.lr,m,n,status\na,9,0.5,0.75,3,COMPLETE\n\
             \"b,c\",1,1,nan,,pruned\n\na,1,0,,1,failed\r\n",
        );
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(
            known[0].config.to_json(),
            serde_json::json!({ "kind": "a", "model": { "lr": 0.5 }, "n": 3 })
        );
        assert_eq!(known[0].last, Some(Report::default().with("m", 0.75)));
        assert_eq!(known[1].config.len(), 2);
        assert_eq!(known[1].ending, Ending::Stopped);
        assert!(known[1].last.as_ref().unwrap().get("m").unwrap().is_nan());
        assert_eq!(known[2].ending, Ending::Failed(FailureKind::Reported));
        assert_eq!(known[2].last, None);
    }

    #[test]
    fn every_line_that_cannot_be_used_is_named_with_its_reason() {
        let (known, said) = told(
            "kind,model.lr,m,n,status,batch\na,0.5,1,3,,32\na,2,1,3,,\nz,0.5,1,3,,\n\
             a,0.5,,3,,\na,0.5,x,3,,\na,0.5,1,,,\n\"b,c\",0.5,1,3,,\na,0.5,1,3,odd,\na,0.5\n\
             a,0.5,1,3,,64\na,x,1,3,,\na,\"0.5,1,3,,\na,0.5,1,3.5,,\n",
        );
        assert_eq!(known.len(), 1);
        let expected = [
            ("line 3", "`model.lr` = 2 is outside the space"),
            ("line 4", "`kind` = z is outside the space"),
            ("line 5", "no metric `m`"),
            ("line 6", "`m` is `x`, which is no number"),
            ("line 7", "`n` is missing"),
            ("line 8", "`n` is given but not active"),
            ("line 9", "`status` is `odd`"),
            ("line 10", "a row of 2 cells"),
            ("line 11", "`batch` was 64"),
            ("line 12", "`model.lr` = x is outside"),
            ("line 13", "quote"),
            ("line 14", "`n` = 3.5 is outside"),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, (place, why)) in said.iter().zip(expected) {
            assert!(said.starts_with(place) && said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_file_without_the_metric_or_with_a_column_twice_is_refused() {
        let plan = plan();
        let fitting = Fitting::new(&plan).unwrap();
        let refused = |text: &str| parse(text.as_bytes(), &fitting).unwrap_err();
        assert!(refused("").contains("it is empty"));
        assert!(refused("kind,model.lr\n").contains("no column is named `m`"));
        assert!(refused("m,m\n").contains("`m` stands there twice"));
        assert!(refused("\"m\n").contains("line 1: a quote"));
    }
}
