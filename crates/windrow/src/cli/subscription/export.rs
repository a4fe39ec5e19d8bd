//! `windrow subscription export`

use std::io::Write as _;
use std::path::PathBuf;

use super::super::verbs::Verbs;
use super::super::{Invocation, Out, runtime};
use super::{get, windows};
use crate::admin::Verb;
use crate::exit::Code;
use crate::output::escape;

/// Write a subscription as Windows has it: XML that `wecutil cs` and `windrow subscription import` take
///
/// What a collector of Windows has no place for is told on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription export base > base.xml
  windrow subscription export base --output-file base.xml")]
pub(super) struct Args {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    /// Where to; one that is there is written over
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let found = runtime()?.block_on(async {
        let mut verbs = Verbs::open(invocation, Verb::SubscriptionGet).await?;
        get(&mut verbs, Some(args.name.clone())).await
    })?;
    let Some(subscription) = found.subscriptions.first() else {
        return Err(anyhow::anyhow!("the service answers something else"));
    };
    let (xml, notes) = windows::write(subscription, &found.groups);
    match &args.output_file {
        Some(file) => fs_err::write(file, xml)?,
        None => out.write_all(xml.as_bytes())?,
    }
    let mut stderr = std::io::stderr().lock();
    for note in notes {
        writeln!(stderr, "note: {}", escape(&note))?;
    }
    Ok(Code::Ok)
}
