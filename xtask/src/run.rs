//! Running other programs: every failure names the command.

use std::borrow::BorrowMut;
use std::fmt::Debug;
use std::process::{Command, Stdio};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A command by its words.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> Command {
    let (program, arguments) = words.split_first().expect("a command has a first word");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end; a failure to start or an exit code other than 0 is an error.
pub(crate) fn run(mut command: impl BorrowMut<Command>) -> Outcome<()> {
    let command = command.borrow_mut();
    let status = command.status().map_err(|error| describe(command, &error))?;
    if status.success() { Ok(()) } else { Err(describe(command, &status).into()) }
}

/// Runs to the end with its own messages shown; gives its standard output.
pub(crate) fn output(mut command: impl BorrowMut<Command>) -> Outcome<String> {
    let command = command.borrow_mut();
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| describe(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(describe(command, &output.status).into())
    }
}

fn describe(command: &Command, what: &dyn Debug) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    format!("{}: {what:?}", words.join(" "))
}
