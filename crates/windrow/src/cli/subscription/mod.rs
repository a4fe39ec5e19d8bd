//! `windrow subscription`: what machines are asked for, as objects that commands change. The running service offers a
//! change at once; where none runs, it is written into the data folder for the next start.

mod export;
mod files;
mod group;
mod import;
mod keys;
mod list;
mod show;
pub(super) mod test;
mod windows;

use clap::Subcommand;

use super::verbs::ask;
use super::{Invocation, Out, runtime};
use crate::admin::{
    Answer, Existing, Named, Request, SubscriptionAdd, SubscriptionGet, SubscriptionSet,
};
use crate::exit::Code;
use crate::output::{SummaryFormat, SummaryOutput};

use keys::{Asked, How, Key, Whom};

/// Say what machines are asked to send, and which machines, without editing a file and without a restart
///
/// Settings made here lie in the data folder (conf.d), next to windrow.toml, which stays yours: a subscription that
/// stands there is changed there. Machines take a change up when they ask next (Refresh in the group policy). Each change
/// is put on record, as event 30 of windrow's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription add base --baseline essential
  windrow subscription add dc --baseline domain-controller --machines 'dc*'
  windrow subscription list
  windrow subscription test base --events Security.evtx
  windrow subscription import windows-event-forwarding/ --dry-run
  windrow subscription set base --delivery minimize-latency
  windrow subscription export base --output-file base.xml")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::Args),
    Show(Show),
    Add(Box<Add>),
    Set(Box<Set>),
    Enable(Enable),
    Disable(Disable),
    Remove(Remove),
    Import(Box<import::Args>),
    Export(export::Args),
    Test(Box<test::Args>),
    Group(group::Args),
}

/// Show all of a subscription: its settings, its query, who has it, what machines need for it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription show base
  windrow subscription show base --output json | jq -r .query")]
struct Show {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Add a subscription
///
/// It is for every machine unless you say which. Machines begin with what happens from then on, unless --read-existing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription add base --baseline essential
  windrow subscription add dc --baseline domain-controller \\
      --machines 'dc*.example.com,PDC$@EXAMPLE.COM'
  windrow subscription add logons --query-file logons.xml --group servers \\
      --except 'test*' --delivery minimize-latency
  windrow subscription add app --channel Application,System --content-format raw
  windrow subscription add auth --from-xml Authentication.xml --machines 'ws*'

docs/baselines.md says what is in each baseline, and why.
Then: windrow subscription show NAME")]
struct Add {
    /// Its name: a-z, 0-9, - and _. Machines' places hang on it
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    asked: Asked,

    /// Settings and query as Windows has them (wecutil gs NAME /f:xml); what you say beside it counts
    #[arg(
        long,
        value_name = "FILE",
        group = "asked",
        help_heading = "What is asked for"
    )]
    from_xml: Option<std::path::PathBuf>,

    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    how: How,

    /// Offer it to nobody yet
    #[arg(long)]
    disabled: bool,

    /// Set it anew, all of it, where there is one of the name; machines keep their places
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Change parts of a subscription: what is not said stays
///
/// The answer says whether machines see a change. Where they do, they subscribe anew from where they are: nothing is sent
/// twice, and of a channel that the query gains only what happens from then on (--new-channels replay: all of it).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription set base --machines 'ws*,srv*' --except ws99
  windrow subscription set base --query-file base.xml
  windrow subscription set base --delivery minimize-bandwidth
  windrow subscription set base --reset machines --reset description")]
struct Set {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    asked: Asked,

    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    how: How,

    /// Give a key its default again (may be given more than once)
    #[arg(long, value_name = "KEY", value_enum)]
    reset: Vec<Key>,

    #[command(flatten)]
    output: SummaryOutput,
}

/// Offer a subscription again: machines go on from where they were
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription enable base")]
struct Enable {
    #[command(flatten)]
    which: Which,
}

/// Offer a subscription to nobody: machines stop sending for it when they ask next, and keep their places
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription disable base")]
struct Disable {
    #[command(flatten)]
    which: Which,
}

/// Take a subscription away
///
/// Machines stop sending for it when they ask next. Their places are kept as long as there is room: one that is added
/// under the same name goes on from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  windrow subscription remove base")]
struct Remove {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    output: SummaryOutput,
}

impl Which {
    fn named(&self) -> Named {
        Named {
            name: self.name.clone(),
        }
    }
}

pub(super) fn run(args: &Args, invocation: &Invocation, out: &mut Out<'_>) -> anyhow::Result<Code> {
    let (request, output) = match &args.verb {
        Verb::List(args) => return list::run(args, invocation, out),
        Verb::Import(args) => return import::run(args, invocation, out),
        Verb::Export(args) => return export::run(args, invocation, out),
        Verb::Test(args) => return test::run(args, invocation, out),
        Verb::Group(args) => return group::run(args, invocation, out),
        Verb::Show(show) => {
            let name = Some(show.name.clone());
            (
                Request::SubscriptionGet(SubscriptionGet { name }),
                show.output,
            )
        }
        Verb::Add(add) => (
            Request::SubscriptionAdd(Box::new(add.request()?)),
            add.output,
        ),
        Verb::Set(set) => (
            Request::SubscriptionSet(Box::new(set.request()?)),
            set.output,
        ),
        Verb::Enable(Enable { which }) => {
            (Request::SubscriptionEnable(which.named()), which.output)
        }
        Verb::Disable(Disable { which }) => {
            (Request::SubscriptionDisable(which.named()), which.output)
        }
        Verb::Remove(Remove { which }) => {
            (Request::SubscriptionRemove(which.named()), which.output)
        }
    };
    done(request, output.output, invocation, out)
}

/// Has a request done and prints the answer.
fn done(
    request: Request,
    format: SummaryFormat,
    invocation: &Invocation,
    out: &mut Out<'_>,
) -> anyhow::Result<Code> {
    let answer = runtime()?.block_on(ask(invocation, request))?;
    match format {
        SummaryFormat::Json => show::json(&answer, out)?,
        SummaryFormat::Table => show::text(&answer, invocation.terminal.paint(), out)?,
    }
    Ok(Code::Ok)
}

/// What there is, by name; one of them with all that is known of it.
async fn get(
    verbs: &mut super::verbs::Verbs,
    name: Option<String>,
) -> anyhow::Result<crate::admin::Subscriptions> {
    let get = Request::SubscriptionGet(SubscriptionGet { name });
    match verbs.ask(get).await? {
        Answer::Subscriptions(found) => Ok(found),
        _ => Err(anyhow::anyhow!("the service answers something else")),
    }
}

impl Add {
    fn request(&self) -> anyhow::Result<SubscriptionAdd> {
        let mut keys = match &self.from_xml {
            Some(file) => keys::of_windows(file, &self.whom)?,
            None => self.asked.keys()?,
        };
        self.whom.add_to(&mut keys);
        self.how.add_to(&mut keys);
        if self.disabled {
            keys.enabled = Some(false);
        }
        Ok(SubscriptionAdd {
            name: self.name.clone(),
            keys,
            existing: match self.replace {
                true => Existing::Replace,
                false => Existing::Refuse,
            },
        })
    }
}

impl Set {
    fn request(&self) -> anyhow::Result<SubscriptionSet> {
        let mut keys = self.asked.keys()?;
        self.whom.add_to(&mut keys);
        self.how.add_to(&mut keys);
        Ok(SubscriptionSet {
            name: self.name.clone(),
            keys,
            reset: self.reset.iter().map(|key| key.word()).collect(),
        })
    }
}
