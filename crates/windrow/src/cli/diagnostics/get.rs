//! `windrow diagnostics get`

use clap::ValueEnum;

use super::super::verbs::ask;
use super::super::{Invocation, Out, runtime};
use crate::admin::{Answer, Configuration, Configurations, DiagnosticsGet, Request};
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput, escape, escape_json};

/// Show the configurations in force: for whom, since when, where their rows go, and what they mean
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics get
  windrow diagnostics get --name shop
  windrow diagnostics get --name shop --print xml > shop.xml
  windrow diagnostics get --name shop --print settings")]
pub(super) struct Args {
    /// This one, with its earlier revisions and the settings it means
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Print only this of it
    #[arg(long, value_enum, value_name = "WHAT", requires = "name")]
    print: Option<Print>,

    #[command(flatten)]
    output: SummaryOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Print {
    /// The configuration, without keys
    Xml,
    /// The settings it means, as windrow.toml would have them
    Settings,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let name = args.name.clone();
    let request = Request::DiagnosticsGet(DiagnosticsGet { name });
    let answer = runtime()?.block_on(ask(invocation, request))?;
    let Answer::Configurations(found) = answer else {
        anyhow::bail!("an answer to something else: {answer:?}");
    };
    match (args.print, args.output.output) {
        (Some(print), _) => printed(&found, print, out)?,
        (None, SummaryFormat::Json) => {
            let json = serde_json::to_string_pretty(&found)?;
            writeln!(out, "{}", escape_json(&json))?;
        }
        (None, SummaryFormat::Table) if args.name.is_some() => {
            for configuration in &found.configurations {
                whole(configuration, out)?;
            }
        }
        (None, SummaryFormat::Table) => list(&found, out)?,
    }
    Ok(Code::Ok)
}

fn printed(found: &Configurations, print: Print, out: &mut Out<'_>) -> anyhow::Result<()> {
    for configuration in &found.configurations {
        let text = match print {
            Print::Xml => &configuration.configuration,
            Print::Settings => &configuration.settings,
        };
        lines(text, out)?;
    }
    Ok(())
}

fn list(found: &Configurations, out: &mut Out<'_>) -> anyhow::Result<()> {
    if found.configurations.is_empty() {
        let line = "none is in force; `windrow diagnostics set FILE --name NAME` puts one in force";
        return Ok(writeln!(out, "{line}")?);
    }
    for configuration in &found.configurations {
        writeln!(out, "{}", escape(&head(configuration)))?;
    }
    Ok(())
}

/// `shop  revision 3 of 2026-11-23T10:00:00Z by ada  for group web  to shoplogs`
fn head(of: &Configuration) -> String {
    let groups = of
        .machine_groups
        .iter()
        .map(|group| format!("group {group}"));
    let mut whom: Vec<String> = groups.chain(of.machines.iter().cloned()).collect();
    if whom.is_empty() {
        whom.push("every machine".to_owned());
    }
    let to = of.account.as_deref().unwrap_or("no account");
    format!(
        "{}  revision {} of {:.0} by {}  for {}  to {to}",
        of.name,
        of.revision,
        of.set_at,
        of.set_by,
        whom.join(", ")
    )
}

fn whole(of: &Configuration, out: &mut Out<'_>) -> anyhow::Result<()> {
    writeln!(out, "{}", escape(&head(of)))?;
    let storage = [
        ("tables at", of.endpoint.clone()),
        (
            "opened by",
            of.credential.as_ref().map(|kind| format!("a {kind}")),
        ),
        ("DeploymentId", Some(of.deployment_id.clone())),
        ("Role", Some(of.role.clone())),
        ("file", Some(of.file.display().to_string())),
    ];
    for (what, value) in storage {
        if let Some(value) = value {
            writeln!(out, "  {what:<14}{}", escape(&value))?;
        }
    }
    for undone in &of.undone {
        writeln!(out, "  not done: {}", escape(undone))?;
    }
    for earlier in &of.earlier {
        let line = format!(
            "  revision {} of {:.0} by {}",
            earlier.revision, earlier.set_at, earlier.set_by
        );
        writeln!(out, "{}", escape(&line))?;
    }
    writeln!(out)?;
    lines(&of.settings, out)
}

/// A text of several lines.
fn lines(text: &str, out: &mut Out<'_>) -> anyhow::Result<()> {
    for line in text.trim_end().lines() {
        writeln!(out, "{}", escape(line))?;
    }
    Ok(())
}
