//! Loads crash kernels; saves, reads and inspects Linux crash dumps.
#![forbid(unsafe_code)]

mod messages;
mod words;

mod numbers;

mod exit;

mod load;
mod watch;

mod estimate;

mod preflight;

mod args;
mod progress;

mod input;
mod ranges;
mod sink;

mod count;
mod facts;
mod symbols;

mod redact;
mod save;

mod report;

mod dmesg;
mod dump;
mod info;
mod merge;
mod pages;
mod read;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use exit::{Exit, Failure};
use messages::Messages;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a message that cannot be printed.
            let _ = error.print();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked_for { Exit::Done } else { Exit::Usage }.code());
        }
    };
    if let Err(error) = cli.check() {
        let _ = error.print();
        return ExitCode::from(Exit::Usage.code());
    }
    let result = match &cli.command {
        Command::Merge(args) => merge::run(args),
        Command::Pages(args) => pages::run(args),
        Command::Read(args) => read::run(args),
        Command::Dmesg(args) => dmesg::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Load(args) => load::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Unload(args) => load::unload(args),
        Command::Exec(args) => load::exec(args),
        Command::Status(args) => load::status(args),
        Command::Plan(args) => load::plan(args),
        Command::Estimate(args) => estimate::run(args),
        Command::Preflight(args) => preflight::run(args),
    };
    let exit = result.unwrap_or_else(|failure| match failure {
        Failure::ReaderGone => Exit::Done,
        Failure::Message(text) => {
            Messages::new(messages::ERROR, true).error(text);
            Exit::Failed
        }
    });
    ExitCode::from(exit.code())
}
