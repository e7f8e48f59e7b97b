//! What a dump says about its machine, and what the kernel's own memory adds.

use page_filter::dump::Source;
use page_filter::{Kernel, KernelError, PhysMemory};
use serde_json::{Map, Value, json};
use vmcore_format::elf::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
};
use vmcore_format::kdump::{UtsField, UtsName};
use vmcore_format::{Class, Endian};

use crate::input::{Format, Opened};
use crate::words;

/// The crashed kernel, as far as it could be found: `None` without VMCOREINFO.
pub(crate) type Found = Option<Result<Kernel, KernelError>>;

/// The machine and its kernel, for people and for JSON: the keys of the JSON object are in `json`.
#[derive(Debug)]
pub(crate) struct Facts {
    release: Option<String>,
    version: Option<String>,
    nodename: Option<String>,
    machine: String,
    build_id: Option<String>,
    crash_time: Option<i64>,
    cpus: u32,
    page_size: u64,
    kaslr_offset: Option<u64>,
    phys_base: Option<i64>,
    memory_model: Option<&'static str>,
    /// Why the kernel's structures cannot be read.
    unknown: Option<String>,
}

impl Facts {
    /// Collects what is known.
    pub(crate) fn collect(machine: &Source<'_>, kernel: &mut Found, memory: &mut dyn PhysMemory) -> Self {
        let info = machine.vmcoreinfo;
        let names =
            kernel.as_mut().and_then(|found| found.as_mut().ok()).and_then(|kernel| kernel.utsname(memory));
        let unknown = match kernel {
            None => Some("the input has no VMCOREINFO".into()),
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(kernel)) => kernel.no_mem_map().map(|why| why.to_string()),
        };
        let model = kernel.as_ref().and_then(|found| found.as_ref().ok()).and_then(Kernel::memory_model);
        let in_names = |names: &UtsName, field| text(String::from_utf8_lossy(names.get(field)).into_owned());
        let uts = |field| {
            names
                .as_ref()
                .and_then(|names| in_names(names, field))
                .or_else(|| in_names(&machine.utsname, field))
        };
        Self {
            release: info
                .and_then(|info| info.os_release())
                .map(str::to_owned)
                .or_else(|| uts(UtsField::Release)),
            version: uts(UtsField::Version),
            nodename: uts(UtsField::Nodename),
            machine: machine_name(machine),
            build_id: info.and_then(|info| info.build_id()).map(str::to_owned),
            crash_time: Some(machine.crash_time).filter(|&time| time != 0),
            cpus: machine.nr_cpus,
            page_size: machine.page_size.bytes(),
            kaslr_offset: info.and_then(|info| info.kernel_offset()),
            phys_base: info.and_then(|info| info.number("phys_base")),
            memory_model: model.map(words::memory_model),
            unknown,
        }
    }

    /// The JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "release": self.release,
            "version": self.version,
            "nodename": self.nodename,
            "machine": self.machine,
            "build_id": self.build_id,
            "crash_time": self.crash_time,
            "crash_time_utc": self.crash_time.map(words::utc),
            "cpus": self.cpus,
            "page_size": self.page_size,
            "kaslr_offset": self.kaslr_offset,
            "phys_base": self.phys_base,
            "memory_model": self.memory_model,
            "unknown": self.unknown,
        })
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value {
                lines.push((name, value));
            }
        };
        put("kernel", Some(self.release.clone().unwrap_or("unknown".into())));
        put("version", self.version.clone());
        put("node", self.nodename.clone());
        put("machine", Some(self.machine.clone()));
        put("build-id", self.build_id.clone());
        put("crash time", self.crash_time.map(words::utc));
        put("CPUs", Some(self.cpus.to_string()));
        put("page size", Some(self.page_size.to_string()));
        put("KASLR offset", self.kaslr_offset.map(|offset| format!("{offset:#x}")));
        put("memory model", self.memory_model.map(str::to_owned));
        put("page kinds", self.unknown.as_ref().map(|why| format!("unknown: {why}")));
        lines
    }
}

fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn machine_name(machine: &Source<'_>) -> String {
    let layout = machine.machine_layout();
    let name = match machine.e_machine {
        EM_386 => "i386",
        EM_X86_64 => "x86_64",
        EM_ARM => "arm",
        EM_AARCH64 => "aarch64",
        EM_PPC => "ppc",
        EM_PPC64 => "ppc64",
        EM_S390 => "s390",
        EM_RISCV => "riscv",
        EM_LOONGARCH => "loongarch",
        EM_MIPS => "mips",
        _ => "unknown",
    };
    let bits = if layout.class == Class::Bits64 { 64 } else { 32 };
    let order = if layout.endian == Endian::Little { "little" } else { "big" };
    format!("{name}, {bits}-bit, {order}-endian")
}

/// Whether the program headers name the memory that the map had which the note names; `None` where either is not known.
fn header_agrees(opened: &Opened<'_>) -> Option<bool> {
    Some(opened.machine.map_version?.sha256 == opened.header_sha256?)
}

/// The memory map that the header was made of, in words.
pub(crate) fn map_version_words(opened: &Opened<'_>) -> String {
    let Some(version) = &opened.machine.map_version else { return "unknown".into() };
    let agrees = match header_agrees(opened) {
        Some(true) => ", as the program headers have it",
        Some(false) => "; the program headers are not of the map that the note names",
        None => "",
    };
    format!("{}{agrees}", words::map_version(version))
}

/// The same as an object.
fn map_version_json(opened: &Opened<'_>) -> Option<Value> {
    let mut object = words::map_version_json(opened.machine.map_version.as_ref()?);
    if let Some(object) = object.as_object_mut() {
        object.insert("header_agrees".into(), header_agrees(opened).into());
    }
    Some(object)
}

/// The format of the input, as an object of the report.
pub(crate) fn input_json(opened: &Opened<'_>) -> Map<String, Value> {
    let files: Vec<_> = opened.paths.iter().map(|path| path.display().to_string()).collect();
    let (format, version, compression) = match opened.format {
        Format::Elf => ("elf", None, None),
        Format::Kdump { compression, header_version } => {
            ("kdump", Some(header_version), compression.map(words::compression))
        }
    };
    let object = json!({
        "files": files,
        "format": format,
        "header_version": version,
        "compression": compression,
        "flattened": opened.flattened,
        "level": opened.machine.left_out.bits(),
        "incomplete": opened.machine.incomplete,
        "map_version": map_version_json(opened),
    });
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
