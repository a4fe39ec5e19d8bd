//! `windrow lake check`

use std::io::Write as _;

use windrow_lake::{Checked, Cure};

use super::{CheckArgs, to_read, to_write};
use crate::cli::{Invocation, Out};
use crate::config::checked;
use crate::exit::Code;
use crate::output::{Cell, Column, Table, escape, thousands};

pub(super) async fn run(
    args: &CheckArgs,
    config: &checked::Config,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let found = match args.take_out {
        false => to_read(config).await?.check(Cure::None).await?,
        true => to_write(config).await?.check(Cure::TakeOut).await?,
    };
    let format = args.output.format(&invocation.terminal);
    table(&found).write(out, format, &invocation.terminal)?;
    let damaged = || found.iter().flat_map(|checked| &checked.damaged);
    for one in damaged() {
        let file = one.file.display().to_string();
        writeln!(
            std::io::stderr(),
            "{}: {}",
            escape(&file),
            escape(&one.reason)
        )?;
    }
    if damaged().next().is_none() {
        return Ok(Code::Ok);
    }
    let lost: u64 = found.iter().map(|checked| checked.lost).sum();
    let said = match args.take_out {
        false => format!(
            "up to {} rows are in damaged files: put copies of them in their places, or have the tables forget them with --take-out",
            thousands(lost)
        ),
        true => format!(
            "taken out, with up to {} rows; the files stay on the disk for a day",
            thousands(lost)
        ),
    };
    writeln!(std::io::stderr(), "{said}")?;
    Ok(Code::Negative)
}

fn table(found: &[Checked]) -> Table {
    let columns = [
        Column::Left("table"),
        Column::Right("files"),
        Column::Right("rows"),
        Column::Right("damaged_files"),
        Column::Right("rows_in_them"),
    ];
    let mut table = Table::new(columns);
    for checked in found {
        table.push([
            Cell::from(checked.table),
            checked.files.into(),
            checked.rows.into(),
            (checked.damaged.len() as u64).into(),
            checked.lost.into(),
        ]);
    }
    table
}
