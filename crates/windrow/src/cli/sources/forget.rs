//! `windrow sources forget`

use super::super::verbs::ask;
use super::super::{Invocation, Out, runtime};
use crate::admin::{Answer, Named, Request};
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput, escape};

/// Forget a machine that will not come again
///
/// It is no longer silent, and no longer there. Its events stay. If it does come again it is a new machine, which begins
/// in each subscription anew; so one that was heard of a quarter of an hour ago or less is not forgotten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The machine, by its whole name, its account, or what people call it
    name: String,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let name = args.name.clone();
    let request = Request::SourceForget(Named { name });
    let answer = runtime()?.block_on(ask(invocation, request))?;
    let Answer::SourceForgotten(forgotten) = answer else {
        return Err(anyhow::anyhow!("the service answers something else"));
    };
    match args.output.output {
        SummaryFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&forgotten)?)?,
        SummaryFormat::Table => {
            let (name, places) = (escape(&forgotten.name), forgotten.places);
            writeln!(
                out,
                "{name} is forgotten, with its places in {places} subscriptions"
            )?;
            if forgotten.expected {
                writeln!(
                    out,
                    "it is expected still: [fleet] in windrow.toml names it"
                )?;
            }
        }
    }
    Ok(Code::Ok)
}
