//! The JSON Schema of the file, for editors. Names, ranges and defaults come from the same tables
//! as the reader's; what a schema cannot say (a condition on an unknown parameter) it leaves out.

use serde_json::{Map, Value, json};

use crate::{
    directory::MAX_DIRECTORIES,
    experiment::{
        DEFAULT_SCHEDULER, DEFAULT_SEARCHER, DEFAULT_SLOTS, MAX_FAILURES, MAX_SLOTS, MAX_TRIALS,
    },
    goal::DEFAULT_TIME_ATTR,
    limits::{Field, HOST_ROWS, OWN, ROWS, RUN_MEMORY, RUN_MEMORY_RANGE, Row, SCHEDULER, SEARCHER},
    machine::MAX_THREADS,
    plan::Snapshots,
    plateau::{
        EXPERIMENT_STD, EXPERIMENT_TOP, MAX_COMPARED, MAX_REPORTS, TRIAL_GRACE, TRIAL_RESULTS,
        TRIAL_STD,
    },
    plugin::LINEAGE,
    points::MAX_POINTS,
    quantity::{show_bytes, show_time},
    snapshots::{DISK_RANGE, MAX_INTERVAL, MAX_KEEP},
    space::{SAMPLERS, Shape},
    tree::MAX_ELEMENTS,
    warm_start::{MAX_SOURCES, WARM_START},
};

/// The schema of an experiment file (JSON Schema 2020-12), with a description of every key, and
/// defaults and ranges where there are any.
#[must_use]
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tune-host experiment",
        "description": "An experiment: what is tuned, by which algorithms, within which limits.",
        "type": "object",
        "required": ["version", "trainable", "space"],
        "anyOf": [
            { "required": ["metric", "mode"] },
            { "required": ["objectives"] }
        ],
        "additionalProperties": false,
        "properties": properties(),
        "$defs": definitions(),
    })
}

fn properties() -> Value {
    let mut all = goals();
    for part in [control(), tables()] {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    all
}

fn goals() -> Value {
    let mode = json!({
        "enum": ["max", "min"],
        "description": "max: more is better; min: less is better."
    });
    json!({
        "version": { "const": 1, "description": "Version of this format." },
        "name": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
            "description": "Name of the experiment, a part of directory names. By default the stem of the file's name."
        },
        "trainable": {
            "type": "string",
            "minLength": 1,
            "description": "What is tuned: the name of a trainable plugin, or a path to a .wasm file."
        },
        "metric": {
            "$ref": "#/$defs/metric",
            "description": "The reported metric that is optimised. With several objectives: the one that the scheduler looks at."
        },
        "mode": mode,
        "objectives": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "description": "Several metrics to optimise, instead of `metric` and `mode`.",
            "items": {
                "type": "object",
                "required": ["metric", "mode"],
                "additionalProperties": false,
                "properties": { "metric": { "$ref": "#/$defs/metric" }, "mode": mode }
            }
        },
        "constraints": {
            "type": "array",
            "minItems": 1,
            "maxItems": 64,
            "description": "Bounds that a feasible trial keeps.",
            "items": {
                "type": "object",
                "required": ["metric"],
                "minProperties": 2,
                "additionalProperties": false,
                "properties": {
                    "metric": { "$ref": "#/$defs/metric" },
                    "at_least": { "type": "number", "description": "Smallest feasible value." },
                    "at_most": { "type": "number", "description": "Largest feasible value." }
                }
            }
        },
        "time_attr": {
            "$ref": "#/$defs/metric",
            "default": DEFAULT_TIME_ATTR,
            "description": "The metric that measures a trial's resource. fuel_total makes budgets equal on every machine; wall-clock metrics are refused."
        },
        "max_t": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "A trial ends when `time_attr` reaches this. By default only the trainable, the scheduler and stop rules end it."
        },
    })
}

fn control() -> Value {
    json!({
        "trials": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_TRIALS,
            "description": "Trials in total, never a multiplier. May be left out with `time_budget` or the searcher `grid`."
        },
        "time_budget": {
            "$ref": "#/$defs/duration",
            "description": "The run ends after so much running time: seconds, or \"2 h\". At least 1 s."
        },
        "slots": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_SLOTS,
            "default": DEFAULT_SLOTS,
            "description": "Trials that run at once in virtual time; changes results, unlike the number of threads."
        },
        "seed": {
            "type": "integer",
            "minimum": 0,
            "description": "Seed of everything random. By default one is drawn, printed and recorded."
        },
        "order": {
            "enum": ["deterministic", "arrival"],
            "default": "deterministic",
            "description": "In which order results count: by virtual time, the same in every run; or as they come."
        },
        "metering": {
            "enum": ["fuel", "full", "epoch", "none"],
            "description": "How the trainable is bounded and measured. By default `fuel` for plugins that come with the program, `full` for all others."
        },
        "strict": {
            "type": "boolean",
            "default": false,
            "description": "NaNs have the same bits on every CPU inside the sandbox too; costs 1.6 to 2.5 times the time."
        },
        "max_failures": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_FAILURES,
            "default": 0,
            "description": "Retries of a trial after failures that may not repeat (wall deadline, memory of the host)."
        },
        "retry_seed": {
            "enum": ["same", "fresh"],
            "default": "same",
            "description": "fresh: a retry gets another seed, and failures that would repeat are tried again too."
        },
        "outputs": {
            "type": "array",
            "uniqueItems": true,
            "items": { "enum": ["json", "csv", "tensorboard"] },
            "default": ["json", "csv", "tensorboard"],
            "description": "Which files are written beside the journal."
        },
    })
}

fn tables() -> Value {
    json!({
        "points_to_evaluate": {
            "type": "array",
            "maxItems": MAX_POINTS,
            "items": { "type": "object" },
            "description": "Configurations that are tried first, one trial each; parameters that are left out are chosen by the searcher."
        },
        "space": {
            "type": "object",
            "description": "What is tuned: samplers, constants, computed values; tables nest to dotted names.",
            "additionalProperties": { "$ref": "#/$defs/entry" }
        },
        "searcher": plugin(DEFAULT_SEARCHER, "Which configurations are tried.", SEARCHER),
        "scheduler": plugin(DEFAULT_SCHEDULER, "Which trials run, and for how long.", SCHEDULER),
        "limits": limits(),
        "stop": {
            "type": "object",
            "description": "A trial ends as finished when a metric reaches its threshold. Beside thresholds there are rules for plateaus and regret.",
            "properties": {
                "trial_plateau": trial_plateau(),
                "experiment_plateau": experiment_plateau(),
                "regret": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "description": "Ends the run when the searcher says that no result can be better than the best by more than this, in units of the metric. Needs a searcher that bounds the regret: gp."
                }
            },
            "additionalProperties": {
                "anyOf": [
                    { "type": "number", "description": "Reached in the direction of the objective, upwards for other metrics." },
                    {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": false,
                        "properties": { "at_least": { "type": "number" }, "at_most": { "type": "number" } }
                    }
                ]
            }
        },
        "data": {
            "type": "array",
            "maxItems": 64,
            "description": "Directories that the trainable may read.",
            "items": {
                "type": "object",
                "required": ["name", "path"],
                "additionalProperties": false,
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 128, "description": "Name in the sandbox." },
                    "path": { "type": "string", "minLength": 1, "description": "A directory; a relative one starts from this file." }
                }
            }
        },
        "grants": {
            "type": "object",
            "additionalProperties": false,
            "description": "What the trainable is allowed beside logging and its data.",
            "properties": {
                "artifact": { "type": "boolean", "default": false, "description": "Write files as results." },
                "directory": {
                    "description": "A directory that it may read as files, under `/data`; a table of several: name and directory. Relative ones start from this file.",
                    "anyOf": [
                        { "type": "string", "minLength": 1 },
                        {
                            "type": "object",
                            "maxProperties": MAX_DIRECTORIES,
                            "propertyNames": { "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$" },
                            "additionalProperties": { "type": "string", "minLength": 1 }
                        }
                    ]
                },
                "gpu": { "type": "boolean", "default": false, "description": "Compute on a GPU. Decisions are then reproducible on the same adapter only." },
                "virtual-cost": { "type": "boolean", "default": false, "description": "Report its own virtual cost." },
                "workers": { "type": "boolean", "default": false, "description": "Have workers of its own. This version has none to give." }
            }
        },
        "resources": {
            "type": "object",
            "additionalProperties": false,
            "description": "What the run uses of the machine; never changes results.",
            "properties": {
                "threads": { "type": "integer", "minimum": 1, "maximum": MAX_THREADS, "description": "Trial threads. By default as many as there are cores." },
                "gpu": { "type": "number", "minimum": 0.01, "maximum": 1, "default": 1, "description": "The share of the GPU that one trial asks for, with the grant `gpu`." }
            }
        },
        "snapshots": snapshots(),
    })
}

fn trial_plateau() -> Value {
    json!({
        "description": "A trial ends as finished when the last values of a metric hardly differ. True: with the defaults.",
        "anyOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "metric": { "$ref": "#/$defs/metric", "description": "By default the first objective." },
                    "std": { "type": "number", "minimum": 0, "default": TRIAL_STD, "description": "Met below this standard deviation." },
                    "num_results": { "type": "integer", "minimum": 2, "maximum": MAX_COMPARED, "default": TRIAL_RESULTS, "description": "How many last values." },
                    "grace_period": { "type": "integer", "minimum": 0, "maximum": MAX_REPORTS, "default": TRIAL_GRACE, "description": "Not met before so many reports of the trial." },
                    "at_least": { "type": "number", "description": "Met only if the last value is this or more." },
                    "at_most": { "type": "number", "description": "Met only if the last value is this or less." }
                }
            }
        ]
    })
}

fn experiment_plateau() -> Value {
    json!({
        "description": "The run ends when the best values of its best trials hardly differ. True: with the defaults.",
        "anyOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "std": { "type": "number", "minimum": 0, "default": EXPERIMENT_STD, "description": "Met at or below this standard deviation." },
                    "top": { "type": "integer", "minimum": 2, "maximum": MAX_COMPARED, "default": EXPERIMENT_TOP, "description": "How many trials." },
                    "patience": { "type": "integer", "minimum": 0, "maximum": MAX_REPORTS, "default": 0, "description": "So many reports in a row may meet it before the run ends at the next." }
                }
            }
        ]
    })
}

fn snapshots() -> Value {
    let Snapshots {
        keep,
        keep_best,
        at_end,
        max_overhead,
        interval: _,
        disk_bytes: _,
    } = Snapshots::default();
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "When states of trials are written to the disk, and which are kept; never changes results.",
        "properties": {
            "keep": {
                "type": "integer", "minimum": 1, "maximum": MAX_KEEP, "default": keep,
                "description": "The newest states of every live trial that are kept."
            },
            "keep_best": {
                "type": "integer", "minimum": 0, "maximum": MAX_KEEP, "default": keep_best,
                "description": "The best trials whose states are kept."
            },
            "interval": {
                "type": "integer", "minimum": 1, "maximum": MAX_INTERVAL,
                "description": "A state of a trial is written every so many iterations, as far as max_overhead allows it. By default as often as that."
            },
            "at_end": {
                "type": "boolean", "default": at_end,
                "description": "The last state of a trial is written when it ends, if it is one of the best."
            },
            "max_overhead": {
                "type": "number", "minimum": 0, "maximum": 1, "default": max_overhead,
                "description": "Share of the time of the steps that writing states may cost; 0 writes none at intervals."
            },
            "disk": size(
                "Bytes that all states of the run may take on the disk; then states are left out, and no trial fails. By default no limit.",
                None, *DISK_RANGE.start(), *DISK_RANGE.end(),
            ),
        }
    })
}

fn plugin(default: &str, what: &str, role: &str) -> Value {
    let mut properties = json!({
        "plugin": { "type": "string", "minLength": 1, "description": "Its name, or a path to a .wasm file." },
        "path": { "type": "string", "minLength": 1, "description": "A path to a .wasm file, instead of `plugin`." },
        "inner": false,
        "warm_start": false,
        "lineage": false
    });
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(OWN.into(), own_limits(role));
    }
    if role == SCHEDULER
        && let Some(properties) = properties.as_object_mut()
    {
        let text = "Belongs to the experiment; accepted here for configurations copied from Ray.";
        properties.insert(
            "time_attr".into(),
            json!({ "$ref": "#/$defs/metric", "description": text }),
        );
        properties.insert(
            "max_t".into(),
            json!({ "type": "number", "exclusiveMinimum": 0, "description": text }),
        );
        properties.insert(
            LINEAGE.into(),
            json!({
                "type": "object",
                "required": ["run", "trial"],
                "additionalProperties": false,
                "description": "Whose lineage is run again: the trial and all that it was cloned from. For pbt-replay.",
                "properties": {
                    "run": { "type": "string", "minLength": 1, "description": "Name or directory of a run." },
                    "trial": { "type": "integer", "minimum": 0, "maximum": MAX_TRIALS, "description": "The trial at the end of the lineage." }
                }
            }),
        );
    }
    let mut named = vec![
        json!({ "required": ["plugin"] }),
        json!({ "required": ["path"] }),
    ];
    if role == SEARCHER
        && let Some(properties) = properties.as_object_mut()
    {
        let list = |what: &str| {
            let item = json!({ "type": "string", "minLength": 1 });
            json!({
                "type": "array", "minItems": 1, "maxItems": MAX_SOURCES, "uniqueItems": true,
                "items": item, "description": what
            })
        };
        properties.insert(
            WARM_START.into(),
            json!({
                "type": "object",
                "additionalProperties": false,
                "anyOf": [{ "required": ["runs"] }, { "required": ["csv"] }],
                "description": "Earlier results that the searcher is told before its first suggestion; they are copied into the run.",
                "properties": {
                    "runs": list("Names or directories of runs."),
                    "csv": list("CSV files: a header with dotted parameters and metrics, optionally `status`; a line a result.")
                }
            }),
        );
        // Alone it belongs to the searcher that a file without [searcher] has.
        named.push(json!({ "required": [WARM_START], "maxProperties": 1 }));
    }
    json!({
        "description": format!("{what} By default `{default}`. Keys beside `plugin` are its options."),
        "anyOf": [
            { "type": "string", "minLength": 1 },
            {
                "type": "object",
                "oneOf": named,
                "properties": properties
            }
        ]
    })
}

/// Those limits that a searcher or scheduler may have of its own.
fn own_limits(role: &str) -> Value {
    let mut properties = Map::new();
    insert(
        &mut properties,
        ROWS.iter().filter(|row| row.own.is_of(role)),
    );
    // What is left out is that of [limits], whatever that says.
    for property in properties.values_mut().filter_map(Value::as_object_mut) {
        property.remove("default");
    }
    json!({
        "type": "object",
        "description": format!("Bounds on the {role} alone. By default those of [limits]."),
        "additionalProperties": false,
        "properties": properties
    })
}

/// One property a limit, from the rows that read it.
fn limits() -> Value {
    let mut properties = Map::new();
    insert(&mut properties, &ROWS);
    insert(&mut properties, &HOST_ROWS);
    let doc = "Memory of all live trials together. By default 70 % of the machine's.";
    let run_memory = size(
        doc,
        None,
        *RUN_MEMORY_RANGE.start(),
        *RUN_MEMORY_RANGE.end(),
    );
    properties.insert(RUN_MEMORY.to_owned(), run_memory);
    json!({
        "type": "object",
        "description": "Bounds on every trial, on searcher and scheduler, and on what the host does for them.",
        "additionalProperties": false,
        "properties": properties
    })
}

fn size(doc: &str, default: Option<String>, low: u64, high: u64) -> Value {
    let mut schema = json!({
        "$ref": "#/$defs/size",
        "description": format!("{doc} {} to {}.", show_bytes(low), show_bytes(high)),
    });
    if let (Some(default), Some(schema)) = (default, schema.as_object_mut()) {
        schema.insert("default".into(), default.into());
    }
    schema
}

fn definitions() -> Value {
    let mut reserved: Vec<&str> = SAMPLERS.iter().map(|s| s.name).collect();
    reserved.extend(["when", "derived", "constant"]);
    let mut entries = vec![
        json!({ "type": ["string", "number", "boolean", "array"], "description": "A constant." }),
        json!({
            "type": "object",
            "required": ["derived"],
            "additionalProperties": false,
            "properties": { "derived": {
                "type": "string", "minLength": 1, "maxLength": 1024,
                "description": "A value computed from numbers of the space: \"batch * 2\"."
            } }
        }),
        json!({
            "type": "object",
            "required": ["constant"],
            "additionalProperties": false,
            "properties": { "constant": {
                "description": "A constant of any kind, a table too."
            } }
        }),
        json!({
            "type": "object",
            "minProperties": 1,
            "description": "A group: its name and a dot stand before the names inside.",
            "propertyNames": { "not": { "enum": reserved } },
            "additionalProperties": { "$ref": "#/$defs/entry" }
        }),
    ];
    entries.extend(SAMPLERS.iter().map(|sampler| {
        let (items, low, high) = match sampler.shape() {
            Shape::Real { step, .. } => (
                json!({ "type": "number" }),
                2 + usize::from(step),
                2 + usize::from(step),
            ),
            Shape::Whole { step, .. } => (json!({ "type": "integer" }), 2, 2 + usize::from(step)),
            Shape::Normal { step: true } => (json!({ "type": "number" }), 3, 3),
            Shape::Normal { step: false } => (json!({ "type": "number" }), 0, 2),
            Shape::Values { .. } => (json!({}), 1, MAX_ELEMENTS),
        };
        let arguments = json!({
            "type": "array", "items": items, "minItems": low, "maxItems": high,
            "description": format!("{} {}", sampler.form, sampler.doc)
        });
        json!({
            "type": "object",
            "required": [sampler.name],
            "additionalProperties": false,
            "properties": { sampler.name: arguments, "when": { "$ref": "#/$defs/when" } }
        })
    }));
    json!({
        "metric": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^\\S+$" },
        "size": {
            "anyOf": [
                { "type": "integer", "minimum": 0, "description": "Bytes." },
                { "type": "string", "pattern": "^ *[0-9_.]+ *(B|KiB|MiB|GiB|TiB) *$" }
            ]
        },
        "duration": {
            "anyOf": [
                { "type": "number", "minimum": 0, "description": "Seconds." },
                { "type": "string", "pattern": "^ *[0-9_.]+ *(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?) *$" }
            ]
        },
        "when": {
            "type": "object",
            "minProperties": 1,
            "description": "Active only if every parent named here is active and has one of the values: { optimizer = [\"sgd\"] }."
        },
        "entry": { "anyOf": entries }
    })
}

fn insert<'a, L: Default + 'a>(
    properties: &mut Map<String, Value>,
    rows: impl IntoIterator<Item = &'a Row<L>>,
) {
    let mut defaults = L::default();
    for row in rows {
        let schema = match &row.field {
            Field::Count(range, place) => json!({
                "type": "integer", "minimum": range.start(), "maximum": range.end(),
                "default": *place(&mut defaults), "description": row.doc,
            }),
            Field::Small(range, place) => json!({
                "type": "integer", "minimum": range.start(), "maximum": range.end(),
                "default": *place(&mut defaults), "description": row.doc,
            }),
            Field::Size(range, place) => {
                let default = show_bytes(*place(&mut defaults));
                size(row.doc, Some(default), *range.start(), *range.end())
            }
            Field::SmallSize(range, place) => {
                let default = show_bytes(u64::from(*place(&mut defaults)));
                let (low, high) = (u64::from(*range.start()), u64::from(*range.end()));
                size(row.doc, Some(default), low, high)
            }
            Field::Time(range, place) => json!({
                "$ref": "#/$defs/duration",
                "default": show_time(*place(&mut defaults)),
                "description": format!(
                    "{} {} to {}.", row.doc, show_time(*range.start()), show_time(*range.end())
                ),
            }),
        };
        properties.insert(row.key.to_owned(), schema);
    }
}
