//! How far the work has come, on standard error.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use crate::messages::{Messages, PROGRESS};

/// A terminal is redrawn at most this often.
const REDRAW: Duration = Duration::from_secs(1);
const SPINNER: [char; 4] = ['/', '|', '\\', '-'];

/// The progress of one phase.
///
/// On a terminal a line as makedumpfile's, redrawn once a second; elsewhere a line for every tenth of the work.
#[derive(Debug)]
pub(crate) struct Progress {
    phase: &'static str,
    style: Style,
    started: Instant,
    drawn: Option<Instant>,
    turns: usize,
    /// Tenths of the work that were said.
    tenths: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Off,
    Terminal,
    Lines,
}

impl Progress {
    /// A phase begins.
    pub(crate) fn start(phase: &'static str, messages: Messages) -> Self {
        let style = if !messages.has(PROGRESS) {
            Style::Off
        } else if io::stderr().is_terminal() {
            Style::Terminal
        } else {
            Style::Lines
        };
        Self { phase, style, started: Instant::now(), drawn: None, turns: 0, tenths: 0 }
    }

    /// `done` of `total` units of work are done.
    pub(crate) fn update(&mut self, done: u64, total: u64) {
        match self.style {
            Style::Off => {}
            Style::Terminal => {
                if self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
                    self.draw(done, total);
                }
            }
            Style::Lines => {
                let tenths = per_mille(done, total) / 100;
                if tenths > self.tenths {
                    self.tenths = tenths;
                    eprintln_quietly(&format!("{}: {} %\n", self.phase, tenths.saturating_mul(10)));
                }
            }
        }
    }

    /// How long the phase took so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The phase is over.
    pub(crate) fn finish(mut self) {
        match self.style {
            Style::Off => {}
            Style::Terminal => {
                self.draw(1, 1);
                eprintln_quietly("\n");
            }
            Style::Lines => self.update(1, 1),
        }
    }

    /// The phase ends before its work is done.
    pub(crate) fn abandon(self) {
        if self.style == Style::Terminal && self.drawn.is_some() {
            eprintln_quietly("\n");
        }
    }

    fn draw(&mut self, done: u64, total: u64) {
        let spinner = SPINNER.into_iter().cycle().nth(self.turns & 3).unwrap_or('|');
        eprintln_quietly(&bar(self.phase, per_mille(done, total), spinner, self.eta(done, total)));
        self.turns = self.turns.wrapping_add(1);
        self.drawn = Some(Instant::now());
    }

    /// Seconds to go, at the speed so far.
    fn eta(&self, done: u64, total: u64) -> Option<u64> {
        let left = u128::from(total.saturating_sub(done));
        let nanos = self.started.elapsed().as_nanos().checked_mul(left)?.checked_div(u128::from(done))?;
        u64::try_from(nanos / 1_000_000_000).ok()
    }
}

fn per_mille(done: u64, total: u64) -> u64 {
    let whole = u128::from(done).saturating_mul(1000).checked_div(u128::from(total)).unwrap_or(1000);
    u64::try_from(whole).unwrap_or(1000).min(1000)
}

/// The peers' line, so that what watches them watches us.
fn bar(phase: &str, per_mille: u64, spinner: char, eta: Option<u64>) -> String {
    let eta = eta.map_or(String::new(), |seconds| format!("eta: {}", duration(seconds)));
    format!("\r{phase:<50}: [{:3}.{} %] {spinner}  {eta:>16}", per_mille / 10, per_mille % 10)
}

fn duration(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{}s", seconds % 60),
        _ => format!("{hours}h{}m", minutes % 60),
    }
}

fn eprintln_quietly(text: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: a line of makedumpfile 1.7.2.
    #[test]
    fn the_bar_is_the_peers() {
        assert_eq!(
            bar("Copying data", 420, '\\', Some(38)),
            "\rCopying data                                      : [ 42.0 %] \\          eta: 38s"
        );
    }

    #[test]
    fn shares_and_durations() {
        assert_eq!(
            [per_mille(0, 3), per_mille(1, 3), per_mille(3, 3), per_mille(0, 0)],
            [0, 333, 1000, 1000]
        );
        assert_eq!(per_mille(u64::MAX, u64::MAX), 1000);
        assert_eq!([59, 60, 3599, 3600].map(duration), ["59s", "1m0s", "59m59s", "1h0m"]);
    }
}
