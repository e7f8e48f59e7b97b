//! What the C programs say of real vmcores is what kcap says: dumps byte by byte, exit codes, page kinds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::examples::Builds;
use crate::machines::MACHINES;
use crate::run::{Outcome, command, output};
use crate::{targets, vmcore};

/// For every vmcore: what `mkdump` and `kcap dump` are told.
const OPTIONS: &[&str] =
    &["-d 31", "-d 31 -c", "-d 31 -l", "-d 31 -p", "-d 31 -z", "-d 31 -E", "-d 31 -l -F", "-d 1 -l"];
/// For the first vmcore also, which takes the most time.
const WHOLE: &str = "-d 0";
/// The length of a flattened stream's last record, in bytes.
const END_RECORD: usize = 16;
/// What is wrong usage of both.
const WRONG: &[&str] =
    &["IN", "-d 32 IN OUT", "-d x IN OUT", "-E -c IN OUT", "-F IN OUT", "-F -f IN", "-q IN OUT"];

/// The programs of one check, and the folder with what they write.
struct Compared<'a> {
    mkdump: PathBuf,
    threads: PathBuf,
    coredesc: PathBuf,
    kcap: &'a Path,
    folder: PathBuf,
}

/// Compares everything.
///
/// `without_kernel` is a dump of a machine that ran no Linux, of which more is kept than asked.
pub(super) fn compare(builds: &Builds, without_kernel: &Path, kcap: &Path) -> Outcome<()> {
    let folder = targets::folder()?.join("capi/dumps");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let [shared, statically] = &builds.make;
    let compared = Compared {
        mkdump: shared.program("mkdump"),
        threads: statically.program("threads"),
        coredesc: statically.program("coredesc"),
        kcap,
        folder,
    };
    let mut dumps = 0;
    for (number, machine) in MACHINES.iter().enumerate() {
        let vmcore = vmcore::folder_of(machine)?.join("vmcore");
        for options in OPTIONS.iter().chain((number == 0).then_some(&WHOLE)) {
            compared.same(options, &vmcore, 0)?;
            dumps += 1;
        }
        compared.same_kinds(&vmcore)?;
    }
    let vmcore = vmcore::folder_of(MACHINES.first().ok_or("no machine")?)?.join("vmcore");
    dumps += compared.of_other_inputs(&vmcore, without_kernel)?;
    compared.wrong_usage(&vmcore)?;
    for built in &builds.meson {
        compared.built_by(built.program("mkdump").as_path(), &vmcore)?;
    }
    println!(
        "mkdump and threads: {dumps} dumps as kcap writes them, byte by byte; coredesc counts as kcap does"
    );
    fs::remove_dir_all(&compared.folder)?;
    Ok(())
}

impl Compared<'_> {
    fn dump(
        &self,
        program: &Path,
        first: &[&str],
        options: &str,
        input: &Path,
        out: &Path,
    ) -> Outcome<Option<i32>> {
        let mut dump = command(&[program]);
        dump.args(first).args(options.split_whitespace()).arg(input);
        if options.contains("-F") {
            dump.stdout(File::create(out)?);
        } else {
            dump.arg(out).stdout(std::process::Stdio::null());
        }
        Ok(dump.stderr(std::process::Stdio::null()).status()?.code())
    }

    /// Both programs answer `code` and write the same, and so does `threads` where it has the options.
    fn same(&self, options: &str, input: &Path, code: i32) -> Outcome<()> {
        let (ours, theirs) = (self.folder.join("mkdump"), self.folder.join("kcap"));
        for path in [&ours, &theirs] {
            let _ = fs::remove_file(path);
        }
        let kcap = self.dump(self.kcap, &["dump"], options, input, &theirs)?;
        let mut programs = vec![(&self.mkdump, &[][..])];
        if !options.contains("-E") && !options.contains("-F") {
            programs.push((&self.threads, &["-j", "3"][..]));
        }
        for (program, first) in programs {
            let what = format!("{} {options} {}", program.display(), input.display());
            let _ = fs::remove_file(&ours);
            let answered = self.dump(program, first, options, input, &ours)?;
            if answered != Some(code) || kcap != Some(code) {
                return Err(format!("{what}: ended with {answered:?}, kcap with {kcap:?}, not {code}").into());
            }
            if ours.exists() != theirs.exists() || (ours.exists() && fs::read(&ours)? != fs::read(&theirs)?) {
                return Err(format!("{what}: not what kcap writes").into());
            }
        }
        Ok(())
    }

    /// Dumps of dumps: kdump-compressed, flattened, cut short, without a kernel that tells pages apart.
    fn of_other_inputs(&self, vmcore: &Path, without_kernel: &Path) -> Outcome<usize> {
        let (kdump, stream) = (self.folder.join("in.kdump"), self.folder.join("in.stream"));
        self.dump(self.kcap, &["dump"], "-d 1 -z", vmcore, &kdump)?;
        self.dump(self.kcap, &["dump"], "-d 31 -E -F", vmcore, &stream)?;
        let (cut, cut_stream) = (self.folder.join("cut.kdump"), self.folder.join("cut.stream"));
        // Half of the pages are lost, and of the stream its end record alone.
        for (whole, part, end) in [(&kdump, &cut, None), (&stream, &cut_stream, Some(END_RECORD))] {
            let bytes = fs::read(whole)?;
            let len = end.map_or(bytes.len() / 2, |end| bytes.len() - end);
            fs::write(part, bytes.get(..len).unwrap_or_default())?;
        }
        let empty = self.folder.join("empty");
        fs::write(&empty, "")?;
        let cases: [(&str, &Path, i32); 8] = [
            ("-d 31 -l", &kdump, 0),
            ("-d 31 -c", &stream, 0),
            ("-d 31 -l -F", &stream, 0),
            ("-d 31 -l", &cut, 3),
            ("-d 31 -l", &cut_stream, 3),
            ("-d 31 -l", without_kernel, 4),
            ("-d 31 -l", &empty, 1),
            ("-d 31 -l", Path::new("/nowhere"), 1),
        ];
        for (options, input, code) in cases {
            self.same(options, input, code)?;
        }
        // An output that exists is refused, and overwritten on request.
        let out = self.folder.join("mkdump");
        fs::write(&out, "precious")?;
        let refused = self.dump(&self.mkdump, &[], "-d 31 -l", &kdump, &out)?;
        if refused != Some(1) || fs::read(&out)? != b"precious" {
            return Err(format!("mkdump overwrote a file, and ended with {refused:?}").into());
        }
        if self.dump(&self.mkdump, &[], "-f -d 31 -l", &kdump, &out)? != Some(0) {
            return Err("mkdump -f did not overwrite a file".into());
        }
        if self.dump(&self.mkdump, &[], "-f -d 31 -l", &out, &out)? != Some(1) {
            return Err("mkdump -f overwrote its own input".into());
        }
        Ok(cases.len())
    }

    fn wrong_usage(&self, vmcore: &Path) -> Outcome<()> {
        for words in WRONG {
            for (program, first) in [(self.mkdump.as_path(), None), (self.kcap, Some("dump"))] {
                let out = self.folder.join("unwanted");
                let words = words.split(' ').map(|word| match word {
                    "IN" => vmcore.as_os_str(),
                    "OUT" => out.as_os_str(),
                    word => word.as_ref(),
                });
                let ended = command(&[program]).args(first).args(words.clone()).output()?.status.code();
                if ended != Some(64) {
                    return Err(
                        format!("{} {:?}: {ended:?}", program.display(), words.collect::<Vec<_>>()).into()
                    );
                }
            }
        }
        Ok(())
    }

    /// Another build of mkdump runs and writes the same.
    fn built_by(&self, mkdump: &Path, vmcore: &Path) -> Outcome<()> {
        let out = [self.folder.join("one"), self.folder.join("other")];
        for (program, out) in [self.mkdump.as_path(), mkdump].iter().zip(&out) {
            let _ = fs::remove_file(out);
            self.dump(program, &[], "-d 31 -l", vmcore, out)?;
        }
        let [one, other] = &out;
        if fs::read(one)? != fs::read(other)? {
            return Err(format!("{}: writes another dump", mkdump.display()).into());
        }
        Ok(())
    }

    /// coredesc counts the pages of each kind that `kcap info` counts, and lists VMCOREINFO whole.
    fn same_kinds(&self, vmcore: &Path) -> Outcome<()> {
        let says = output(command(&[&self.coredesc]).arg(vmcore))?;
        let info: Value =
            serde_json::from_str(&output(command(&[self.kcap]).args(["info", "--json"]).arg(vmcore))?)?;
        let kinds = info.pointer("/kinds").and_then(Value::as_array).ok_or("kcap knows no kinds")?;
        let held = info.pointer("/pages/held/pages").and_then(Value::as_u64).ok_or("kcap knows no pages")?;
        let mut wanted = vec![format!("memory     {held} page frames of 4096 bytes held\n")];
        for kind in kinds {
            let (Some(name), Some(pages)) = (kind["kind"].as_str(), kind["pages"].as_u64()) else { continue };
            wanted.push(format!("kind       {} {pages}\n", name.replace('_', "-")));
        }
        let release = info.pointer("/kernel/release").and_then(Value::as_str).unwrap_or_default();
        wanted.push(format!("vmcoreinfo OSRELEASE={release}\n"));
        match wanted.iter().find(|line| !says.contains(line.as_str())) {
            None if kinds.len() > 5 => Ok(()),
            missing => Err(format!("coredesc {}: no line {missing:?}\n{says}", vmcore.display()).into()),
        }
    }
}
