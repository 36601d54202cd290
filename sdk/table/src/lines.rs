//! Lines and cells of the CSV files, each with its place: comma-separated, cells with commas or
//! quotes stand in double quotes, a double quote inside is doubled, no cell goes over a line's end.

use std::borrow::Cow;

use crate::TableError;

/// Bytes of a line at most: 1,024 parameters of 60 bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Lines of a file, from the first.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    file: &'static str,
    rest: &'a [u8],
    number: u64,
}

impl<'a> Lines<'a> {
    /// Of a file that messages call by this name.
    #[must_use]
    pub fn new(file: &'static str, bytes: &'a [u8]) -> Self {
        // Spreadsheets begin a file with a byte order mark.
        let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self {
            file,
            rest,
            number: 0,
        }
    }

    /// The next line that holds anything.
    ///
    /// # Errors
    /// It is too long, or no UTF-8.
    pub fn next_line(&mut self) -> Option<Result<Line<'a>, TableError>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            self.number += 1;
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let (line, rest) = match end {
                Some(end) => {
                    let (line, rest) = self.rest.split_at(end);
                    (line, rest.get(1..).unwrap_or_default())
                }
                None => (self.rest, [].as_slice()),
            };
            self.rest = rest;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                return Some(Line::new(self.file, self.number, line));
            }
        }
    }

    /// The place after the last line.
    pub(crate) fn end(&self) -> (u64, u64) {
        (self.number + 1, 1)
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    file: &'static str,
    number: u64,
    text: &'a str,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// Where it begins, in characters from 1.
    pub column: u64,
    /// What stands in it, without the quotes around it.
    pub text: Cow<'a, str>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        file: &'static str,
        number: u64,
        bytes: &'a [u8],
    ) -> Result<Self, TableError> {
        let place = (number, 1);
        if bytes.len() > MAX_LINE_BYTES {
            let what = format!("a line of {} bytes", bytes.len());
            let hint = format!("a line has at most {MAX_LINE_BYTES} bytes");
            return Err(TableError::new(file, place, what, hint));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let what = format!("byte {} of the line is no UTF-8", error.valid_up_to() + 1);
            TableError::new(file, place, what, "save the file as UTF-8 text")
        })?;
        Ok(Self { file, number, text })
    }

    pub(crate) fn error(
        &self,
        column: u64,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> TableError {
        TableError::new(self.file, (self.number, column), message, hint)
    }

    /// In the file, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// All cells.
    ///
    /// # Errors
    /// A quote is not closed, or text follows a closing one.
    pub fn cells(&self) -> Result<Vec<Cell<'a>>, TableError> {
        let mut cells = Vec::with_capacity(8);
        let mut rest = self.text;
        let mut column = 1;
        loop {
            let (text, after) = if rest.starts_with('"') {
                self.quoted(rest, column)?
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                (Cow::Borrowed(text), after)
            };
            let length = rest.len() - after.len();
            let width = rest.get(..length).unwrap_or_default().chars().count() as u64;
            cells.push(Cell { column, text });
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(cells),
                None => {
                    return Err(self.error(
                        column + width,
                        "text after a closing quote",
                        "put the whole cell into double quotes, and double those inside",
                    ));
                }
            }
            column += width + 1;
        }
    }

    /// A cell in quotes, and what follows it.
    fn quoted(&self, rest: &'a str, column: u64) -> Result<(Cow<'a, str>, &'a str), TableError> {
        let inner = rest.get(1..).unwrap_or_default();
        let mut text = String::new();
        let mut parts = inner;
        loop {
            let Some((part, after)) = parts.split_once('"') else {
                return Err(self.error(
                    column,
                    "a quote that is not closed on its line",
                    "close the cell with a double quote, and double those inside",
                ));
            };
            text.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    text.push('"');
                    parts = more;
                }
                None => return Ok((Cow::Owned(text), after)),
            }
        }
    }

    /// All cells, as many as there are columns.
    ///
    /// # Errors
    /// As [`Self::cells`], or there are fewer or more.
    pub fn row(&self, columns: usize) -> Result<Vec<Cell<'a>>, TableError> {
        let cells = self.cells()?;
        if cells.len() == columns {
            return Ok(cells);
        }
        let column = match cells.get(columns) {
            Some(extra) => extra.column,
            None => self.text.chars().count() as u64 + 1,
        };
        Err(self.error(
            column,
            format!(
                "a row of {}, but the header has {}",
                counted(cells.len()),
                counted(columns)
            ),
            "give every row a cell for each column of the header; an inactive parameter is an empty one",
        ))
    }
}

fn counted(cells: usize) -> String {
    match cells {
        1 => "1 cell".to_owned(),
        _ => format!("{cells} cells"),
    }
}

/// The header, which must hold these columns in this order.
pub(crate) fn header(
    lines: &mut Lines<'_>,
    file: &'static str,
    columns: &[&str],
) -> Result<(), TableError> {
    let expected = || {
        format!(
            "the first line is `{}`",
            crate::error::shown(&columns.join(","))
        )
    };
    let Some(line) = lines.next_line() else {
        return Err(TableError::new(
            file,
            (1, 1),
            "the file is empty",
            expected(),
        ));
    };
    let line = line?;
    let cells = line.cells()?;
    for (index, name) in columns.iter().enumerate() {
        match cells.get(index) {
            Some(cell) if cell.text == *name => {}
            Some(cell) => {
                return Err(line.error(
                    cell.column,
                    format!(
                        "column {} is `{}`, expected `{name}`",
                        index + 1,
                        crate::error::shown(&cell.text)
                    ),
                    expected(),
                ));
            }
            None => {
                let end = line.text.chars().count() as u64 + 1;
                return Err(line.error(end, format!("the column `{name}` is missing"), expected()));
            }
        }
    }
    match cells.get(columns.len()) {
        None => Ok(()),
        Some(extra) => Err(line.error(
            extra.column,
            format!(
                "the column `{}` is not announced in {}",
                crate::error::shown(&extra.text),
                crate::ABOUT_FILE
            ),
            expected(),
        )),
    }
}

/// A cell as it is written.
pub(crate) fn write_cell(to: &mut String, text: &str) {
    if text.contains([',', '"']) {
        to.push('"');
        to.push_str(&text.replace('"', "\"\""));
        to.push('"');
    } else {
        to.push_str(text);
    }
}
