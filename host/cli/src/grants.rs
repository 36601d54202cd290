//! What a trainable is granted: what its manifest asks for and the experiment file allows. One table
//! says it, for `run` and for `plugin inspect`.

use serde_json::{Value, json};
use tune_experiment::{Diagnostic, ExperimentPlan};
use tune_runtime::Manifest;

use crate::gpu;

/// What this version cannot give, whoever allows it.
const WORKERS: &str = "workers";

/// How much a trainable wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    No,
    /// It can do without.
    IfAllowed,
    Yes,
}

/// What comes of a wish and a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both sides say so.
    Given,
    /// The file allows it, and the manifest does not ask.
    NotAsked,
    /// It would be of use, and the trainable does without.
    DoneWithout,
    /// A run is refused: it is wanted, and the file does not allow it.
    NotAllowed,
    /// A run is refused: it is wanted, and this version has it for nobody.
    NotInThisVersion,
}

/// One grant, as both sides see it.
pub(crate) struct Line {
    /// Its name in manifests and in the file.
    pub(crate) grant: String,
    wish: Wish,
    /// What the file allows: a word, or the names of data sets and directories.
    allowed: Option<String>,
    /// What comes of the two.
    pub(crate) outcome: Outcome,
}

/// Every grant that one side names, in the order of the documentation; what is unknown comes last.
pub(crate) struct Intersection(pub(crate) Vec<Line>);

impl Intersection {
    /// Of the manifest of a trainable and a file.
    pub(crate) fn of(manifest: &Manifest, experiment: &ExperimentPlan) -> Self {
        let grants = &experiment.grants;
        let flag = |is: bool| is.then(|| "allowed".to_owned());
        let names = |sources: &[tune_experiment::DataSource]| {
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            (!names.is_empty()).then(|| format!("allowed: {}", names.join(", ")))
        };
        let known = [
            ("data", names(&experiment.data)),
            ("artifact", flag(grants.artifact)),
            ("directory", names(&experiment.directories)),
            (gpu::REQUIRED, flag(grants.gpu)),
            ("virtual-cost", flag(grants.virtual_cost)),
            (WORKERS, flag(grants.workers)),
        ];
        let asks = |grant: &str| manifest.grants.iter().any(|wish| wish == grant);
        let wish_for = |grant: &str| match grant {
            _ if asks(grant) => Wish::Yes,
            gpu::REQUIRED if asks(gpu::OPTIONAL) => Wish::IfAllowed,
            _ => Wish::No,
        };
        let mut lines: Vec<Line> = known
            .into_iter()
            .filter_map(|(grant, allowed)| {
                let wish = wish_for(grant);
                let outcome = match (wish, &allowed) {
                    (Wish::No, None) => return None,
                    (Wish::No, Some(_)) => Outcome::NotAsked,
                    (Wish::Yes, _) if grant == WORKERS => Outcome::NotInThisVersion,
                    (_, Some(_)) => Outcome::Given,
                    (Wish::IfAllowed, None) => Outcome::DoneWithout,
                    (Wish::Yes, None) => Outcome::NotAllowed,
                };
                Some(Line {
                    grant: grant.to_owned(),
                    wish,
                    allowed,
                    outcome,
                })
            })
            .collect();
        // Writing to the log needs no grant.
        let unknown = manifest.grants.iter().filter(|wish| {
            let wish = wish.as_str();
            wish != "log" && wish != gpu::OPTIONAL && lines.iter().all(|line| line.grant != wish)
        });
        let unknown: Vec<Line> = unknown
            .map(|wish| Line {
                grant: wish.clone(),
                wish: Wish::Yes,
                allowed: None,
                outcome: Outcome::NotInThisVersion,
            })
            .collect();
        lines.extend(unknown);
        Self(lines)
    }

    /// Whether both sides say so.
    pub(crate) fn gives(&self, grant: &str) -> bool {
        let mut given = self.0.iter().filter(|line| line.outcome == Outcome::Given);
        given.any(|line| line.grant == grant)
    }

    /// What the file allows and the manifest does not ask for.
    pub(crate) fn not_asked(&self) -> impl Iterator<Item = &str> {
        let lines = self.0.iter();
        let lines = lines.filter(|line| line.outcome == Outcome::NotAsked);
        lines.map(|line| line.grant.as_str())
    }

    /// Why a run is refused, pointing into the file.
    pub(crate) fn refusals(&self, name: &str, experiment: &ExperimentPlan) -> Vec<Diagnostic> {
        let refusal = |line: &Line| {
            let grant = line.grant.as_str();
            let (key, message, hint) = match (line.outcome, grant) {
                (Outcome::NotInThisVersion, WORKERS) => (
                    "trainable",
                    format!(
                        "`{name}` wants the grant `{WORKERS}`: a trial has one thread in this \
                         version"
                    ),
                    "use another trainable: no key of the file can give it".to_owned(),
                ),
                (Outcome::NotInThisVersion, _) => (
                    "trainable",
                    format!("`{name}` wants the grant `{grant}`: not in this version"),
                    "use another trainable, or another tune-host".to_owned(),
                ),
                (Outcome::NotAllowed, "directory") => (
                    "grants",
                    format!("`{name}` reads files, and the experiment grants no directory"),
                    "write [grants] and directory = \"some/dir\", if it may read all that is in it"
                        .to_owned(),
                ),
                (Outcome::NotAllowed, "data") => (
                    "trainable",
                    format!("`{name}` reads data, and the experiment grants none"),
                    "write [[data]] with the name and the path of what it may read".to_owned(),
                ),
                (Outcome::NotAllowed, _) => (
                    "grants",
                    format!("`{name}` wants the grant `{grant}`"),
                    format!("write [grants] and {grant} = true, if you trust it with that"),
                ),
                _ => return None,
            };
            Some(experiment.diagnostic(key, message, hint))
        };
        self.0.iter().filter_map(refusal).collect()
    }
}

impl Line {
    fn wanted(&self) -> &'static str {
        match self.wish {
            Wish::No => "not wanted",
            Wish::IfAllowed => "wanted if there is one",
            Wish::Yes => "wanted",
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Given => "given",
            Outcome::NotAsked | Outcome::DoneWithout => "not given",
            Outcome::NotAllowed => "a run is refused",
            Outcome::NotInThisVersion => "not in this version, a run is refused",
        };
        let allowed = self.allowed.as_deref().unwrap_or("not allowed");
        format!(
            "  {:<12} {}, {allowed}; {outcome}",
            self.grant,
            self.wanted()
        )
    }

    /// For programs: `grant`, `wanted`, `allowed`, `given`, `refused`.
    pub(crate) fn json(&self) -> Value {
        json!({
            "grant": self.grant,
            "wanted": self.wish != Wish::No,
            "allowed": self.allowed.is_some(),
            "given": self.outcome == Outcome::Given,
            "refused": matches!(self.outcome, Outcome::NotAllowed | Outcome::NotInThisVersion),
        })
    }
}
