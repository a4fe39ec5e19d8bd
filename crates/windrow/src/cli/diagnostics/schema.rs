//! `windrow diagnostics schema`

use clap::ValueEnum;
use windrow_formats::wad;

use super::super::Out;
use crate::exit::Code;

/// Write a schema of configurations, with which editors complete and check
///
/// It is our own, and takes what the newest versions of Azure Diagnostics took. What a schema cannot see, `validate` does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow diagnostics schema --form xsd > wad.xsd
  windrow diagnostics schema --form json > wad.schema.json")]
pub(super) struct Args {
    /// For XML (xsd) or for JSON (json)
    #[arg(long, value_enum, value_name = "FORM")]
    form: SchemaForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaForm {
    /// XML Schema 1.0
    Xsd,
    /// JSON Schema 2020-12
    Json,
}

pub(super) fn run(args: &Args, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let text = match args.form {
        SchemaForm::Xsd => wad::xsd(),
        SchemaForm::Json => wad::json_schema(),
    };
    out.write_all(text.as_bytes())?;
    Ok(Code::Ok)
}
