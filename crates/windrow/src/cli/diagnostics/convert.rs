//! `windrow diagnostics convert`

use std::path::PathBuf;

use windrow_formats::wad;

use super::super::Out;
use super::{Form, Keys, files};
use crate::exit::{Code, UsageError};

/// Write a configuration in another form, or in the same as everybody would write it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics convert diagnostics.wadcfgx --to json > settings.json
  windrow diagnostics convert settings.json --to xml-full --with-keys \\
      --output-file diagnostics.wadcfgx
  windrow diagnostics convert diagnostics.wadcfgx --to base64 | jq -r .xmlCfg")]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The form
    #[arg(long, value_enum, value_name = "FORM")]
    to: Form,

    #[command(flatten)]
    keys: Keys,

    /// Where to; one that is there is written over, whole
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let (configuration, _) = files::read_sound(&args.file)?;
    let form = wad::Form::from(args.to);
    if form == wad::Form::Xml && configuration.public.is_none() {
        let message = format!(
            "{} has no public part: --to xml-full or json",
            args.file.display()
        );
        return Err(UsageError(message).into());
    }
    args.keys.tell(&configuration, form);
    let text = wad::print(&configuration, form, args.keys.secrets());
    match &args.output_file {
        Some(file) => files::write(file, &text)?,
        None => out.write_all(text.as_bytes())?,
    }
    Ok(Code::Ok)
}
