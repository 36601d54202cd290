//! `configurations.csv`: a row a configuration, `id` and then the parameters in the order of the
//! space. An inactive parameter is an empty cell.

use tune_space::{Config, Domain, Parameter, Space, Value};

use crate::{
    CONFIGURATIONS_FILE, MAX_CONFIGURATIONS_BYTES, Row, TableError, curve,
    error::shown,
    lines::{Cell, Line, Lines, header, write_cell},
    lookup::Lookup,
};

/// Configurations at most: as many as a run may have points to evaluate many times over.
const MAX_ROWS: usize = 1_000_000;

fn columns(space: &Space) -> Vec<&str> {
    let names = space.parameters().iter().map(|p| p.name.as_str());
    std::iter::once("id").chain(names).collect()
}

pub(crate) fn read(bytes: &[u8], space: &Space) -> Result<(Vec<Row>, Lookup), TableError> {
    if bytes.len() as u64 > MAX_CONFIGURATIONS_BYTES {
        let what = format!("a file of {} bytes", bytes.len());
        let hint = format!("at most {MAX_CONFIGURATIONS_BYTES} are allowed");
        return Err(TableError::new(CONFIGURATIONS_FILE, (1, 1), what, hint));
    }
    let mut lines = Lines::new(CONFIGURATIONS_FILE, bytes);
    let columns = columns(space);
    header(&mut lines, CONFIGURATIONS_FILE, &columns)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut lookup = Lookup::default();
    while let Some(line) = lines.next_line() {
        let line = line?;
        if rows.len() >= MAX_ROWS {
            let hint = "split the table";
            return Err(line.error(1, format!("more than {MAX_ROWS} configurations"), hint));
        }
        let row = row(&line, space, columns.len())?;
        if let Some(last) = rows.last()
            && row.id <= last.id
        {
            let (what, hint) = if row.id == last.id {
                (
                    format!("configuration {} stands in the file twice", row.id),
                    "remove one of the rows",
                )
            } else {
                (
                    format!("configuration {} comes after {}", row.id, last.id),
                    "sort the rows by id",
                )
            };
            return Err(line.error(1, what, hint));
        }
        if let Some(earlier) = lookup.add(space, rows.len(), &row.config) {
            let earlier = rows.get(earlier).map_or(0, |row| row.id);
            return Err(line.error(
                1,
                format!(
                    "configuration {} has the same values as configuration {earlier}",
                    row.id
                ),
                "remove one of the two, here and in curves.csv: a table has one curve a configuration",
            ));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        let hint = "a table has at least one configuration";
        return Err(TableError::new(
            CONFIGURATIONS_FILE,
            lines.end(),
            "no rows",
            hint,
        ));
    }
    Ok((rows, lookup))
}

fn row(line: &Line<'_>, space: &Space, columns: usize) -> Result<Row, TableError> {
    let cells = line.row(columns)?;
    let mut cells = cells.iter();
    let missing = || line.error(1, "the id is missing", "begin every row with an id");
    let id = curve::id(line, cells.next().ok_or_else(missing)?)?;
    let mut config = Config::new();
    for (parameter, cell) in space.parameters().iter().zip(cells) {
        let active = parameter.is_active(&config);
        let empty = cell.text.trim().is_empty();
        match (active, empty) {
            (true, false) => {
                config.insert(parameter.name.as_str(), value(line, parameter, cell)?);
            }
            (false, true) => {}
            (true, true) => {
                return Err(line.error(
                    cell.column,
                    format!("`{}` is empty, but active here", parameter.name),
                    format!("give it a value: {}", parameter.domain),
                ));
            }
            (false, false) => {
                return Err(line.error(
                    cell.column,
                    format!(
                        "`{}` is `{}`, but not active here",
                        parameter.name,
                        shown(&cell.text)
                    ),
                    "leave the cell empty: the `when` of the parameter does not hold",
                ));
            }
        }
    }
    Ok(Row { id, config })
}

fn value(line: &Line<'_>, parameter: &Parameter, cell: &Cell<'_>) -> Result<Value, TableError> {
    let text = cell.text.as_ref();
    let value = match &parameter.domain {
        Domain::Real(_) | Domain::Gaussian(_) => Some(Value::Number(curve::number(line, cell)?)),
        Domain::Whole(_) => text.trim().parse().ok().map(Value::Integer),
        Domain::Choice(values) | Domain::Ordered(values) => {
            values.iter().find(|v| v.to_string() == text).cloned()
        }
    };
    value
        .filter(|value| parameter.domain.contains(value))
        .ok_or_else(|| {
            line.error(
                cell.column,
                format!("`{}` is `{}`", parameter.name, shown(text)),
                format!("expected {}", parameter.domain),
            )
        })
}

pub(crate) fn write(space: &Space, rows: &[Row]) -> String {
    let mut text = String::new();
    for (index, column) in columns(space).iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_cell(&mut text, column);
    }
    text.push('\n');
    for row in rows {
        text.push_str(&row.id.to_string());
        for parameter in space.parameters() {
            text.push(',');
            if let Some(value) = row.config.get(&parameter.name) {
                write_cell(&mut text, &value.to_string());
            }
        }
        text.push('\n');
    }
    text
}

/// Why the alternatives of a parameter cannot stand in cells, if they cannot.
pub(crate) fn unwritable(parameter: &Parameter) -> Option<String> {
    let (Domain::Choice(values) | Domain::Ordered(values)) = &parameter.domain else {
        return None;
    };
    let mut seen = std::collections::BTreeSet::new();
    values.iter().find_map(|value| {
        let text = value.to_string();
        let reason = if text.trim().is_empty() {
            "one of its values is an empty text"
        } else if text.contains(['\n', '\r']) {
            "one of its values has several lines"
        } else if !seen.insert(text.clone()) {
            "two of its values are written the same"
        } else {
            return None;
        };
        Some(format!(
            "`{}` cannot stand in a table: {reason} ({})",
            parameter.name,
            shown(&text)
        ))
    })
}
