//! Experiment files: a small valid one, and changes to it.

use crate::lab::workspace;

/// An experiment file in parts. As it begins it is valid and small.
#[derive(Clone)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    trainable: String,
    /// Lines before the tables.
    top: Vec<String>,
    /// Lines of `[space]`.
    space: Vec<String>,
    /// `[searcher]`, `[limits]` and so on.
    tables: Vec<String>,
}

impl Experiment {
    /// A plugin that reports `loss`, with one parameter and four trials, drawn at random.
    pub(crate) fn of(trainable: &str) -> Self {
        Self {
            name: "exp".to_owned(),
            trainable: trainable.to_owned(),
            top: Vec::new(),
            space: Vec::new(),
            tables: Vec::new(),
        }
        .top("metric = \"loss\"\nmode = \"min\"\nseed = 7")
    }

    /// Branin's function: one step a trial, no training.
    pub(crate) fn branin(trials: u32) -> Self {
        Self {
            top: Vec::new(),
            ..Self::of("functions")
        }
        .named("branin")
        .top("metric = \"value\"\nmode = \"min\"\nseed = 7")
        .trials(trials)
        .space("x0 = { uniform = [-5.0, 10.0] }\nx1 = { uniform = [0.0, 15.0] }")
        .table("[searcher]\nplugin = \"random\"")
    }

    /// A small network that learns digits, under tpe and asha: some seconds.
    pub(crate) fn digits(trials: u32) -> Self {
        let data = workspace().join("data/digits");
        Self {
            top: Vec::new(),
            ..Self::of("digits-mlp")
        }
        .named("digits")
        .top("metric = \"accuracy\"\nmode = \"max\"\nseed = 7\nmax_t = 9\nslots = 4")
        .trials(trials)
        .space("lr = { loguniform = [1e-3, 1.0] }\nhidden = { choice = [8, 16] }")
        .space("optimizer = { choice = [\"sgd\", \"adam\"] }")
        .space("momentum = { uniform = [0.0, 0.99], when = { optimizer = [\"sgd\"] } }\nbatch = 64")
        .table("[searcher]\nplugin = \"tpe\"")
        .table("[scheduler]\nplugin = \"asha\"\ngrace_period = 1\nreduction_factor = 3")
        .table(&format!(
            "[[data]]\nname = \"digits\"\npath = {:?}",
            data.to_str().unwrap()
        ))
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub(crate) fn trials(self, trials: u32) -> Self {
        self.top(&format!("trials = {trials}"))
    }

    pub(crate) fn trainable(mut self, trainable: &str) -> Self {
        trainable.clone_into(&mut self.trainable);
        self
    }

    /// Without the parameters so far.
    pub(crate) fn no_space(mut self) -> Self {
        self.space.clear();
        self
    }

    /// Lines of the top level; a key that is there already is replaced.
    pub(crate) fn top(mut self, lines: &str) -> Self {
        for line in lines.lines() {
            let key = |line: &str| line.split('=').next().unwrap().trim().to_owned();
            self.top.retain(|other| key(other) != key(line));
            self.top.push(line.to_owned());
        }
        self
    }

    /// Lines of `[space]`.
    pub(crate) fn space(mut self, lines: &str) -> Self {
        self.space.push(lines.to_owned());
        self
    }

    /// A table; one of the same name that is there already is replaced.
    pub(crate) fn table(mut self, table: &str) -> Self {
        let head = |table: &str| table.lines().next().unwrap().to_owned();
        self.tables.retain(|other| head(other) != head(table));
        self.tables.push(table.to_owned());
        self
    }

    pub(crate) fn to_toml(&self) -> String {
        let mut top = self.top.join("\n");
        if !top.contains("trials = ") {
            top.push_str("\ntrials = 4");
        }
        let mut space = self.space.join("\n");
        if !space.contains('{') {
            space.push_str("\nx = { uniform = [0.0, 1.0] }");
        }
        let mut tables = self.tables.join("\n\n");
        if !tables.contains("[searcher]") {
            tables.push_str("\n\n[searcher]\nplugin = \"random\"");
        }
        format!(
            "version = 1\nname = {:?}\ntrainable = {:?}\n{top}\n\n[space]\n{space}\n\n{tables}\n",
            self.name, self.trainable
        )
    }
}
