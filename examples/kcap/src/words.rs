//! The library's verdicts in words, for people and for the report.

use page_filter::dump::Reason;
use page_filter::{Doubt, Fault, Findings, FrameRanges, MemoryModel, PageKind, Sections, Witness};
use serde_json::{Value, json};
use vmcore_format::kdump::Compression;
use vmcore_format::note::MapVersion;

/// Why a page cannot be read.
pub(crate) fn fault(fault: Fault) -> String {
    match fault {
        Fault::Hole => "no memory is known there".into(),
        Fault::Excluded => "left out when the dump was made".into(),
        Fault::Lost => "damaged or missing in the file".into(),
        Fault::Poison => "broken memory".into(),
        Fault::Code(code) => host::describe(code),
        _ => "cannot be read".into(),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The version of a memory map: its number, and the first digits of its digest.
pub(crate) fn map_version(version: &MapVersion) -> String {
    let digest: String = hex(&version.sha256).chars().take(16).collect();
    format!("epoch {}, sha256 {digest}", version.epoch)
}

/// The same as an object.
pub(crate) fn map_version_json(version: &MapVersion) -> Value {
    json!({ "epoch": version.epoch, "sha256": hex(&version.sha256) })
}

/// Why more was kept than asked.
pub(crate) fn reason(reason: Reason, findings: Option<&Findings>) -> String {
    match reason {
        Reason::NoVmcoreInfo => "the input has no VMCOREINFO".into(),
        Reason::NoKernel => "the crashed kernel's page tables cannot be read".into(),
        Reason::NoMemMap => findings
            .and_then(Findings::no_mem_map)
            .map_or("the mem_map was not found".into(), |why| why.to_string()),
        Reason::Doubt => {
            findings.and_then(Findings::doubt).map_or("the page kinds are implausible".into(), doubt)
        }
        Reason::Rules => {
            let missing = findings.into_iter().flat_map(Findings::keeps_more);
            let list: Vec<String> =
                missing.map(|missing| format!("{} (no {})", missing.rule.name(), missing.key)).collect();
            format!("rules that could not run: {}", list.join(", "))
        }
        _ => "page kinds could not be told apart".into(),
    }
}

/// Why the result of a scan cannot be true.
pub(crate) fn doubt(doubt: Doubt) -> String {
    match doubt {
        Doubt::NoFreePage { frames } => format!("none of {frames} pages seems free"),
        Doubt::NoSlabPage { frames } => format!("none of {frames} pages seems to be slab"),
        Doubt::MostlyHwPoison { pages } => format!("{pages} pages seem to be broken memory"),
        Doubt::BadOrders { bad, sound } => {
            format!("{bad} blocks of pages have an impossible order, {sound} a possible one")
        }
        Doubt::WitnessLeftOut { pfn, witness: holds, kind: taken_for } => {
            format!("page frame {pfn} holds {} and was taken for {}", witness(holds), kind(taken_for))
        }
        _ => "the page kinds are implausible".into(),
    }
}

fn witness(witness: Witness) -> &'static str {
    match witness {
        Witness::PageTables => "the kernel's page tables",
        Witness::KernelText => "the kernel's text",
        Witness::UtsNamespace => "init_uts_ns",
        Witness::SectionTable => "mem_section",
        Witness::MemMap => "the mem_map",
        _ => "the kernel's own data",
    }
}

/// A kind's name in the report.
pub(crate) fn kind(kind: PageKind) -> &'static str {
    match kind {
        PageKind::Kernel => "kernel",
        PageKind::Slab => "slab",
        PageKind::Zero => "zero",
        PageKind::Cache => "cache",
        PageKind::CachePrivate => "cache_private",
        PageKind::User => "user",
        PageKind::Free => "free",
        PageKind::HwPoison => "hwpoison",
        PageKind::Offline => "offline",
        PageKind::Unknown => "unknown",
        PageKind::Removed => "removed",
        _ => "other",
    }
}

/// Where the input's table of memory and the kernel's sections disagree, a line for each way in which they do.
pub(crate) fn sections(found: &Sections, page_size: u64) -> Vec<String> {
    let removed = if found.believed {
        "removed since the crash kernel was loaded, not read"
    } else {
        "removed, says mem_section, which is not believed"
    };
    [
        (removed, &found.removed),
        ("offline when the machine crashed", &found.offline),
        ("that mem_section does not describe, kept", &found.unreadable),
        ("added since the crash kernel was loaded, not in the input", &found.missing),
    ]
    .into_iter()
    .filter(|(_, ranges)| !ranges.is_empty())
    .map(|(what, ranges)| format!("memory {what}: {}", bytes_of(ranges, page_size)))
    .collect()
}

/// Ranges as byte addresses, half-open, as far as they are named.
fn bytes_of(ranges: &FrameRanges, page_size: u64) -> String {
    let mut list: Vec<String> = ranges
        .named()
        .map(|range| {
            let byte = |frame: u64| frame.saturating_mul(page_size);
            format!("{:#x}..{:#x}", byte(range.start.0), byte(range.end.0))
        })
        .collect();
    if ranges.count() > u64::try_from(list.len()).unwrap_or(u64::MAX) {
        list.push(format!("{} ranges in all", ranges.count()));
    }
    format!("{} ({})", list.join(", "), size(ranges.frames().saturating_mul(page_size)))
}

/// A codec's name in the report.
pub(crate) fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::Raw => "none",
        Compression::Zlib => "zlib",
        Compression::Lzo => "lzo",
        Compression::Snappy => "snappy",
        Compression::Zstd => "zstd",
    }
}

/// A memory model's name in the report.
pub(crate) fn memory_model(model: MemoryModel) -> &'static str {
    match model {
        MemoryModel::Flat => "flatmem",
        MemoryModel::Sparse => "sparsemem",
        MemoryModel::SparseExtreme => "sparsemem_extreme",
        _ => "other",
    }
}

/// A size in bytes with a unit that leaves few digits.
pub(crate) fn size(bytes: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes).saturating_mul(10) >> shift).to_string();
            let (whole, tenth) = tenths.split_at(tenths.len().saturating_sub(1));
            return format!("{whole}.{tenth} {unit}");
        }
    }
    format!("{bytes} bytes")
}

/// A moment in seconds since 1970 as ISO 8601, in UTC.
pub(crate) fn utc(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that start in March put the leap day last: 146,097 days in 400 years.
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = (of_era / 1460).saturating_sub(of_era / 36_524).saturating_add(of_era / 146_096);
    let year_of_era = of_era.saturating_sub(leap_days) / 365;
    let before_year =
        year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before_year);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let (month, later) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(later);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day % 3600 / 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `date -u -d @N +%FT%TZ` of GNU coreutils.
    #[test]
    fn moments_are_iso_8601() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_294_750, "2026-11-21T20:59:10Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
        assert!(utc(i64::MAX).ends_with('Z') && utc(i64::MIN).ends_with('Z'));
    }

    #[test]
    fn sizes_have_a_tenth() {
        assert_eq!(
            [0, 1023, 1024, 1536, 1 << 20, u64::MAX].map(size),
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "1.0 MiB", "16777215.9 TiB"]
        );
    }
}
