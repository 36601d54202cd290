//! The one place that prints: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Columns if the output is no terminal: as wide as a table needs to be.
const WIDTH_WITHOUT_TERMINAL: usize = 160;

/// Prints a result, a line each.
pub(crate) fn lines<I: IntoIterator<Item: AsRef<str>>>(lines: I) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(out, "{}", line.as_ref())?;
    }
    out.flush()
}

/// Prints a result as it is.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Prints a result as JSON.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    writeln!(out, "{value:#}")?;
    out.flush()
}

/// Tells the user something that is no result. Nobody may be there to read it.
pub(crate) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Says on a terminal what takes a while, and takes it back when it is done.
pub(crate) fn while_waiting<T>(what: &str, work: impl FnOnce() -> T) -> T {
    if !io::stderr().is_terminal() {
        return work();
    }
    let (width, _) = terminal_size();
    let shown = tune_report::cut(what, width.saturating_sub(1));
    drop(write!(io::stderr().lock(), "{shown}\r"));
    let done = work();
    drop(write!(
        io::stderr().lock(),
        "{}\r",
        " ".repeat(tune_report::columns(&shown))
    ));
    done
}

/// How the standard output is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Columns.
    pub(crate) width: usize,
    /// With colours.
    pub(crate) color: bool,
}

impl Page {
    /// Of the standard output.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            width: if is_terminal {
                terminal_size().0
            } else {
                WIDTH_WITHOUT_TERMINAL
            },
            color: is_terminal && colors_wanted(),
        }
    }
}

/// Columns and rows of the terminal, 80 by 24 if it does not say.
pub(crate) fn terminal_size() -> (usize, usize) {
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns > 0 && rows > 0 => (columns.into(), rows.into()),
        _ => (80, 24),
    }
}

/// Nobody asked for plain text: <https://no-color.org>.
pub(crate) fn colors_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
