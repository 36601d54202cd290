//! One run of one searcher on one problem, through `ask-tell`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tune_protocol::{AskTell, Protocol, config_from_json, space_to_json};
use tune_study::Problem;

use crate::conversation::{Part, Parts};

/// What holds for all runs.
pub(super) struct Terms {
    pub(super) trials: u32,
    /// Trials after which the best regret is kept, ascending.
    pub(super) marks: Vec<u32>,
    /// Time that a searcher may take in one run.
    pub(super) limit: Duration,
}

/// What came out of one run; the form of results of other programs too.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Cell {
    pub(super) searcher: String,
    pub(super) problem: String,
    pub(super) seed: u32,
    /// Trials that were asked for before any of them was told.
    pub(super) batch: u32,
    /// The least regret after so many trials.
    pub(super) regret: BTreeMap<u32, f64>,
    /// What the searcher took.
    pub(super) seconds: f64,
    /// It took longer than it may.
    #[serde(default)]
    pub(super) over: bool,
    /// Why it could not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A searcher that is asked and told, and how long that took.
struct Talk {
    protocol: AskTell,
    spent: Duration,
}

impl Talk {
    fn say(&mut self, request: &Value) -> Result<Value, String> {
        let line = request.to_string();
        let began = Instant::now();
        let reply = self.protocol.reply(line.as_bytes());
        self.spent += began.elapsed();
        let reply: Value = serde_json::from_str(&reply.text).map_err(|error| error.to_string())?;
        match reply.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(reply),
        }
    }
}

/// A run.
pub(super) fn run(
    (name, part): (&str, &Part),
    problem: &Problem,
    seed: u32,
    batch: u32,
    terms: &Terms,
) -> Cell {
    let parts = Parts {
        searcher: Some(part.clone()),
        scheduler: None,
        logs: false,
    };
    let mut talk = Talk {
        protocol: AskTell::new(parts.launch(), false),
        spent: Duration::ZERO,
    };
    let mut cell = Cell {
        searcher: name.to_owned(),
        problem: problem.name().to_owned(),
        seed,
        batch,
        regret: BTreeMap::new(),
        seconds: 0.0,
        over: false,
        error: None,
    };
    cell.error = search(&mut talk, &mut cell, problem, terms).err();
    cell.seconds = (talk.spent.as_secs_f64() * 1e3).round() / 1e3;
    cell
}

fn search(
    talk: &mut Talk,
    cell: &mut Cell,
    problem: &Problem,
    terms: &Terms,
) -> Result<(), String> {
    talk.say(&json!({
        "cmd": "start", "direction": "minimize", "seed": cell.seed, "budget": terms.trials,
        "slots": cell.batch, "space": space_to_json(problem.space()),
    }))?;
    let mut best = f64::INFINITY;
    let mut done = 0;
    while done < terms.trials {
        if talk.spent > terms.limit {
            cell.over = true;
            return Ok(());
        }
        let mut asked = Vec::new();
        for id in done..terms.trials.min(done.saturating_add(cell.batch)) {
            let reply = talk.say(&json!({"cmd": "ask", "id": id}))?;
            match reply.get("params") {
                Some(params) => asked.push((id, params.clone())),
                // It wants a result first, or has nothing more.
                None => break,
            }
        }
        if asked.is_empty() {
            break;
        }
        for (id, params) in asked {
            let config =
                config_from_json(problem.space(), &params).map_err(|trouble| match trouble {
                    tune_protocol::Trouble::Bad(text) | tune_protocol::Trouble::Over(text) => text,
                })?;
            let evaluation = problem.evaluate(&config, u64::from(cell.seed), u64::from(done));
            let evaluation = evaluation.map_err(|failure| failure.message().to_owned())?;
            best = best.min(evaluation.regret);
            done += 1;
            if terms.marks.contains(&done) {
                cell.regret.insert(done, rounded(best));
            }
            talk.say(&json!({"cmd": "tell", "id": id, "value": evaluation.value}))?;
        }
    }
    // A searcher that has tried everything stays where it is.
    for mark in terms
        .marks
        .iter()
        .filter(|mark| **mark > done && best.is_finite())
    {
        cell.regret.insert(*mark, rounded(best));
    }
    Ok(())
}

/// Four digits: as many as results of other programs are kept with.
fn rounded(regret: f64) -> f64 {
    format!("{regret:.3e}").parse().unwrap_or(regret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regrets_are_kept_with_four_digits() {
        assert_eq!(rounded(1.234_56e-7), 1.235e-7);
        assert_eq!(rounded(1e-8), 1e-8);
        assert_eq!(rounded(123_456.0), 123_500.0);
    }
}
