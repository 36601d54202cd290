//! From the header of a run to everything that it is carried out with: the same plugins and data as
//! at its beginning, what took their place, or an error that says what has changed. Nothing is
//! written here.

use std::path::Path;

use serde_json::{Map, Value};
use tune_core::{EnginePlan, OwnLimits};
use tune_runtime::{DataSets, Directories, GpuGrant, Grants, PluginKind, Runtime};
use tune_store::Header;

use crate::catalog::Catalog;
use crate::data;
use crate::failure::Failure;
use crate::gpu;
use crate::history::{History, start_digest};
use crate::prepare::{
    Chosen, Prepared, assemble, data_role, directory_role, limits_of, reads_directories, rejected,
};
use crate::settings::Settings;

/// What to do about a plugin or data set that is not what the run began with.
pub(crate) enum Changes {
    /// Refuse it. With a command that would go on all the same, if there is one.
    Refused(Option<String>),
    /// Go on with what is there now.
    Accepted,
}

/// An old run with what was found in the place of its plugins and data.
pub(crate) struct Old {
    /// Ready to go on.
    pub(crate) prepared: Prepared,
    /// What is not as it was, for people.
    pub(crate) changed: Vec<String>,
    /// Roles and hashes of that.
    pub(crate) accepted: Vec<(String, String)>,
}

/// Looks for what an old run was made of.
struct Search<'a> {
    header: &'a Header,
    /// Of the run.
    plan: &'a EnginePlan,
    settings: &'a Settings,
    catalog: &'a Catalog,
    /// Hashes by role that took the place of the recorded ones.
    accepted: &'a Map<String, Value>,
    changes: &'a Changes,
    /// What is not as it was: role, hash, and in words.
    found: Vec<(String, String, String)>,
}

/// A run that goes on: the same plugins and data, or none, or what took their place.
pub(crate) fn old_run(
    history: &History,
    settings: &Settings,
    catalog: &Catalog,
    runtime: &Runtime,
    accepted: &Map<String, Value>,
    changes: &Changes,
) -> Result<Old, Failure> {
    let mut search = Search {
        header: &history.header,
        plan: &history.plan,
        settings,
        catalog,
        accepted,
        changes,
        found: Vec::new(),
    };
    let mut chosen = Vec::new();
    for kind in PluginKind::ALL {
        chosen.push(search.plugin(kind)?);
    }
    let (sets, mut hashes) = search.data()?;
    let directories = search.directories(&chosen, &mut hashes)?;
    let found = search.found;
    let files = settings.plugins.clone();
    let plan = history.plan.clone();
    let grants = granted(settings, directories, gpu::grant(plan.gpu, &chosen));
    let mut prepared = assemble(plan, chosen, sets, &hashes, grants, files, runtime)?;
    // The chain began with what the run began with, whatever goes on with it.
    prepared.digest = start_digest(&history.plan, &history.header.plugins)?;
    let (mut changed, mut accepted) = (Vec::new(), Vec::new());
    for (role, hash, what) in found {
        changed.push(what);
        accepted.push((role, hash));
    }
    Ok(Old {
        prepared,
        changed,
        accepted,
    })
}

/// A new run with the trainable and the data of an old one, and its searcher and scheduler too if
/// `search`, else with those that only carry one trial out.
pub(crate) fn forked(
    mut plan: EnginePlan,
    history: &History,
    settings: &Settings,
    catalog: &Catalog,
    runtime: &Runtime,
    accepted: &Map<String, Value>,
    search: bool,
) -> Result<Prepared, Failure> {
    let mut old = Search {
        header: &history.header,
        plan: &history.plan,
        settings,
        catalog,
        accepted,
        changes: &Changes::Refused(None),
        found: Vec::new(),
    };
    let mut chosen = vec![old.plugin(PluginKind::Trainable)?];
    let mut files = settings.plugins.clone();
    if search {
        chosen.push(old.plugin(PluginKind::Searcher)?);
        chosen.push(old.plugin(PluginKind::Scheduler)?);
    } else {
        files.retain(|(role, _)| role == PluginKind::Trainable.name());
        // They were chosen for other plugins.
        plan.own_limits = OwnLimits::default();
        for (kind, (name, options)) in [
            (PluginKind::Searcher, &mut plan.searcher),
            (PluginKind::Scheduler, &mut plan.scheduler),
        ] {
            let found = catalog.embedded(name, kind);
            let candidate = found.map_err(|unknown| Failure::usage(unknown.message))?;
            let inspection = candidate.inspect().map_err(|error| rejected(&error))?;
            let filled = inspection.manifest.check_options(&Map::new());
            *options = Value::Object(filled.unwrap_or_default()).to_string();
            chosen.push(Chosen {
                kind,
                candidate,
                inspection,
            });
        }
    }
    let (sets, mut hashes) = old.data()?;
    let directories = old.directories(&chosen, &mut hashes)?;
    let grants = granted(settings, directories, gpu::grant(plan.gpu, &chosen));
    let prepared = assemble(plan, chosen, sets, &hashes, grants, files, runtime)?;
    let checked = prepared.parts.check(&prepared.plan);
    checked.map_err(|(role, error)| {
        Failure::usage(format!("the {role} does not start: {}", error.details()))
    })?;
    Ok(prepared)
}

fn granted(settings: &Settings, directories: Directories, gpu: Option<GpuGrant>) -> Grants {
    Grants {
        artifact: settings.grant_artifact,
        virtual_cost: settings.grant_virtual_cost,
        gpu,
        directories,
    }
}

impl Search<'_> {
    /// The plugin that the run was begun with.
    fn plugin(&mut self, kind: PluginKind) -> Result<Chosen, Failure> {
        let role = kind.name();
        let recorded = self
            .header
            .plugins
            .iter()
            .find(|record| record.role == role);
        let recorded = recorded
            .ok_or_else(|| Failure::usage(format!("the run does not say which {role} it has")))?;
        let name = &recorded.name;
        let file = self.settings.plugins.iter().find(|(of, _)| of == role);
        let candidate = match file {
            Some((_, path)) => self
                .catalog
                .find(&path.to_string_lossy(), Some(kind), Path::new("")),
            None => self.catalog.embedded(name, kind),
        }
        .map_err(|unknown| {
            Failure::usage(format!(
                "{}\n  hint: a run goes on with the plugins that it began with: put the {role} back",
                unknown.message
            ))
        })?;
        let (place, back) = match file {
            Some((_, path)) => (
                format!(": {}", path.display()),
                "put the file back that the run began with",
            ),
            None => (
                " with this tune-host".to_owned(),
                "use the tune-host that began it",
            ),
        };
        let hash = blake3::hash(&candidate.bytes);
        self.compare(role, hash, &format!("the {role} `{name}`"), &place, back)?;
        let inspection = candidate
            .inspect_within(limits_of(self.plan, kind))
            .map_err(|error| rejected(&error))?;
        if inspection.kind != kind {
            return Err(Failure::usage(format!(
                "`{}` is a {} now, the run needs a {kind}{place}\n  hint: {back}",
                candidate.name, inspection.kind
            )));
        }
        Ok(Chosen {
            kind,
            candidate,
            inspection,
        })
    }

    /// The data that the run was begun with, and their hashes by role. What the file named and the
    /// trainable did not ask for was not granted, and is not recorded.
    fn data(&mut self) -> Result<(DataSets, Vec<(String, blake3::Hash)>), Failure> {
        let mut sets = DataSets::new();
        let mut hashes = Vec::new();
        for (name, path) in &self.settings.data {
            let role = data_role(name);
            if !self.header.plugins.iter().any(|record| record.role == role) {
                continue;
            }
            let hash = data::grant(&mut sets, name, path).map_err(|error| {
                Failure::usage(format!(
                    "data set `{name}`: cannot read {}: {error}\n  hint: a run goes on with the data \
                     that it began with: put them back",
                    path.display()
                ))
            })?;
            let place = format!(": {}", path.display());
            let what = format!("data set `{name}`");
            self.compare(&role, hash, &what, &place, "put them back")?;
            hashes.push((role, hash));
        }
        Ok((sets, hashes))
    }

    /// The directories that the run was begun with.
    fn directories(
        &mut self,
        chosen: &[Chosen],
        hashes: &mut Vec<(String, blake3::Hash)>,
    ) -> Result<Directories, Failure> {
        let mut directories = Directories::new();
        if !reads_directories(chosen) {
            return Ok(directories);
        }
        for (name, path) in &self.settings.directories {
            let hash = data::grant_directory(&mut directories, name, path).map_err(|error| {
                Failure::usage(format!(
                    "cannot grant the directory {}: {error}\n  hint: a run goes on with the \
                     directories that it began with: put it back as it was",
                    path.display()
                ))
            })?;
            let place = format!(": {}", path.display());
            let what = format!("directory `/{name}`");
            let role = directory_role(name);
            self.compare(&role, hash, &what, &place, "put it back as it was")?;
            hashes.push((role, hash));
        }
        Ok(directories)
    }

    /// Compares with what the run began with, or with what took its place.
    fn compare(
        &mut self,
        role: &str,
        hash: blake3::Hash,
        what: &str,
        place: &str,
        back: &str,
    ) -> Result<(), Failure> {
        let recorded = self
            .header
            .plugins
            .iter()
            .find(|record| record.role == role);
        let recorded = recorded.map(|record| record.hash.as_str());
        let accepted = self.accepted.get(role).and_then(Value::as_str);
        let expected = accepted.or(recorded);
        let hash = hash.to_hex();
        if expected == Some(hash.as_str()) {
            return Ok(());
        }
        match self.changes {
            Changes::Accepted => {
                let short = |hash: &str| hash.get(..16).unwrap_or_default().to_owned();
                let before = expected.map_or_else(|| "nothing".to_owned(), short);
                let words = format!(
                    "another version of {what} ({before} before, {} now)",
                    short(&hash)
                );
                self.found.push((role.to_owned(), hash.to_string(), words));
                Ok(())
            }
            Changes::Refused(command) => {
                let or = command.as_ref().map_or_else(
                    || "or begin a new run".to_owned(),
                    |command| {
                        format!(
                            "or go on with what is there now: `{command} --accept-changed-plugin`"
                        )
                    },
                );
                Err(Failure::usage(format!(
                    "{what} has changed since the run began{place}\n  hint: {back}, {or}"
                )))
            }
        }
    }
}
