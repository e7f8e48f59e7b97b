//! A QEMU guest without hardware acceleration: its console, its monitor, its time limit.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::Outcome;

/// From power on to power off; thrice what the slowest takes.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// A running guest; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Guest {
    qemu: Child,
    console: Receiver<String>,
    keyboard: ChildStdin,
    monitor: PathBuf,
    deadline: Instant,
    log: PathBuf,
}

impl Guest {
    /// Starts QEMU. The console's output is kept in `console` of the folder.
    pub(crate) fn start(qemu: &mut Command, folder: &Path) -> Outcome<Self> {
        let monitor = folder.join("monitor");
        let log = folder.join("console");
        qemu.args(["-display", "none", "-no-reboot", "-serial", "stdio", "-qmp"])
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .args(["-accel", "tcg"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut qemu = qemu.spawn().map_err(|error| format!("qemu-system-x86_64: {error}"))?;
        let keyboard = qemu.stdin.take().ok_or("QEMU has no stdin")?;
        let output = qemu.stdout.take().ok_or("QEMU has no stdout")?;
        let console = follow(output, File::create(&log)?);
        Ok(Self { qemu, console, keyboard, monitor, deadline: Instant::now() + TIME_LIMIT, log })
    }

    /// Waits for a line of the console that contains a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> Outcome<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.console.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(self.failure(&format!("waiting for '{text}': {error}"))),
            }
        }
    }

    /// Types a line on the console.
    pub(crate) fn type_line(&mut self, line: &str) -> Outcome<()> {
        self.keyboard.write_all(format!("{line}\n").as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits until the machine is switched off.
    pub(crate) fn wait_for_end(&mut self) -> Outcome<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.console.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.failure("still running at the time limit")),
            }
        }
        let status = self.qemu.wait()?;
        if status.success() { Ok(()) } else { Err(self.failure(&status.to_string())) }
    }

    /// Gives QEMU's monitor commands in its protocol (QMP) and waits until each is done.
    pub(crate) fn monitor(&self, commands: &[String]) -> Outcome<()> {
        let mut stream = UnixStream::connect(&self.monitor)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let greeting = std::iter::once(r#"{"execute":"qmp_capabilities"}"#);
        for command in greeting.chain(commands.iter().map(String::as_str)) {
            stream.write_all(command.as_bytes())?;
            let mut answer = String::new();
            while !answer.starts_with(r#"{"return""#) {
                answer.clear();
                if answers.read_line(&mut answer)? == 0 || answer.starts_with(r#"{"error""#) {
                    return Err(format!("QEMU's monitor: {command}: {answer}").into());
                }
            }
        }
        Ok(())
    }

    fn failure(&self, what: &str) -> Box<dyn std::error::Error> {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last: Vec<&str> = log.lines().rev().take(40).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!("the guest: {what}; its console ends:\n{}", last.join("\n")).into()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Copies the console to a file and hands out its lines.
fn follow(output: impl Read + Send + 'static, mut log: File) -> Receiver<String> {
    let (lines, console) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let _ = log.write_all(&line);
            let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
    console
}
