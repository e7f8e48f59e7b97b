//! Findings, for people and as JSON.

use core::fmt::Write as _;
use core::time::Duration;

use kexec_core::preflight::{Finding, Purpose, Verdict};
use serde_json::{Value, json};

use crate::words;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// What there is to say.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) purpose: Purpose,
    pub(super) checkpoint: bool,
    pub(super) verdict: Verdict,
    pub(super) findings: &'a [Finding<'a>],
    pub(super) processes: usize,
    /// Seconds since 1970.
    pub(super) as_of: u64,
    pub(super) took: Duration,
}

impl Told<'_> {
    fn time(&self) -> String {
        words::utc(i64::try_from(self.as_of).unwrap_or(i64::MAX))
    }
}

/// Lines, the worst first. A process with something that is as it should be is not worth one.
pub(super) fn plain_text(told: &Told<'_>) -> String {
    let mut findings: Vec<&Finding<'_>> = told.findings.iter().collect();
    findings.retain(|finding| finding.verdict > Verdict::Ok || finding.process.is_none());
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.verdict));
    let mut text = String::new();
    for finding in findings {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<7}{:<18}{}", finding.verdict, finding.check.name(), sentence(finding));
        let remedy = finding.remedy.to_string();
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:25}-> {remedy}", "");
        }
    }
    let (purpose, time) = (told.purpose.name(), told.time());
    let _ = writeln!(text, "{:<7}{purpose}, as of {time}, {} processes", told.verdict, told.processes);
    text
}

fn sentence(finding: &Finding<'_>) -> String {
    let mut who = Vec::new();
    if let Some(process) = finding.process {
        who.push(format!("process {} ({})", process.pid, printable(process.command)));
        who.push(match finding.owner.unit() {
            Some(unit) => format!("of {unit}"),
            None => "of no service".into(),
        });
    }
    if !finding.path.is_empty() {
        who.push(printable(finding.path));
    }
    let (who, reason) = (who.join(" "), finding.reason);
    if who.is_empty() { reason.to_string() } else { format!("{who}: {reason}") }
}

/// A name that a process gave itself, without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// One object.
pub(super) fn json_text(told: &Told<'_>) -> String {
    let findings: Vec<Value> = told
        .findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check.name(),
                "verdict": finding.verdict.name(),
                "pid": finding.process.map(|process| process.pid),
                "process": finding.process.map(|process| process.command),
                "path": Some(finding.path).filter(|path| !path.is_empty()),
                "unit": finding.owner.unit(),
                "managed": finding.process.map(|_| finding.owner.is_managed()),
                "reason": finding.reason.to_string(),
                "remedy": Some(finding.remedy.to_string()).filter(|remedy| !remedy.is_empty()),
            })
        })
        .collect();
    let object = json!({
        "schema": "kcapture.preflight",
        "version": VERSION,
        "for": told.purpose.name(),
        "checkpoint": told.checkpoint,
        "as_of": told.time(),
        "seconds": told.took.as_secs_f64(),
        "processes": told.processes,
        "verdict": told.verdict.name(),
        "findings": findings,
    });
    format!("{object:#}\n")
}

#[cfg(test)]
mod tests {
    use kexec_core::preflight::{Facts, FileKind, OpenFile, Process, Snapshot, check};

    use super::*;

    /// One that reads memory by hand, one as a service, and what each format says of them.
    fn both() -> (String, String) {
        let facts = Facts { crash_loaded: Some(false), ..Facts::default() };
        let by_hand =
            Process { pid: 7, parent: 1, command: "d\x1bd", unit: None, active: false, locked: 0, pinned: 0 };
        let service =
            Process { pid: 8, command: "reader", unit: Some("reader.service"), active: true, ..by_hand };
        let files = [7, 8].map(|pid| OpenFile {
            pid,
            path: "/dev/mem",
            kind: FileKind::CharDevice { major: 1, minor: 1 },
            preserved: false,
        });
        let processes = [by_hand, service];
        let snapshot = Snapshot {
            facts: &facts,
            processes: &processes,
            files: &files,
            service_manager: Some(1),
            checkpoint: true,
        };
        let mut findings = Vec::new();
        let purpose = Purpose::LiveUpdate;
        let verdict = check(&snapshot, purpose, &mut |finding| findings.push(*finding));
        let took = Duration::from_millis(5);
        let told =
            Told { purpose, checkpoint: true, verdict, findings: &findings, processes: 2, as_of: 0, took };
        (plain_text(&told), json_text(&told))
    }

    #[test]
    fn the_worst_comes_first_and_the_time_last() {
        let (text, _) = both();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.first().is_some_and(|line| line.starts_with(
            "block  open_file         process 7 (d?d) of no service /dev/mem: holds the machine's memory"
        )));
        assert_eq!(
            lines.get(1).map(|line| line.trim()),
            Some("-> stop it (kill 7) or run it under the service manager")
        );
        assert!(text.contains("process 8 (reader) of reader.service /dev/mem"), "{text}");
        assert_eq!(lines.last(), Some(&"block  liveupdate, as of 1970-01-01T00:00:00Z, 2 processes"));
    }

    #[test]
    fn json_has_every_finding() {
        let (_, json) = both();
        let object: Value = serde_json::from_str(&json).unwrap_or_default();
        let findings = object.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
        let told = |key: &str| -> Vec<Value> {
            findings.iter().map(|finding| finding.get(key).cloned().unwrap_or_default()).collect()
        };
        assert_eq!(told("pid"), [Value::Null, json!(7), json!(8)]);
        assert_eq!(told("verdict"), ["warn", "block", "warn"]);
        assert_eq!(told("unit"), [Value::Null, Value::Null, json!("reader.service")]);
        assert_eq!(told("managed"), [Value::Null, json!(false), json!(true)]);
        assert_eq!(told("process"), [Value::Null, json!("d\x1bd"), json!("reader")]);
        assert_eq!(object.get("verdict"), Some(&json!("block")));
    }
}
