//! A simulated run on a table decides what a run of the trainable `table` decides, bit for bit: the
//! same sandboxed plugins, the curves read natively instead of by a plugin.

use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tune_core::records::{Config, TrialId};
use tune_core::{Engine, EnginePlan, Entry, Event, StepEnd};
use tune_runner::{How, RunParts, Silent, deciders, start};
use tune_runtime::{DataSet, DataSets, Grants};
use tune_simulation::{Curves, Recorded, Simulation};
use tune_store::{Header, RunDir, RunReader};
use tune_table::{Table, crossing};

use crate::{options, plan, plugin};

/// Draws near the rows of the table, and pauses or stops trials.
const PLAN: &str = r#"
version = 1
name = "simulated"
trainable = "table"
metric = "loss"
mode = "min"
trials = 30
slots = 4
seed = 3
max_t = 9
[space]
quality = { uniform = [0.0, 1.0] }
haste = { uniform = [0.0, 1.0] }
size = { loguniform = [0.25, 4.0] }
[searcher]
plugin = "tpe"
[grants]
virtual-cost = true
"#;

/// A run of the real thing: its journal and its digest.
fn real(dir: &Path, table: &Table, plan: &EnginePlan) -> (Vec<Entry>, [u8; 32]) {
    let folder = dir.join("table");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in table.to_files(None) {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut data = DataSets::new();
    let folder = Dir::open_ambient_dir(folder, ambient_authority()).unwrap();
    data.grant("table", DataSet::Folder(folder)).unwrap();
    let parts = RunParts {
        trainable: plugin("table"),
        searcher: plugin(&plan.searcher.0),
        scheduler: plugin(&plan.scheduler.0),
        data: Arc::new(data),
        grants: Grants {
            virtual_cost: true,
            ..Grants::default()
        },
    };
    let (_, journal) = RunDir::create(&dir.join("run"), &Header::default()).unwrap();
    let ended = start(
        plan.clone(),
        [3; 32],
        &parts,
        options(2, None),
        &journal,
        &mut Silent,
        &Arc::default(),
    );
    assert_eq!(ended.unwrap().how, How::Finished);
    drop(journal);
    let rows = RunReader::open(&dir.join("run")).unwrap().rows().unwrap();
    let entries = rows
        .iter()
        .map(|row| postcard::from_bytes(&row.body).unwrap());
    (entries.collect(), rows.last().unwrap().digest)
}

/// The table's curves; with the fuel and memory that the steps of a real run took, if there is one.
struct Measured<'a> {
    curves: Recorded<'a>,
    run: Option<&'a [Entry]>,
}

impl Curves for Measured<'_> {
    fn step(&mut self, trial: TrialId, config: &Config, iteration: u64) -> StepEnd {
        let mut end = self.curves.step(trial, config, iteration);
        let steps = self.run.unwrap_or_default().iter();
        let mut own = steps.filter_map(|entry| match &entry.event {
            Event::StepEnded { trial: of, end } if *of == trial => Some(end),
            _ => None,
        });
        // A step that was cancelled never ended in the real run.
        if let Some(real) = own.nth(iteration as usize - 1) {
            end.fuel = real.fuel;
            end.memory_bytes = real.memory_bytes;
        }
        end
    }
}

fn simulated(table: &Table, plan: &EnginePlan, run: Option<&[Entry]>) -> (Vec<Entry>, [u8; 32]) {
    let mut plugins =
        deciders(&plugin(&plan.searcher.0), &plugin(&plan.scheduler.0), plan).unwrap();
    let mut curves = Measured {
        curves: Recorded::new(table),
        run,
    };
    let mut simulation = Simulation::new(Engine::new(plan.clone(), [3; 32]).unwrap());
    let mut entries = Vec::new();
    let mut next = Some(Event::Opened);
    while let Some(event) = next {
        let handover = simulation
            .hand_over(event, plugins.as_mut(), &mut curves)
            .unwrap();
        entries.push(handover.entry);
        next = simulation.next_result();
    }
    assert!(simulation.engine().is_finished());
    (entries, *simulation.engine().digest())
}

#[test]
fn a_simulated_run_decides_as_a_run_of_the_trainable_table_bit_for_bit() {
    let table = crossing(40, 9);
    for (scheduler, options) in [
        ("asha", "type = \"promotion\""),
        ("asha", ""),
        ("hyperband", ""),
        ("median-stopping", "grace_period = 2"),
    ] {
        let plan = plan(&format!(
            "{PLAN}\n[scheduler]\nplugin = \"{scheduler}\"\n{options}\n"
        ));
        let dir = tempfile::tempdir().unwrap();
        let (run, digest) = real(dir.path(), &table, &plan);
        let (same, same_digest) = simulated(&table, &plan, Some(&run));
        assert_eq!(same, run, "{scheduler}");
        assert_eq!(same_digest, digest, "{scheduler}");
        // Without what only a sandbox can measure, it decides the same.
        let (free, _) = simulated(&table, &plan, None);
        let decisions = |entries: &[Entry]| {
            let answers = entries.iter().map(|entry| entry.answers.clone());
            answers.collect::<Vec<_>>()
        };
        assert_eq!(decisions(&free), decisions(&run), "{scheduler}");
    }
}
