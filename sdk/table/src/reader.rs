//! One curve out of a table, without reading the others: for a trial, which needs one of hundreds.
//! The rows of a configuration are found by bisection, as `curves.csv` is sorted by id.

use crate::{
    CURVES_FILE, Catalogue, Curve, TableError,
    curve::{self, Sequence},
    error::shown,
    lines::{Line, Lines, header},
};

/// Bytes of one read while searching: some dozens of rows.
const WINDOW: u32 = 2 << 10;
/// Bytes of one read when the rows are found: a curve of some hundred steps.
const CHUNK: u32 = 16 << 10;
/// Bytes of a line at most, the header's included.
const MAX_LINE: u32 = 64 << 10;

/// Where the bytes of `curves.csv` come from.
pub trait Source {
    /// Size of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn size(&mut self) -> Result<u64, String>;

    /// At most so many bytes from `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&mut self, offset: u64, max_len: u32) -> Result<Vec<u8>, String>;
}

/// Reads single curves of a table.
pub struct Reader<'a> {
    catalogue: &'a Catalogue,
    source: &'a mut dyn Source,
}

impl<'a> Reader<'a> {
    /// A reader of the curves of this table.
    pub fn new(catalogue: &'a Catalogue, source: &'a mut dyn Source) -> Self {
        Self { catalogue, source }
    }

    /// The curve of a configuration. What stands in other rows is not checked. Places in errors are
    /// line numbers from the first row of the configuration, as lines before it are not read.
    ///
    /// # Errors
    /// The file cannot be read, is not sorted, or holds rows that are no steps.
    pub fn curve(&mut self, id: u32) -> Result<Curve, TableError> {
        let metrics = &self.catalogue.about().metrics;
        let size = self.source.size().map_err(|e| io(&e))?;
        let mut head = self.read(0, WINDOW)?;
        if !head.contains(&b'\n') {
            head = self.read(0, MAX_LINE)?;
        }
        header(
            &mut Lines::new(CURVES_FILE, &head),
            CURVES_FILE,
            &curve::columns(metrics),
        )?;
        let start = self.first_row(id, size)?;
        let mut curve = Curve::default();
        let mut sequence = Sequence::default();
        let mut offset = start;
        let mut pending: Vec<u8> = Vec::new();
        let mut number = 0;
        'file: loop {
            let part = self.read(offset, CHUNK)?;
            let last = part.len() < CHUNK as usize;
            offset += part.len() as u64;
            pending.extend_from_slice(&part);
            if last && pending.last().is_some_and(|byte| *byte != b'\n') {
                pending.push(b'\n');
            }
            let mut done = 0;
            while let Some(end) = pending
                .get(done..)
                .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
            {
                let bytes = pending.get(done..done + end).unwrap_or_default();
                let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                done += end + 1;
                if bytes.is_empty() {
                    continue;
                }
                number += 1;
                let line = Line::new(CURVES_FILE, number, bytes)?;
                if id_of(bytes) != Some(id) {
                    break 'file;
                }
                let row = curve::step_row(&line, metrics.len())?;
                sequence.follow(&line, &row)?;
                curve.push(row.cost, &row.values);
            }
            pending.drain(..done);
            if last {
                break;
            }
            if pending.len() > MAX_LINE as usize {
                // Refused by its length.
                Line::new(CURVES_FILE, number + 1, &pending)?;
            }
        }
        if curve.is_empty() {
            return Err(TableError::new(
                CURVES_FILE,
                (1, 1),
                format!("no rows of configuration {id} where they should be"),
                "sort the rows by id and then by t; `tune-host bench schedulers --table` checks the \
                 whole table",
            ));
        }
        Ok(curve)
    }

    /// Where the rows of the first id that is not below `id` begin.
    fn first_row(&mut self, id: u32, size: u64) -> Result<u64, TableError> {
        // Rows that begin at or before `low` are of smaller ids, the header included; the first that
        // begins after `high` is not.
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.row_after(middle, size)? {
                Some((_, found)) if found < id => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(self.row_after(low, size)?.map_or(size, |(start, _)| start))
    }

    /// The first row that begins after a byte: where, and its id.
    fn row_after(&mut self, byte: u64, size: u64) -> Result<Option<(u64, u32)>, TableError> {
        let mut offset = byte;
        let mut start = None;
        let mut cell: Vec<u8> = Vec::new();
        loop {
            let part = self.read(offset, WINDOW)?;
            let last = part.len() < WINDOW as usize;
            for (index, byte) in part.iter().enumerate() {
                match start {
                    None if *byte == b'\n' => start = Some(offset + index as u64 + 1),
                    None => {}
                    // An empty line.
                    Some(_) if cell.is_empty() && matches!(*byte, b'\r' | b'\n') => {
                        start = Some(offset + index as u64 + 1);
                    }
                    Some(start) if *byte == b',' || *byte == b'\n' => {
                        return match id_of(&cell) {
                            Some(id) => Ok(Some((start, id))),
                            None => Err(TableError::new(
                                CURVES_FILE,
                                (1, 1),
                                format!(
                                    "`{}` at byte {start} is no id of a configuration",
                                    shown(&String::from_utf8_lossy(&cell))
                                ),
                                "begin every row with an id; `tune-host bench schedulers --table` \
                                 checks the whole table",
                            )),
                        };
                    }
                    Some(_) => cell.push(*byte),
                }
            }
            offset += part.len() as u64;
            if last || offset >= size {
                return Ok(None);
            }
            if offset - byte > u64::from(MAX_LINE) {
                return Err(TableError::new(
                    CURVES_FILE,
                    (1, 1),
                    format!("a line of more than {MAX_LINE} bytes after byte {byte}"),
                    "a row is an id, t, the cost and a number a metric",
                ));
            }
        }
    }

    fn read(&mut self, offset: u64, max_len: u32) -> Result<Vec<u8>, TableError> {
        self.source.read(offset, max_len).map_err(|e| io(&e))
    }
}

fn id_of(row: &[u8]) -> Option<u32> {
    let cell = row.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

fn io(reason: &str) -> TableError {
    let hint = "the three files of a table stand in one directory";
    TableError::new(CURVES_FILE, (1, 1), reason, hint)
}
