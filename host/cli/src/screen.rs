//! Paints the live view on a terminal: in place, below what is already there, and wiped away at the
//! end. Knows nothing of runs.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use tune_report::columns;

use crate::output;

/// Ten pictures a second look alive; more would only cost time.
const INTERVAL: Duration = Duration::from_millis(100);

/// Painting may take this share of the time: runs with a million trials must not wait for it.
const SHARE: u32 = 20;

/// A part of a terminal that is painted again and again.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Widths of the lines that stand there now.
    painted: Vec<usize>,
    next: Instant,
    cursor_hidden: bool,
    /// Colours are wanted.
    pub(crate) color: bool,
}

impl Screen {
    /// On the standard error output, which is a terminal.
    pub(crate) fn new() -> Self {
        Self {
            painted: Vec::new(),
            next: Instant::now(),
            cursor_hidden: false,
            color: output::colors_wanted(),
        }
    }

    /// It is time for the next picture.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Paints a picture; `draw` is given columns and rows.
    pub(crate) fn paint(&mut self, draw: impl FnOnce(usize, usize) -> Vec<String>) {
        let began = Instant::now();
        let (width, height) = output::terminal_size();
        // The last column stays free: some terminals wrap there. The last row takes the cursor.
        let lines = draw(width.saturating_sub(1), height.saturating_sub(1));
        // A terminal that is gone cannot be told so.
        drop(self.replace(&lines, width));
        let took = began.elapsed();
        self.next = Instant::now() + INTERVAL.max(took * SHARE);
    }

    /// Wipes the picture away.
    pub(crate) fn clear(&mut self) {
        let (width, _) = output::terminal_size();
        drop(self.replace(&[], width));
        if self.cursor_hidden {
            self.cursor_hidden = false;
            let mut out = io::stderr().lock();
            drop(queue!(out, Show).and_then(|()| out.flush()));
        }
    }

    fn replace(&mut self, lines: &[String], width: usize) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stderr().lock());
        queue!(out, BeginSynchronizedUpdate)?;
        if !self.cursor_hidden && !lines.is_empty() {
            self.cursor_hidden = true;
            queue!(out, Hide)?;
        }
        // If the terminal became narrower, it has wrapped the lines.
        let rows: usize = self
            .painted
            .iter()
            .map(|&columns| columns.div_ceil(width.max(1)).max(1))
            .sum();
        if let Ok(rows) = u16::try_from(rows)
            && rows > 0
        {
            queue!(out, MoveUp(rows))?;
        }
        queue!(out, MoveToColumn(0))?;
        for line in lines {
            queue!(
                out,
                Clear(ClearType::UntilNewLine),
                Print(line),
                Print("\r\n")
            )?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()?;
        self.painted = lines.iter().map(|line| columns(&unpainted(line))).collect();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A line without its colours.
fn unpainted(line: &str) -> String {
    let mut text = String::new();
    let mut in_escape = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => in_escape = true,
            _ if in_escape => in_escape = !c.is_ascii_alphabetic(),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_report::Style;

    #[test]
    fn colours_take_no_columns() {
        let line = format!("a {} c", Style::Green.paint("b", true));
        assert_eq!(unpainted(&line), "a b c");
    }
}
