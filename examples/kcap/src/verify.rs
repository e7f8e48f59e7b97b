//! `kcap verify`: every descriptor and every page of a dump, looked at.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use page_filter::codec::DecodeScratch;
use page_filter::dump::Source;
use page_filter::verify::{Block, Verified, Verifier};
use page_filter::{ElfMemory, LoadSlot};
use serde_json::json;
use vmcore_format::elf::ElfCore;
use vmcore_format::kdump::{KdumpFile, Part, is_kdump};
use vmcore_format::note::{NoteRegion, Notes};
use vmcore_format::{Error, Pfn};

use crate::args::InfoArgs;
use crate::exit::{Exit, Failure, in_words};
use crate::input::{
    RANK_INDEX_LEN, View, extent_tables, is_elf, load_table, missing_part, not_a_dump, open_files, views,
};

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// The most pages of a file whose data are checked for overlaps: a table of 64 MiB.
const MOST_BLOCKS: u64 = 1 << 22;

/// Room for VMCOREINFO, in bytes; kernels leave at most a few KiB.
const VMCOREINFO_LEN: usize = 1 << 20;

/// What is wrong with the dump as a whole, and what was found of its pages.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    verified: Option<Verified>,
}

/// Runs the command.
pub(crate) fn run(args: &InfoArgs) -> Result<Exit, Failure> {
    let paths = args.file.paths();
    let inputs = open_files(&paths)?;
    let mut tables = extent_tables(&paths, &inputs)?;
    let views = views(&paths, &inputs, &mut tables)?;
    let (Some(first), Some(path)) = (views.first(), paths.first()) else {
        return Err(Failure::new("no input"));
    };
    let mut findings = Findings::default();
    for (view, path) in views.iter().zip(&paths) {
        findings.look_at_stream(view, path);
    }
    let looked = if is_kdump(first) {
        findings.look_at_kdump(&views)
    } else if is_elf(first) && views.len() == 1 {
        findings.look_at_elf(first, path)
    } else {
        return Err(not_a_dump(path, first));
    };
    if let Err(error) = looked {
        findings.problems.push(format!("{}: {}", path.display(), in_words(error)));
    }
    let whole = findings.problems.is_empty() && findings.verified.is_some_and(|verified| verified.is_whole());
    let exit = if whole { Exit::Done } else { Exit::Incomplete };
    let text = if args.json { findings.json(&paths, exit) } else { findings.lines(whole) };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::stdout(&error))?;
    Ok(exit)
}

impl Findings {
    fn look_at_stream(&mut self, view: &View<'_>, path: &Path) {
        let View::Flattened(stream) = view else { return };
        if !stream.complete() {
            self.problems
                .push(format!("{}: the flattened stream has no end record: it was cut off", path.display()));
        }
        if stream.overlapping() > 0 {
            let bytes = stream.overlapping();
            self.problems.push(format!(
                "{}: the flattened stream writes {bytes} bytes more than once",
                path.display()
            ));
        }
    }

    fn look_at_kdump(&mut self, views: &[View<'_>]) -> Result<(), Error> {
        let mut parts: Vec<Part<'_>> = views.iter().map(|view| Part::new(view)).collect();
        let mut index = vec![0; RANK_INDEX_LEN];
        let mut file = KdumpFile::open_with_gaps(&mut parts, &mut index)?;
        let missing: Vec<String> = file.gaps().map(|gap| missing_part(&gap)).collect();
        self.problems.extend(missing);
        if file.incomplete() {
            self.problems.push("the dump is marked as incomplete".into());
        }
        let endian = file.layout().endian;
        if let Some((part, region)) = file.notes()
            && let Some(part) = file.parts().get(part)
        {
            let region = NoteRegion { offset: region.offset, len: region.len, align: 4 };
            self.look_at_notes(Notes::new(part.input(), region, endian));
        }
        let mut text = vec![0; VMCOREINFO_LEN];
        if let Err(error) = Source::of_kdump(&file, &mut text) {
            self.problems.push(format!("VMCOREINFO: {}", in_words(error)));
        }
        let held = file.held_below(Pfn(u64::MAX))?.min(MOST_BLOCKS);
        let mut blocks = vec![Block::default(); usize::try_from(held).unwrap_or(0)];
        let mut decode = Box::new(DecodeScratch::default());
        let mut buffer = vec![0; file.page_size().len().saturating_mul(2)];
        self.verify(Verifier::of_kdump(file, &mut decode, &mut buffer, &mut blocks)?)
    }

    fn look_at_elf(&mut self, view: &View<'_>, path: &Path) -> Result<(), Error> {
        let Ok(mut loads) = load_table(path, view) else {
            self.problems.push("the program headers cannot be read".into());
            return Ok(());
        };
        let elf = ElfCore::open(view, &mut loads)?;
        if elf.header().has_incomplete_flag() && elf.header().is_incomplete() {
            self.problems.push("the dump is marked as incomplete".into());
        }
        if elf.missing_bytes() > 0 {
            self.problems.push(format!("the file ends {} bytes before its segments do", elf.missing_bytes()));
        }
        self.look_at_notes(elf.notes());
        let mut text = vec![0; VMCOREINFO_LEN];
        let source = Source::of_elf(&elf, &mut text);
        if let Err(error) = &source {
            self.problems.push(format!("VMCOREINFO: {}", in_words(*error)));
        }
        let page_size = source.map_or(vmcore_format::PageSize::KIB_4, |source| source.page_size);
        let mut slots = vec![LoadSlot::default(); elf.loads().len()];
        let mut memory = ElfMemory::new(view, elf.loads(), &mut slots, page_size)?;
        let mut buffer = vec![0; page_size.len()];
        self.verify(Verifier::of_memory(&mut memory, elf.missing_bytes() > 0, &mut buffer)?)
    }

    fn look_at_notes<N>(&mut self, notes: impl Iterator<Item = Result<N, Error>>) {
        if let Some(error) = notes.into_iter().find_map(Result::err) {
            self.problems.push(format!("notes: {}", in_words(error)));
        }
    }

    fn verify(&mut self, mut verifier: Verifier<'_>) -> Result<(), Error> {
        let result = loop {
            match verifier.step() {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.verified = Some(*verifier.verified());
        result
    }

    fn json(&self, paths: &[PathBuf], exit: Exit) -> String {
        let verified = self.verified.as_ref();
        let flaws: Vec<_> = verified
            .iter()
            .flat_map(|verified| verified.flaws.iter().flatten())
            .map(|(pfn, flaw)| json!({ "pfn": format!("{:#x}", pfn.0), "flaw": flaw.to_string() }))
            .collect();
        let object = json!({
            "schema": "kcapture.verify",
            "version": VERSION,
            "files": paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "whole": exit == Exit::Done,
            "pages": verified.map(|verified| json!({
                "all": verified.pages,
                "right": verified.right,
                "lost": verified.lost,
                "damaged": verified.damaged,
                "shared": verified.shared,
            })),
            "problems": self.problems,
            "flaws": flaws,
            "exit_code": exit.code(),
        });
        format!("{object:#}\n")
    }

    fn lines(&self, whole: bool) -> String {
        let mut text: String = self.problems.iter().map(|problem| format!("{problem}\n")).collect();
        if let Some(verified) = &self.verified {
            for (pfn, flaw) in verified.flaws.iter().flatten() {
                text.push_str(&format!("page frame {:#x}: {flaw}\n", pfn.0));
            }
            let flaws = verified.lost.saturating_add(verified.damaged);
            let named = u64::try_from(verified.flaws.iter().flatten().count()).unwrap_or(u64::MAX);
            if flaws > named {
                text.push_str(&format!("and {} more page frames\n", flaws.saturating_sub(named)));
            }
            let Verified { pages, right, lost, damaged, .. } = verified;
            text.push_str(&format!("{pages} pages: {right} right, {lost} lost, {damaged} damaged\n"));
        }
        text.push_str(if whole { "whole\n" } else { "not whole\n" });
        text
    }
}
