//! `kexec_file_load`: the kernel reads the files and plans itself.

use std::env::consts::ARCH;
use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use host::kexec::{self, Call, Kind, Running, State};
use kexec_core::image::{self, Image, xloadflags};
use kexec_core::plan::PlanError;

use super::args::ImageArgs;
use super::machine::Paging;
use super::state;
use crate::exit::{Exit, Failure};

/// Loads it, whatever we could plan (`-s`).
pub(super) fn load(image: &ImageArgs, line: &str, kind: Kind) -> Result<Exit, Failure> {
    if let Some(why) = would_lose(image, line, kind)? {
        return Err(Failure::new(why));
    }
    call(image, line, kind)?.map_err(|code| state::refused(Call::FileLoad, code, kind, ""))?;
    Ok(Exit::Done)
}

/// Loads it where the kernel takes it (`-a`), and answers whether it did. The caller has a plan for where it does not: so
/// the crash kernel that is loaded, which the kernel forgets before it looks at the image, is not lost for nothing.
pub(super) fn try_first(image: &ImageArgs, line: &str, kind: Kind) -> Result<bool, Failure> {
    if would_lose(image, line, kind)?.is_some() {
        return Ok(false);
    }
    match call(image, line, kind)? {
        Ok(()) => Ok(true),
        Err(code) if kexec::is_worth_another_way(code) => Ok(false),
        Err(code) => Err(state::refused(Call::FileLoad, code, kind, "")),
    }
}

/// What `-a` does where the planner refused: the kernel's way is the only one, and is tried where nothing can be lost by
/// it, or where our planner could never have helped.
pub(super) fn without_a_plan(
    image: &ImageArgs,
    line: &str,
    kind: Kind,
    why: Failure,
) -> Result<Exit, Failure> {
    if ARCH == "x86_64" && kind == Kind::Crash && is_crash_loaded() {
        let stays = "the crash kernel that is loaded stays; -s lets the kernel alone decide";
        return Err(Failure::new(format!("{why}; {stays}")));
    }
    match call(image, line, kind)? {
        Ok(()) => Ok(Exit::Done),
        Err(code) if kexec::is_worth_another_way(code) => Err(why),
        Err(code) => Err(state::refused(Call::FileLoad, code, kind, "")),
    }
}

/// The errno if the kernel refuses.
fn call(image: &ImageArgs, line: &str, kind: Kind) -> Result<Result<(), i32>, Failure> {
    let open = |path: &Path| File::open(path).map_err(|error| Failure::with_path(path, &error));
    let kernel = open(&image.kernel)?;
    let initrd = image.initrd.as_deref().map(open).transpose()?;
    let line = CString::new(line).map_err(|_| Failure::new("the command line holds a zero byte"))?;
    let crash = if kind == Kind::Crash { state::FILE_ON_CRASH } else { 0 };
    let flags = crash | if initrd.is_none() { state::FILE_NO_INITRAMFS } else { 0 };
    Ok(kexec::kexec_file_load(Some(&kernel), initrd.as_ref(), &line, flags))
}

pub(crate) fn is_crash_loaded() -> bool {
    State::read().ok().and_then(|state| state.crash_loaded) == Some(true)
}

/// Why the crash kernel that is loaded would be lost for nothing: the kernel forgets it before it looks at the image.
/// `None` where none is loaded, and where the kernel will take the image as far as we know its rules.
fn would_lose(image: &ImageArgs, line: &str, kind: Kind) -> Result<Option<String>, Failure> {
    if ARCH != "x86_64" || kind != Kind::Crash || !is_crash_loaded() {
        return Ok(None);
    }
    let path = &image.kernel;
    let bytes = fs::read(path).map_err(|error| Failure::with_path(path, &error))?;
    let five_level = Paging::of_running(&Running::here()).five_level;
    Ok(x86_64_would_refuse(&bytes, line.len(), five_level).map(|why| {
        let path = path.display();
        format!("{path}: {why}; the crash kernel that is loaded stays (kcap unload -p forgets it)")
    }))
}

/// What the kernel puts before the command line: `elfcorehdr=0x`, at most 16 digits, a blank (`MAX_ELFCOREHDR_STR_LEN`,
/// `arch/x86/kernel/kexec-bzimage64.c`, Linux 6.12).
const ELFCOREHDR_LEN: usize = 30;

/// `bzImage64_probe` and `bzImage64_load` of the same file, as far as they look at the image and the command line's length.
fn x86_64_would_refuse(kernel: &[u8], line_len: usize, five_level: bool) -> Option<String> {
    let bzimage = match image::identify(kernel) {
        Err(error) => return Some(error.to_string()),
        Ok(Image::BzImage(bzimage)) => bzimage,
        Ok(_) => return Some("kexec_file_load takes a bzImage".into()),
    };
    if let Err(error) = bzimage.entry_64() {
        return Some(error.to_string());
    }
    if !bzimage.can_be_loaded_above_4g() {
        return Some("kexec_file_load takes no kernel that must lie below 4 GiB".into());
    }
    if five_level && !bzimage.header().has_xloadflags(xloadflags::FIVE_LEVEL) {
        return Some(PlanError::FiveLevelPaging.to_string());
    }
    // The kernel counts the NUL.
    let len = line_len.saturating_add(1).saturating_add(ELFCOREHDR_LEN);
    let max = bzimage.cmdline_size();
    let too_long = u64::try_from(len).is_ok_and(|len| len > max);
    too_long.then(|| {
        format!("the command line is too long: {len} bytes with elfcorehdr=, the kernel takes {max}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sectors and 64 KiB; the offsets are those of boot.rst.
    fn bzimage() -> Vec<u8> {
        let mut image = vec![0_u8; 1024 + 65_536];
        let fields: [(usize, &[u8]); 9] = [
            (0x1f1, &[1]),
            (0x1f4, &[0, 0x10]),
            (0x1fe, &[0x55, 0xaa, 0xeb, 0x6a]),
            (0x202, b"HdrS\x0f\x02"),
            (0x211, &[1]),
            (0x230, &[0, 0, 0x20, 0, 1, 21]),
            (0x236, &[0x7f]),
            (0x238, &[0xff]),
            (0x260, &[0, 0, 0x40]),
        ];
        for (offset, bytes) in fields {
            image.iter_mut().skip(offset).zip(bytes).for_each(|(to, from)| *to = *from);
        }
        image
    }

    #[test]
    fn what_the_kernel_would_refuse_is_found_before_it_forgets() {
        let image = bzimage();
        assert_eq!(x86_64_would_refuse(&image, 255 - 31, true), None);
        assert!(x86_64_would_refuse(&image, 255 - 30, true).is_some_and(|why| why.contains("too long")));
        assert!(x86_64_would_refuse(b"not a kernel", 0, false).is_some());
        assert!(x86_64_would_refuse(image.get(..700).unwrap_or_default(), 0, false).is_some());
    }

    #[test]
    fn the_kernel_asks_for_these_flags_of_an_image() {
        let refused = |xloadflags: u8, five_level| {
            let mut image = bzimage();
            image.splice(0x236..0x238, [xloadflags, 0]);
            x86_64_would_refuse(&image, 0, five_level)
        };
        assert_eq!((refused(0x23, true), refused(0x03, false)), (None, None));
        assert!(refused(0x22, false).is_some());
        assert!(refused(0x21, false).is_some_and(|why| why.contains("4 GiB")));
        assert!(refused(0x03, true).is_some_and(|why| why.contains("5-level")));
    }
}
