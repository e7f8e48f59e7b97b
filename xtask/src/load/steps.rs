//! `kcap load -s`, `-a`, `unload` and `status`, one after the other in one kernel, and what that kernel says of itself in
//! `/sys` after each.

use serde_json::{Value, json};

use super::CAPTURE;
use crate::run::Outcome;

/// A call, and what must be true after it.
#[derive(Debug)]
pub(super) struct Step {
    /// A line for the shell; CRASH and LONG stand for images and a command line.
    call: &'static str,
    exit: u32,
    crash_loaded: bool,
    loaded: bool,
    /// Whether the crash kernel that is loaded is one that the kernel planned: then Linux 6.12 keeps its elfcorehdr up to
    /// date, and says so; of ours it does only with --hotplug.
    by_kernel: bool,
}

const fn step(call: &'static str, exit: u32, crash_loaded: bool, loaded: bool, by_kernel: bool) -> Step {
    Step { call, exit, crash_loaded, loaded, by_kernel }
}

/// LONG's command line is one that the kernel refuses, because it asks for more room behind it than `elfcorehdr=` takes in
/// ours. The last step's crash kernel is the one that the machine crashes into.
pub(super) const STEPS: &[Step] = &[
    step("/kcap status > /tmp/status", 0, false, false, false),
    step("/kcap load -s -p CRASH", 0, true, false, true),
    // What is loaded stays.
    step("/kcap load -s -p LONG", 1, true, false, true),
    step("/kcap unload -p", 0, false, false, false),
    // Nothing to lose: here the kernel itself refuses.
    step("/kcap load -s -p LONG", 1, false, false, false),
    step("/kcap load -a -p LONG", 0, true, false, false),
    step("/kcap load -s -l CRASH", 0, true, true, false),
    step("/kcap unload -p", 0, false, true, false),
    step("/kcap load -a -p CRASH", 0, true, true, true),
    step("/kcap unload", 0, true, false, true),
    step("/kcap unload -p", 0, false, false, false),
    step("/kcap load -p CRASH", 0, true, false, false),
    step("/kcap load -s -p CRASH", 0, true, false, true),
];

/// A kernel that is locked down, as under Secure Boot, allows nothing of `kexec_load`, not even to unload, and of
/// `kexec_file_load` only images signed with a key that it has: of these images it has none.
pub(super) const LOCKED_DOWN: &[Step] = &[
    step("/kcap load -s -p CRASH", 0, true, false, true),
    step("lock_down", 0, true, false, true),
    step("/kcap load -p CRASH", 1, true, false, true),
    step("/kcap unload -p", 0, false, false, false),
    step("/kcap load -s -p CRASH", 1, false, false, false),
    step("/kcap load -a -p CRASH", 1, false, false, false),
];

/// Zeros behind the command line: 2019 bytes in all. The kernel wants 31 more, and its image takes 2047.
const ZEROS: u32 = 1960;

const SHELL: &str = "\
lock_down() {
mount -t securityfs security /sys/kernel/security && echo integrity > /sys/kernel/security/lockdown
}
report() {
echo \"kcapture: exit $1\"
for file in kexec_crash_loaded kexec_loaded kexec_crash_size crash_elfcorehdr_size; do
echo \"kcapture: $file $(cat /sys/kernel/$file 2> /dev/null)\"
done
for kind in cpu memory; do
echo \"kcapture: $kind $(cat /sys/devices/system/$kind/crash_hotplug 2> /dev/null)\"
done
echo \"kcapture: kexec_load_disabled $(cat /proc/sys/kernel/kexec_load_disabled)\"
echo \"kcapture: json $(/kcap status --json | tr -d '\\n')\"
/kcap status
echo 'kcapture: end of step'
}";

/// Steps for the first kernel's shell.
pub(super) fn script(steps: &[Step]) -> String {
    let images = |line: &str| format!("--initrd /capture.gz --append \"{line}\" /vmlinuz");
    let crash = images(CAPTURE);
    let long = images(&format!("{CAPTURE} note=$(printf %0{ZEROS}d 0)"));
    let calls = steps.iter().map(|step| step.call.replace("CRASH", &crash).replace("LONG", &long));
    format!("{SHELL}\n{}", calls.map(|call| format!("{call}\nreport $?\n")).collect::<String>())
}

/// Every step ended as it must; says how many. `newer` is a kernel that says whose plan is loaded.
pub(super) fn check(steps: &[Step], newer: bool, console: &[String]) -> Outcome<String> {
    let reports: Vec<&[String]> = console
        .split(|line| line.contains("kcapture: end of step"))
        .filter(|lines| reported(lines))
        .collect();
    if reports.len() != steps.len() {
        return Err(format!("{} of {} steps were made", reports.len(), steps.len()).into());
    }
    for (number, (step, lines)) in steps.iter().zip(reports).enumerate() {
        check_step(step, newer, lines)
            .map_err(|error| format!("step {number}, {}: {error}\n{}", step.call, lines.concat()))?;
    }
    Ok(format!("{} steps of load -s, load -a, unload and status", steps.len()))
}

fn reported(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("kcapture: exit "))
}

fn check_step(step: &Step, newer: bool, lines: &[String]) -> Outcome<()> {
    let text = |name: &str| -> Outcome<&str> {
        let start = format!("kcapture: {name} ");
        let found = lines.iter().find_map(|line| line.split_once(&start));
        Ok(found.ok_or_else(|| format!("no {name}"))?.1.trim())
    };
    // A file that this kernel does not have is empty here, and null in JSON.
    let number = |name: &str| -> Outcome<Option<u64>> {
        let text = text(name)?;
        Ok(if text.is_empty() { None } else { Some(text.parse()?) })
    };
    let flag = |name: &str| -> Outcome<Option<bool>> { Ok(number(name)?.map(|value| value != 0)) };
    let wanted = [
        ("exit", u64::from(step.exit)),
        ("kexec_crash_loaded", u64::from(step.crash_loaded)),
        ("kexec_loaded", u64::from(step.loaded)),
    ];
    for (name, wanted) in wanted {
        if number(name)? != Some(wanted) {
            return Err(format!("{name} is {:?}, not {wanted}", number(name)?).into());
        }
    }
    if flag("cpu")? != newer.then_some(step.by_kernel) {
        return Err(format!("the kernel keeps the elfcorehdr up to date: {:?}", flag("cpu")?).into());
    }
    let json: Value = serde_json::from_str(text("json")?)?;
    let sys = json!({
        "schema": "kcapture.status",
        "version": 1,
        "loaded": flag("kexec_loaded")?,
        "crash_loaded": flag("kexec_crash_loaded")?,
        "crash_size": number("kexec_crash_size")?,
        "hotplug": { "cpu": flag("cpu")?, "memory": flag("memory")? },
        "elfcorehdr_size": number("crash_elfcorehdr_size")?,
        "load_disabled": flag("kexec_load_disabled")?,
    });
    if json != sys {
        return Err(format!("kcap status --json says {json}, /sys {sys}").into());
    }
    let words = |loaded: bool| if loaded { "loaded" } else { "not loaded" };
    for (name, loaded) in [("crash kernel", step.crash_loaded), ("ordinary", step.loaded)] {
        let line = format!("{name:<14}{}", words(loaded));
        if !lines.iter().any(|said| said.trim_end() == line) {
            return Err(format!("kcap status does not say '{line}'").into());
        }
    }
    Ok(())
}
