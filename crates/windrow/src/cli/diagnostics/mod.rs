//! `windrow diagnostics`: configurations of Azure Diagnostics, as files and in force.

mod change;
mod convert;
mod files;
mod get;
mod merge;
mod schema;
mod set;
mod show;
mod test;
mod validate;

use clap::{Subcommand, ValueEnum};
use windrow_formats::wad;

use super::{Invocation, Out};
use crate::exit::Code;

/// Check configurations of Azure Diagnostics (.wadcfgx, WadCfg, xmlCfg), convert and merge them, put them in force
///
/// Every form is read: XML with PublicConfig or DiagnosticsConfiguration, that of version 1.0, JSON, and JSON with the XML
/// as base64. Keys of the private part are never shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics validate diagnostics.wadcfgx
  windrow diagnostics show diagnostics.wadcfgx
  windrow diagnostics convert diagnostics.wadcfgx --to json
  windrow diagnostics merge logons.xml --into diagnostics.wadcfgx
  windrow diagnostics set diagnostics.wadcfgx --name shop --key-file shop.key
  windrow diagnostics get
  windrow diagnostics test --name shop
  windrow diagnostics schema --form xsd > wad.xsd")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Validate(validate::Args),
    Show(show::Args),
    Convert(convert::Args),
    Merge(merge::Args),
    Set(Box<set::Set>),
    Get(get::Args),
    Test(test::Args),
    Remove(set::Remove),
    Rollback(set::Rollback),
    Schema(schema::Args),
}

/// A form that a configuration is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// XML, the public part alone (PublicConfig)
    Xml,
    /// XML with both parts (DiagnosticsConfiguration), as projects have it
    XmlFull,
    /// JSON, as the settings of a virtual machine have it
    Json,
    /// JSON that holds the XML as base64 (xmlCfg)
    Base64,
}

impl From<Form> for wad::Form {
    fn from(form: Form) -> wad::Form {
        match form {
            Form::Xml => wad::Form::Xml,
            Form::XmlFull => wad::Form::XmlFull,
            Form::Json => wad::Form::Json,
            Form::Base64 => wad::Form::Base64,
        }
    }
}

/// Whether keys are written.
#[derive(Debug, clap::Args)]
struct Keys {
    /// Write the keys of the private part too; without it they are left out
    #[arg(long)]
    with_keys: bool,
}

impl Keys {
    fn secrets(&self) -> wad::Secrets {
        match self.with_keys {
            true => wad::Secrets::Reveal,
            false => wad::Secrets::Omit,
        }
    }

    /// Tells on stderr that keys are left out, where there are any.
    fn tell(&self, configuration: &wad::Configuration, form: wad::Form) {
        let written = |secrets| wad::print(configuration, form, secrets);
        let is_less = written(wad::Secrets::Omit) != written(wad::Secrets::Reveal);
        if !self.with_keys && is_less {
            files::note("keys are left out: --with-keys writes them");
        }
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    match &args.verb {
        Verb::Validate(args) => validate::run(args, invocation, out),
        Verb::Show(args) => show::run(args, invocation, out),
        Verb::Convert(args) => convert::run(args, out),
        Verb::Merge(args) => merge::run(args, invocation, out),
        Verb::Set(args) => set::set(args, invocation, out),
        Verb::Get(args) => get::run(args, invocation, out),
        Verb::Test(args) => test::run(args, invocation, out),
        Verb::Remove(args) => set::remove(args, invocation, out),
        Verb::Rollback(args) => set::roll_back(args, invocation, out),
        Verb::Schema(args) => schema::run(args, out),
    }
}
