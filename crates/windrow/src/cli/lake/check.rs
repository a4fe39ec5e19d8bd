//! `windrow lake check`

use std::io::Write as _;

use tokio::sync::mpsc;
use windrow_lake::{Checked, Cure, Done, Kept};

use super::{CheckArgs, record, to_read, to_write};
use crate::cli::{Invocation, Out};
use crate::config::checked;
use crate::exit::Code;
use crate::output::{Cell, Column, Table, escape, thousands};
use crate::retention;

pub(super) async fn run(
    args: &CheckArgs,
    config: &checked::Config,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let (found, recorded) = match args.take_out {
        false => (to_read(config).await?.check(Cure::None).await, Ok(())),
        true => {
            let (lake, held) = (to_write(config).await?, retention::of(&config.lake));
            let (told, taken) = mpsc::channel(record::TOLD_AHEAD);
            let checking = async move { lake.check(Cure::TakeOut(&held.holds, &told)).await };
            tokio::join!(checking, record::all(config, taken))
        }
    };
    recorded?;
    let Done {
        done: found,
        failed,
    } = found;
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
        return super::after(failed, out);
    }
    let lost: u64 = found.iter().map(|checked| checked.lost).sum();
    let kept = || found.iter().flat_map(|checked| &checked.kept);
    for (file, why) in kept() {
        let file = file.display().to_string();
        let why = match why {
            Kept::Held(hold) => format!("[lake.hold.{hold}] may be of its rows"),
            Kept::Disk => "the disk cannot read it, which may pass".to_owned(),
        };
        writeln!(
            std::io::stderr(),
            "{} stays: {}",
            escape(&file),
            escape(&why)
        )?;
    }
    let said = match args.take_out {
        false => format!(
            "up to {} rows are in damaged files: put copies of them in their places, or have the tables forget them with --take-out",
            thousands(lost)
        ),
        true => format!(
            "of {} damaged files, with up to {} rows, {} were taken out; they stay on the disk for a day",
            damaged().count(),
            thousands(lost),
            damaged().count() - kept().count()
        ),
    };
    writeln!(std::io::stderr(), "{said}")?;
    super::after(failed, out).map(|_| Code::Negative)
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
