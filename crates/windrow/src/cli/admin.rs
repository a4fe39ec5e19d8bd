//! `windrow admin`

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;

use clap::Subcommand;

use super::{Invocation, Out, runtime};
use crate::access::{
    self,
    manage::{self, Add, Named},
};
use crate::access::{Answer, Request, Role, Shown, Tokens};
use crate::admin::Actor;
use crate::client::Client;
use crate::config::{Need, checked};
use crate::datadir;
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput, escape, escape_json};
use crate::service::Offline;

/// Say who may administer this windrow from other machines
///
/// Accounts come in at the privileged endpoint ([admin] in windrow.toml) with a token, or with a certificate of
/// [admin] client_ca whose name has a role in [admin.certificates].
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token add --name ada --role admin
  windrow admin token list")]
pub(super) struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    Token(TokenArgs),
}

/// Tokens: each stands for an account with a role
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token add --name ada --role admin > ada.token
  windrow admin token add --name siem-team --role analyst --days 90
  windrow admin token list
  windrow admin token renew --name ada
  windrow admin token remove --name ada")]
struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(AddArgs),
    List(ListArgs),
    Renew(RenewArgs),
    Remove(RemoveArgs),
}

/// Make a token, and print it: this once, since only its SHA-256 is kept
///
/// A viewer sees destinations, the certificate and the status; an analyst tests destinations too; an admin changes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token add --name ada --role admin > ada.token
  windrow admin token add --name siem-team --role analyst --days 90")]
struct AddArgs {
    /// Whose it is, as records say it
    #[arg(long)]
    name: String,

    /// What it may do: viewer, analyst, admin
    #[arg(long)]
    role: Role,

    /// How many days it is good for [default: until it is removed]
    #[arg(long)]
    days: Option<u32>,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Show the tokens that there are, and what each may do; never a token itself
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token list
  windrow admin token list --output json")]
struct ListArgs {
    #[command(flatten)]
    output: SummaryOutput,
}

/// Make a token anew, and print it: the old one is not taken any more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token renew --name ada > ada.token")]
struct RenewArgs {
    /// Whose it is
    #[arg(long)]
    name: String,

    /// How many days it is good for [default: until it is removed]
    #[arg(long)]
    days: Option<u32>,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Take a token away: it is not taken any more, from the next request on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow admin token remove --name ada")]
struct RemoveArgs {
    /// Whose it is
    #[arg(long)]
    name: String,

    #[command(flatten)]
    output: SummaryOutput,
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let Noun::Token(TokenArgs { verb }) = &args.noun;
    let (request, output) = request(verb);
    let config = invocation.loader.load(Need::Defaults)?;
    invocation.start_log();
    let is_open = config.admin.enabled;
    let answer = runtime()?.block_on(ask(config, request))?;
    match output.output {
        SummaryFormat::Json => json(&answer, out)?,
        SummaryFormat::Table => text(&answer, is_open, out)?,
    }
    Ok(Code::Ok)
}

fn request(verb: &Verb) -> (Request, SummaryOutput) {
    match verb {
        Verb::Add(add) => {
            let (name, role, days) = (add.name.clone(), add.role, add.days);
            (Request::Add(Add { name, role, days }), add.output)
        }
        Verb::List(list) => (Request::List, list.output),
        Verb::Renew(renew) => {
            let (name, days) = (renew.name.clone(), renew.days);
            (Request::Renew(Named { name, days }), renew.output)
        }
        Verb::Remove(remove) => {
            let name = remove.name.clone();
            (Request::Remove(Named { name, days: None }), remove.output)
        }
    }
}

/// Has a request done by the running service, or in the data folder where none runs.
async fn ask(config: checked::Config, request: Request) -> anyhow::Result<Answer> {
    let socket = datadir::socket(&config.data_dir);
    if let Some(mut service) = Client::connect(&socket).await? {
        let answer = service.post_whole(request.verb().path(), request.to_json()?);
        return match answer.await {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) => Err(super::verbs::refused_there(error)),
        };
    }
    super::verbs::usable(&config.data_dir)?;
    if request == Request::List {
        return Ok(Answer::Tokens(Tokens::load(&config.data_dir)?.shown()));
    }
    let actor = Actor::local(
        super::verbs::effective_user(),
        "this machine, the service not running",
        manage::BY,
    );
    let (data_dir, address) = (
        config.data_dir.clone(),
        access::endpoint_address(config.admin.listen).to_string(),
    );
    let offline = Offline::open(config)?;
    // Under the folder's lock: nobody else changes them meanwhile.
    let answer = match Tokens::load(&data_dir) {
        Ok(tokens) => {
            let tokens = Mutex::new(tokens);
            manage::apply(&tokens, request, &actor, offline.recorder(), &address).await
        }
        Err(error) => Err(manage::refusal(error)),
    };
    offline.close().await;
    answer.map_err(super::verbs::refused)
}

fn json(answer: &Answer, out: &mut Out<'_>) -> anyhow::Result<()> {
    let text = match answer {
        Answer::Made(made) => serde_json::to_string_pretty(made),
        Answer::Removed(shown) => serde_json::to_string_pretty(shown),
        Answer::Tokens(tokens) => serde_json::to_string_pretty(tokens),
    };
    Ok(writeln!(out, "{}", escape_json(&text?))?)
}

#[expect(
    clippy::print_stderr,
    reason = "beside the token, which alone goes to standard output"
)]
fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {}", escape(warning));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "beside the token, which alone goes to standard output"
)]
fn text(answer: &Answer, is_open: bool, out: &mut Out<'_>) -> anyhow::Result<()> {
    match answer {
        Answer::Made(made) => {
            writeln!(out, "{}", escape(&made.token))?;
            out.flush()?;
            eprintln!(
                "{}: keep it, it is shown this once",
                escape(&line(&made.shown))
            );
            if io::stdout().is_terminal() {
                eprintln!("into a file that only its owner can read, for --token-file");
            }
            warn(&made.warnings);
            if !is_open {
                eprintln!(
                    "the endpoint is not open: [admin] enabled = true in windrow.toml opens it"
                );
            }
        }
        Answer::Removed(gone) => {
            writeln!(out, "{} is removed", escape(&line(&gone.shown)))?;
            warn(&gone.warnings);
        }
        Answer::Tokens(tokens) if tokens.is_empty() => writeln!(
            out,
            "there is no token; `windrow admin token add --name NAME --role ROLE` makes one"
        )?,
        Answer::Tokens(tokens) => {
            for shown in tokens {
                writeln!(out, "{}", escape(&line(shown)))?;
            }
        }
    }
    Ok(())
}

fn line(shown: &Shown) -> String {
    let Shown {
        name,
        role,
        created,
        expires,
    } = shown;
    let until = match expires {
        Some(expires) => format!("until {expires:.0}"),
        None => "until it is removed".to_owned(),
    };
    format!("{name}  {role}  made {created:.0}, good {until}")
}
