//! `bench problems`: the problems on which searchers are compared, for other programs: what spaces there
//! are, and what a configuration is worth. `docs/study.md` describes the protocol.

use serde_json::{Value, json};
use tune_protocol::{Protocol, Request, Trouble, config_from_json, space_to_json};
use tune_study::Problem;

use super::tables;
use crate::failure::Failure;

/// All problems.
pub(super) fn all() -> Result<Vec<Problem>, Failure> {
    tune_study::problems(tables::digits()?).map_err(|error| Failure::usage(error.to_string()))
}

/// Answers what is asked; keeps nothing between requests.
pub(super) struct Server(Vec<Problem>);

impl Server {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self(all()?))
    }

    fn list(&self, request: &Request) -> Result<Value, Trouble> {
        request.only(&[])?;
        let one = |problem: &Problem| {
            let groups: Vec<String> = problem.groups().iter().map(|g| g.name()).collect();
            json!({
                "name": problem.name(),
                "groups": groups,
                "space": space_to_json(problem.space()),
                "optimum": problem.optimum(),
                "noise": problem.noise(),
            })
        };
        Ok(json!({"problems": self.0.iter().map(one).collect::<Vec<_>>()}))
    }

    fn evaluate(&self, request: &Request) -> Result<Value, Trouble> {
        request.only(&["problem", "params", "seed", "trial"])?;
        let name = request.required("problem", "the name of a problem, see `list`")?;
        let known = |problem: &&Problem| name.as_str() == Some(problem.name());
        let problem = self.0.iter().find(known).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(Problem::name).collect();
            Trouble::Bad(format!(
                "`evaluate`: there is no such problem\n  hint: there are {}",
                names.join(", ")
            ))
        })?;
        let params = request.required("params", "an object of every active parameter")?;
        let config = config_from_json(problem.space(), params)?;
        let seed = request.whole("seed", 0)?.unwrap_or(0);
        let trial = request.whole("trial", 0)?.unwrap_or(0);
        let evaluation = problem.evaluate(&config, seed, trial);
        let evaluation = evaluation
            .map_err(|failure| Trouble::Bad(format!("`evaluate`: {}", failure.message())))?;
        Ok(json!({"value": evaluation.value, "regret": evaluation.regret}))
    }
}

impl Protocol for Server {
    const COMMANDS: &'static [&'static str] = &["list", "evaluate"];

    fn handle(&mut self, request: &Request) -> Result<Value, Trouble> {
        match request.command() {
            "list" => self.list(request),
            _ => self.evaluate(request),
        }
    }

    fn end(&mut self, _: String) {}
}
