//! How long schedulers and searchers are, by the measure of the Tune paper: lines of code without blank
//! lines, comments and tests, of the plugin and of the library items that only it uses.
//!
//! `cargo run -p tune-algorithms --example lines` prints the table that stands in docs/schedulers.md,
//! and the numbers of docs/searchers.md.

#![expect(clippy::print_stdout, reason = "its output")]

use std::{fs, io, path::Path};

/// Lines in Ray 0.5.0, the release that the paper describes.
const PAPER: [(&str, u32); 5] = [
    ("fifo", 23),
    ("asha", 96),
    ("hyperband", 201),
    ("median-stopping", 72),
    ("pbt", 155),
];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plugins = sources(&root.join("plugins/schedulers"))?;
    let library = sources(&root.join("sdk/rust/src/schedule"))?;
    println!("| | plugin | library that only it uses | here | Ray 0.5.0 |\n|---|---|---|---|---|");
    for (name, code) in &plugins {
        let own = lines(code);
        let only: Vec<&(String, String)> = library
            .iter()
            .filter(|(module, text)| {
                let uses = |code: &str| public(text).iter().any(|item| names(code, item));
                let others = plugins.iter().filter(|(other, _)| other != name);
                let of_library = library
                    .iter()
                    .filter(|(other, _)| other != module && other != "mod");
                uses(code)
                    && !others.map(|(_, code)| code).any(|code| uses(code))
                    && !of_library.map(|(_, code)| code).any(|code| uses(code))
            })
            .collect();
        let library: usize = only.iter().map(|(_, code)| lines(code)).sum();
        let which: Vec<&str> = only.iter().map(|(module, _)| module.as_str()).collect();
        let paper = PAPER.iter().find(|(of, _)| of == name);
        println!(
            "| `{name}` | {own} | {library}{} | {} | {} |",
            if which.is_empty() {
                String::new()
            } else {
                format!(" ({})", which.join(", "))
            },
            own + library,
            paper.map_or_else(String::new, |(_, lines)| lines.to_string()),
        );
    }
    searchers(&root)
}

/// Of most searchers the plugin is one line, and the algorithm a module of its own; what several stand
/// on is elsewhere.
fn searchers(root: &Path) -> io::Result<()> {
    let library = root.join("sdk/searchers/src");
    let files = sources(&library)?;
    println!("\n| | plugin and algorithm |\n|---|---|");
    for (name, plugin) in sources(&root.join("plugins/searchers"))? {
        let file = files.iter().find(|(module, _)| *module == name);
        let of_file = file.map_or(0, |(_, code)| lines(code));
        let folder = library.join(&name);
        let modules = if folder.is_dir() {
            sources(&folder)?
        } else {
            Vec::new()
        };
        let of_folder: usize = modules.iter().map(|(_, code)| lines(code)).sum();
        println!("| `{name}` | {} |", lines(&plugin) + of_file + of_folder);
    }
    Ok(())
}

/// The code of each package or module in a folder, without tests, by name.
fn sources(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_file() {
            found.push((name, code(&fs::read_to_string(&path)?)));
        } else if path.join("src").is_dir() {
            let modules = sources(&path.join("src"))?;
            let modules = modules.into_iter().filter(|(module, _)| module != "tests");
            found.push((name, modules.map(|(_, code)| code).collect()));
        }
    }
    found.sort();
    Ok(found)
}

/// What is left without blank lines, comments and the tests at the end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn lines(code: &str) -> usize {
    code.lines().count()
}

/// Names of the types and functions that a module offers.
fn public(code: &str) -> Vec<&str> {
    let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub fn "];
    let item = |line: &'_ str| {
        kinds
            .iter()
            .find_map(|kind| line.strip_prefix(kind).map(str::len))
    };
    code.lines()
        .filter_map(|line| {
            let rest = line.get(line.len() - item(line)?..)?;
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .collect()
}

/// The code names the item as a whole word.
fn names(code: &str, item: &str) -> bool {
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.into_iter().any(|word| word == item)
}
