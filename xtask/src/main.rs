//! `cargo xtask TASK`: see [`USAGE`].
#![forbid(unsafe_code)]
// A tool that a developer runs: its answer belongs on standard output.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xtask::{bans, bench, docs, features, licences, project::Project, texts, tidy};

const USAGE: &str = "\
cargo xtask TASK

  tidy           hold the repository to its own rules (see CONTRIBUTING.md)
  licences       check every dependency's licence and source, and that none is banned
  features       check that the tests share the program's build of every dependency
  third-party    write THIRD-PARTY.md from the dependencies of the program
  licence-texts  print the licences and notices that the program's dependencies come with
  bench [NAME…] [--output json]
                 run the benchmarks and print their figures as one table
  docs           write the configuration's example into its page
  docs-commands  list the commands that docs/ tells a reader to run, one a line
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let root = xtask::project::root();
    match task.as_str() {
        "tidy" => report("tidy", &tidy::check(&Project::load(&root)?)),
        "licences" => {
            let policy = licences::Policy::read(&root)?;
            let packages = licences::resolve(&root)?;
            let mut findings = licences::check(&policy, &packages);
            findings.extend(bans::check(&root)?);
            findings.extend(licences::stale_notice(&packages, &Project::load(&root)?));
            report("licences", &findings)
        }
        "bench" => {
            let (chosen, output) = bench::arguments(args)?;
            print!("{}", bench::run(&root, &chosen, output)?);
            Ok(ExitCode::SUCCESS)
        }
        "features" => report("features", &features::check(&root)?),
        "third-party" => {
            let text = licences::notice(&licences::resolve(&root)?);
            let path = root.join("THIRD-PARTY.md");
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        "licence-texts" => {
            print!("{}", texts::all(&licences::resolve(&root)?)?);
            Ok(ExitCode::SUCCESS)
        }
        "docs" => {
            let project = Project::load(&root)?;
            let text = |path| project.get(path).with_context(|| format!("reading {path}"));
            let page = text(docs::CONFIGURATION_PAGE)?;
            let example = text(docs::CONFIGURATION_EXAMPLE)?;
            let written = docs::configuration_page(&page.text, &example.text)
                .with_context(|| format!("{} has no toml windrow block", page.path))?;
            std::fs::write(root.join(&page.path), written)?;
            Ok(ExitCode::SUCCESS)
        }
        "docs-commands" => {
            for command in docs::commands(&Project::load(&root)?) {
                println!("{}:{}: {}", command.path, command.line, command.text);
            }
            Ok(ExitCode::SUCCESS)
        }
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no task is called {other:?}\n\n{USAGE}"),
    }
}

fn report(what: &str, findings: &[tidy::Finding]) -> Result<ExitCode> {
    for finding in findings {
        println!("{finding}");
    }
    println!("{what}: {} findings", findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
