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
            // With a thread a CPU, a CPU may run an instruction that another one has replaced since: a kernel that patches
            // its own code then dies of an int3 that is not there any more.
            .args(["-accel", "tcg,thread=single"])
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
        self.lines_until(text).map(drop)
    }

    /// The lines of the console up to the first that contains a text.
    pub(crate) fn lines_until(&mut self, text: &str) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.console.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(lines),
                Ok(line) => lines.push(line),
                Err(error) => return Err(self.failure(&format!("waiting for '{text}': {error}"))),
            }
        }
    }

    /// The first line of the console that contains a text.
    pub(crate) fn line_with(&mut self, text: &str) -> Outcome<String> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.console.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(_) => {}
                Err(error) => return Err(self.failure(&format!("waiting for '{text}': {error}"))),
            }
        }
    }

    /// What the console says in the next `time`.
    pub(crate) fn lines_for(&mut self, time: Duration) -> Vec<String> {
        let end = Instant::now() + time;
        let next = || self.console.recv_timeout(end.saturating_duration_since(Instant::now())).ok();
        std::iter::from_fn(next).collect()
    }

    /// Types a line on the console.
    pub(crate) fn type_line(&mut self, line: &str) -> Outcome<()> {
        self.keyboard.write_all(format!("{line}\n").as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits until the machine is switched off.
    pub(crate) fn wait_for_end(&mut self) -> Outcome<()> {
        self.lines_until_end().map(drop)
    }

    /// What the console says until the machine is switched off or resets.
    pub(crate) fn lines_until_end(&mut self) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.console.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.failure("still running at the time limit")),
            }
        }
        let status = self.qemu.wait()?;
        if status.success() { Ok(lines) } else { Err(self.failure(&status.to_string())) }
    }

    /// Whether the machine's first CPU executes nothing and waits for an interrupt.
    pub(crate) fn is_halted(&self) -> Outcome<()> {
        let ask = r#"{"execute":"human-monitor-command","arguments":{"command-line":"info registers"}}"#;
        let answer = self.monitor(&[ask.to_owned()])?;
        if answer.contains("HLT=1") {
            Ok(())
        } else {
            Err(format!("the machine is not halted: {answer}").into())
        }
    }

    /// Writes physical memory as it is now to a file.
    pub(crate) fn save_memory(&self, address: u64, len: u64, file: &Path) -> Outcome<()> {
        let file = file.display();
        let save = format!(
            r#"{{"execute":"pmemsave","arguments":{{"val":{address},"size":{len},"filename":"{file}"}}}}"#
        );
        self.monitor(&[save]).map(drop)
    }

    /// Gives QEMU's monitor commands in its protocol (QMP) and waits until each is done;
    /// the last one's answer.
    pub(crate) fn monitor(&self, commands: &[String]) -> Outcome<String> {
        let mut stream = UnixStream::connect(&self.monitor)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let greeting = std::iter::once(r#"{"execute":"qmp_capabilities"}"#);
        let mut answer = String::new();
        for command in greeting.chain(commands.iter().map(String::as_str)) {
            stream.write_all(command.as_bytes())?;
            answer.clear();
            while !answer.starts_with(r#"{"return""#) {
                answer.clear();
                if answers.read_line(&mut answer)? == 0 || answer.starts_with(r#"{"error""#) {
                    return Err(format!("QEMU's monitor: {command}: {answer}").into());
                }
            }
        }
        Ok(answer)
    }

    /// Writes the machine's state to a file `state` of QEMU's folder, and leaves the machine stopped. QEMU goes on from
    /// there with [`Self::GO_ON`] on the same command line.
    pub(crate) fn save_state(&self) -> Outcome<()> {
        self.monitor(&[
            r#"{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":17179869184}}"#.to_owned(),
            r#"{"execute":"migrate","arguments":{"uri":"exec:cat > state"}}"#.to_owned(),
        ])?;
        self.wait_for_status("query-migrate", "completed")
    }

    /// What QEMU is told beside the rest, to go on from a saved state.
    pub(crate) const GO_ON: [&str; 2] = ["-incoming", "exec:cat state"];

    /// Waits until a machine that goes on from a saved state runs: what is typed before is lost.
    pub(crate) fn wait_until_running(&self) -> Outcome<()> {
        self.wait_for_status("query-status", "running")
    }

    /// Asks QEMU's monitor until it answers with a status. The monitor itself is there a moment after QEMU's start.
    fn wait_for_status(&self, question: &str, wanted: &str) -> Outcome<()> {
        let question = [format!(r#"{{"execute":"{question}"}}"#)];
        let wanted = format!(r#""status": "{wanted}""#);
        loop {
            let answer = self.monitor(&question);
            match answer {
                Ok(answer) if answer.contains(&wanted) => return Ok(()),
                answer if Instant::now() > self.deadline => {
                    return Err(self.failure(&format!("waiting for {wanted}: {answer:?}")));
                }
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
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
