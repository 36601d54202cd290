//! What a component imports, and whether this host has it.

use tune_snapshot::Item;

use crate::contract_name::{CONTRACT_VERSION, contract_name, is_our_track, leaf};
use crate::load_error::{LoadError, LoadProblem};

/// The newest WASI of which this host has every function.
const WASI_PATCH: u64 = 12;

/// What this host does about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    /// It has it.
    Satisfied,
    /// It has it so that the plugin starts, and refuses every use.
    Denied,
    /// It does not give it to any plugin.
    Refused,
    /// It knows an older one, without these functions.
    Newer {
        /// Empty if the host cannot tell which are missing.
        missing: Vec<String>,
    },
    /// It has never heard of it.
    Unknown {
        /// What it knows that is named alike.
        near: Option<String>,
    },
}

/// Something that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As it stands in the component.
    pub name: String,
    /// See there.
    pub status: ImportStatus,
}

/// Why a component cannot be loaded because of what it imports.
pub(crate) fn check_imports(imports: &[Import]) -> Result<(), LoadError> {
    for Import { name, status } in imports {
        let (problem, message, hint) = match status {
            ImportStatus::Satisfied | ImportStatus::Denied => continue,
            // Fits as long as it uses no new function; the linker knows.
            ImportStatus::Newer { missing } if missing.is_empty() => continue,
            ImportStatus::Refused => (
                LoadProblem::Grant,
                format!("it imports `{name}`, which no plugin is granted"),
                "plugins have no network: build it without, or read files through [[data]]"
                    .to_owned(),
            ),
            ImportStatus::Newer { missing } => (
                LoadProblem::Version,
                format!(
                    "it imports `{}` of `{name}`, newer than this host",
                    missing.join("`, `")
                ),
                format!("use a newer tune-host, or build it with an SDK of {CONTRACT_VERSION}"),
            ),
            ImportStatus::Unknown { near } => (
                LoadProblem::Import,
                format!("it imports `{name}`, which this host does not have"),
                match near {
                    Some(near) => format!("the host has `{near}`"),
                    None => "`tune-host plugin check` lists every import".to_owned(),
                },
            ),
        };
        return Err(LoadError::new(problem, message, hint));
    }
    Ok(())
}

/// Interfaces of our package that a plugin can import, with their functions.
const CONTRACT: [(&str, &[&str]); 5] = [
    ("types", &[]),
    ("log", &["write"]),
    ("data", &["entries", "size", "read"]),
    ("artifact", &["write", "append"]),
    (
        "gpu",
        &[
            "adapter-info",
            "limits",
            "usage",
            "create-buffer",
            "create-shader-module",
            "create-bind-group-layout",
            "create-pipeline-layout",
            "create-compute-pipeline",
            "get-bind-group-layout",
            "create-bind-group",
            "destroy",
            "write-buffer",
            "submit",
            "wait",
            "start-read",
            "finish-read",
        ],
    ),
];

/// Interfaces of WASI that the host has.
const WASI: [&str; 20] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "filesystem/preopens",
    "filesystem/types",
];

pub(crate) fn import(item: &Item) -> Import {
    let name = item.name.as_str();
    let status = if item.functions.is_none() {
        // A function or a type outside any interface.
        ImportStatus::Unknown { near: None }
    } else if let Some((interface, version)) = contract_name(name) {
        contract_status(interface, version.unwrap_or_default(), item)
    } else if let Some(rest) = name.strip_prefix("wasi:") {
        wasi_status(rest)
    } else {
        ImportStatus::Unknown {
            near: near_interface(leaf(name)),
        }
    };
    Import {
        name: item.name.clone(),
        status,
    }
}

fn contract_status(interface: &str, version: &str, item: &Item) -> ImportStatus {
    let functions = item.functions.as_deref().unwrap_or_default();
    match CONTRACT.iter().find(|(name, _)| *name == interface) {
        Some((_, known)) if is_our_track(version) => {
            let missing: Vec<String> = functions
                .iter()
                .filter(|f| !known.contains(&f.as_str()))
                .cloned()
                .collect();
            if missing.is_empty() {
                ImportStatus::Satisfied
            } else {
                ImportStatus::Newer { missing }
            }
        }
        Some(_) => ImportStatus::Newer {
            missing: functions.to_vec(),
        },
        None => ImportStatus::Unknown {
            near: near_interface(interface),
        },
    }
}

fn wasi_status(rest: &str) -> ImportStatus {
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    if interface.starts_with("http/") {
        return ImportStatus::Refused;
    }
    let denied = interface.starts_with("sockets/");
    if !denied && !WASI.contains(&interface) {
        return ImportStatus::Unknown { near: None };
    }
    match version.strip_prefix("0.2.").map(str::parse::<u64>) {
        Some(Ok(patch)) if patch > WASI_PATCH => ImportStatus::Newer {
            missing: Vec::new(),
        },
        Some(Ok(_)) if denied => ImportStatus::Denied,
        Some(Ok(_)) => ImportStatus::Satisfied,
        _ => ImportStatus::Unknown {
            near: Some(format!("wasi:{interface}@0.2.{WASI_PATCH}")),
        },
    }
}

fn near_interface(interface: &str) -> Option<String> {
    CONTRACT
        .iter()
        .find(|(name, _)| strsim::jaro_winkler(name, interface) > 0.85)
        .map(|(name, _)| format!("tune:plugin/{name}@{CONTRACT_VERSION}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_judged_by_interface_version_and_function() {
        let status = |name: &str, functions: &[&str]| {
            import(&Item {
                name: name.to_owned(),
                functions: Some(functions.iter().map(|f| (*f).to_owned()).collect()),
            })
            .status
        };
        let satisfied = ImportStatus::Satisfied;
        assert_eq!(status("tune:plugin/log@0.1.7", &["write"]), satisfied);
        assert_eq!(status("tune:plugin/types@0.1.0", &[]), satisfied);
        assert_eq!(status("wasi:cli/stdout@0.2.6", &["get-stdout"]), satisfied);
        assert_eq!(status("wasi:sockets/tcp@0.2.6", &[]), ImportStatus::Denied);
        assert_eq!(status("wasi:http/types@0.2.6", &[]), ImportStatus::Refused);
        let newer = |missing: &[&str]| ImportStatus::Newer {
            missing: missing.iter().map(|f| (*f).to_owned()).collect(),
        };
        assert_eq!(
            status("wasi:cli/stdout@0.2.13", &["get-stdout"]),
            newer(&[])
        );
        assert_eq!(
            status("tune:plugin/log@0.1.9", &["write", "trace"]),
            newer(&["trace"])
        );
        assert_eq!(
            status("tune:plugin/log@0.2.0", &["write"]),
            newer(&["write"])
        );
        let unknown = |near: Option<&str>| ImportStatus::Unknown {
            near: near.map(str::to_owned),
        };
        assert_eq!(status("wasi:nn/graph@0.2.0", &[]), unknown(None));
        assert_eq!(
            status("tune:plugin/artefact@0.1.0", &[]),
            unknown(Some("tune:plugin/artifact@0.1.0"))
        );
        assert_eq!(status("other:thing/x@1.0.0", &[]), unknown(None));
    }
}
