//! The command line of the kernel that is loaded.

/// Parameters that a loader gave to the running kernel and that say nothing to the next one: a capture kernel gets the
/// headers of its own crash, any other none.
const OF_THE_LOADER: &[&str] = &["BOOT_IMAGE", "elfcorehdr"];
/// The reservation is the first kernel's.
const NOT_FOR_CAPTURE: &[&str] = &["crashkernel"];

/// The running kernel's line without what the next one must not have.
pub(crate) fn reused(running: &str, crash: bool) -> String {
    let unwanted = |parameter: &&str| {
        let name = parameter.trim_start_matches('"').split('=').next().unwrap_or_default();
        OF_THE_LOADER.contains(&name) || (crash && NOT_FOR_CAPTURE.contains(&name))
    };
    let kept: Vec<&str> = parameters(running).into_iter().filter(|parameter| !unwanted(parameter)).collect();
    kept.join(" ")
}

/// Both lines, one blank between them.
pub(crate) fn joined(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second.into(),
        (_, true) => first.into(),
        _ => format!("{first} {second}"),
    }
}

/// The parameters of a line: blanks between double quotes do not part them (the kernel's `next_arg`).
fn parameters(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let parted = line.split(|c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    });
    parted.filter(|parameter| !parameter.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "BOOT_IMAGE=/vmlinuz root=/dev/vda1  crashkernel=192M,high crashkernel=64M,low \
        dyndbg=\"file a.c +p; file b.c +p\" \"note=crashkernel=1M x\" quiet\n";

    #[test]
    fn a_crash_kernel_reserves_nothing() {
        assert_eq!(
            reused(LINE, true),
            "root=/dev/vda1 dyndbg=\"file a.c +p; file b.c +p\" \"note=crashkernel=1M x\" quiet"
        );
        assert_eq!(reused("elfcorehdr=0x1000 crashkernel", true), "");
    }

    #[test]
    fn an_ordinary_kernel_reserves_as_before() {
        assert!(reused(LINE, false).starts_with("root=/dev/vda1 crashkernel=192M,high crashkernel=64M,low "));
        assert_eq!(reused("quiet elfcorehdr=0x1b000000", false), "quiet");
    }

    #[test]
    fn lines_join() {
        assert_eq!(
            (joined("a b", "c"), joined("", "c"), joined("a", "")),
            ("a b c".into(), "c".into(), "a".into())
        );
    }
}
