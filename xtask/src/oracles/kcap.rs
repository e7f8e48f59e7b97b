//! Runs `kcap`, and the peer that knows the same options.

use std::fs::File;
use std::path::PathBuf;

use super::checks::ensure;
use crate::run::{Outcome, command, run};
use crate::targets;

/// The tool under test.
#[derive(Debug)]
pub(crate) struct Kcap {
    program: PathBuf,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// The standard output of a run that ended with a code.
    pub(crate) fn expect(self, code: i32) -> Outcome<Vec<u8>> {
        ensure(self.code == Some(code), || {
            format!("exit code {:?}, not {code}\n{}", self.code, self.stderr)
        })?;
        Ok(self.stdout)
    }
}

/// Builds `kcap` optimised, for a target or for this host; gives the program.
pub(crate) fn build(target: Option<&str>) -> Outcome<PathBuf> {
    let mut build = command(&[targets::cargo()]);
    build.args(["build", "--quiet", "--release", "--package", "kcap"]);
    if let Some(target) = target {
        targets::add(target)?;
        build.args(["--target", target]);
    }
    run(build)?;
    Ok(targets::folder()?.join(target.unwrap_or_default()).join("release/kcap"))
}

impl Kcap {
    pub(crate) fn find() -> Outcome<Self> {
        let program = match std::env::var_os("KCAPTURE_KCAP") {
            Some(program) => program.into(),
            None => build(None)?,
        };
        Ok(Self { program })
    }

    /// The program, for those who run it in their own way.
    pub(crate) fn program(&self) -> String {
        self.program.display().to_string()
    }

    /// Runs it, whatever the exit code.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome<Ended> {
        let output = command(&[&self.program]).args(arguments).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Ended { code: output.status.code(), stdout: output.stdout, stderr })
    }

    /// `kcap dump`, which must succeed. Options are separated by blanks.
    pub(crate) fn dump(&self, options: &str, files: &[&str]) -> Outcome<()> {
        let mut words = vec!["dump"];
        words.extend(options.split_whitespace());
        words.extend(files);
        self.run(&words)?.expect(0).map(|_| ())
    }

    /// `kcap dump -F`, its standard output in a file.
    pub(crate) fn dump_stream(&self, options: &str, input: &str, out: &str) -> Outcome<()> {
        let mut stream = command(&[&self.program]);
        stream.args(["dump", "-F"]).args(options.split_whitespace()).arg(input).stdout(File::create(out)?);
        run(stream)
    }
}

/// Debian's makedumpfile; its messages are shown only if it fails.
pub(crate) fn makedumpfile(options: &str, files: &[&str]) -> Outcome<()> {
    let output = command(&["makedumpfile"]).args(options.split_whitespace()).args(files).output()?;
    ensure(output.status.success(), || {
        let messages = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        format!("makedumpfile {options}: {}", String::from_utf8_lossy(&messages))
    })
}
