#![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

use core::ffi::CStr;
use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::path::PathBuf;

use super::*;
use crate::map::{KCAP_RANGE_SYSTEM_RAM, kcap_memory_map_kind_at};
use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_IO, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK};
use crate::testing::{no_error, with_map};

struct Copy(PathBuf, CString);

impl Copy {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("kcapture-c-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let name = CString::new(root.to_str().unwrap()).unwrap();
        Self(root, name)
    }

    fn root(&self) -> *const c_char {
        self.1.as_ptr()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_machine_is_read() {
    let copy = Copy::new(
        "machine",
        &[
            ("proc/iomem", "00001000-0009fbff : System RAM\n"),
            ("proc/cmdline", "console=ttyS0 crashkernel=160M\n"),
            ("proc/sys/kernel/osrelease", "6.12.117+deb12-cloud-amd64\n"),
            ("proc/kallsyms", "ffffffff9b000000 T _text\n"),
            ("sys/kernel/vmcoreinfo", "0x0000000001398000 1024\n"),
            ("sys/kernel/boot_params/data", "0123"),
            ("sys/devices/system/cpu/cpu0/crash_notes", "2e23d800\n"),
            ("sys/devices/system/cpu/cpu0/crash_notes_size", "368\n"),
            ("sys/devices/system/cpu/cpu10/crash_notes", "2e33d800\n"),
            ("sys/firmware/efi/systab", "ACPI20=0x1fb7e014\n"),
            ("sys/firmware/memmap/0/start", "0x1000\n"),
            ("sys/firmware/memmap/0/end", "0x1fff\n"),
            ("sys/firmware/memmap/0/type", "System RAM\n"),
            ("sys/firmware/efi/fw_vendor", "0x1f9ec018\n"),
            ("sys/firmware/efi/runtime-map/0/type", "0x5\n"),
            ("sys/firmware/efi/runtime-map/0/phys_addr", "0x1000\n"),
            ("sys/firmware/efi/runtime-map/0/virt_addr", "0xffff000000001000\n"),
            ("sys/firmware/efi/runtime-map/0/num_pages", "0x2\n"),
            ("sys/firmware/efi/runtime-map/0/attribute", "0x800000000000000f\n"),
        ],
    );
    let root = copy.root();
    let (mut buf, mut len) = ([0x55_u8; 64], 7);
    let mut error = no_error();
    unsafe {
        let short = kcap_running_iomem(root, buf.as_mut_ptr().cast(), 30, &raw mut len, &raw mut error);
        assert_eq!((short, error.value, len, buf), (KCAP_ERR_BUFFER_TOO_SMALL, 31, 7, [0x55; 64]));
        assert_eq!(kcap_running_iomem(root, buf.as_mut_ptr().cast(), 31, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(&buf[..len], b"00001000-0009fbff : System RAM\n");
        let line = buf.as_mut_ptr().cast();
        assert_eq!(kcap_running_command_line(root, line, 31, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!((CStr::from_ptr(line), len), (c"console=ttyS0 crashkernel=160M", 30));
        assert_eq!(
            kcap_running_command_line(root, line, 30, &raw mut len, null_mut()),
            KCAP_ERR_BUFFER_TOO_SMALL
        );
        let path = c"proc/kallsyms".as_ptr();
        assert_eq!(kcap_running_read(root, path, buf.as_mut_ptr(), 64, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(len, 25);
        assert_eq!(kcap_running_boot_params(root, buf.as_mut_ptr(), 64, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(&buf[..len], b"0123");

        let (mut major, mut minor, mut address) = (0, 0, 0);
        assert_eq!(kcap_running_version(root, &raw mut major, &raw mut minor), KCAP_OK);
        assert_eq!((major, minor), (6, 12));
        assert_eq!(kcap_running_symbol(root, c"_text".as_ptr(), &raw mut address), KCAP_OK);
        assert_eq!(address, 0xffff_ffff_9b00_0000);
        assert_eq!(kcap_running_symbol(root, c"_stext".as_ptr(), &raw mut address), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_running_efi_table(root, c"ACPI20".as_ptr(), &raw mut address), KCAP_OK);
        assert_eq!(address, 0x1fb7_e014);
        assert_eq!(kcap_running_efi_number(root, c"fw_vendor".as_ptr(), &raw mut address), KCAP_OK);
        assert_eq!(address, 0x1f9e_c018);
        let mut notes = kcap_note_buffer::default();
        assert_eq!(kcap_running_vmcoreinfo(root, &raw mut notes), KCAP_OK);
        assert_eq!(notes, kcap_note_buffer { paddr: 0x139_8000, len: 4132 });

        with_map(2, |map| {
            assert_eq!(kcap_running_firmware(root, map, null_mut()), KCAP_OK);
            assert_eq!(kcap_memory_map_kind_at(map, 0x1fff), KCAP_RANGE_SYSTEM_RAM);
            assert_eq!(kcap_running_firmware(root, null_mut(), null_mut()), KCAP_ERR_NULL);
        });

        let mut list = [kcap_crash_notes::default(); 3];
        let at = list.as_mut_ptr();
        let short = kcap_running_crash_notes(root, at, 1, &raw mut len, &raw mut error);
        assert_eq!((short, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, 2));
        assert_eq!(kcap_running_crash_notes(root, at, 3, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!((len, list[1].cpu, list[1].notes.len), (2, 10, 1024));
        assert_eq!(kcap_running_kcore_loads(root, null_mut(), 0, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(len, 0);

        assert_eq!(
            kcap_running_efi_runtime_map(root, buf.as_mut_ptr(), 64, &raw mut len, null_mut()),
            KCAP_OK
        );
        assert_eq!((len, buf[0], buf[9], buf[24]), (1, 5, 0x10, 2));
    }
}

#[test]
fn what_a_machine_does_not_say_is_not_there() {
    let copy = Copy::new("silent", &[]);
    let root = copy.root();
    let (mut buf, mut len, mut word) = ([0_u8; 8], 7, 7);
    let mut error = no_error();
    unsafe {
        let status = kcap_running_iomem(root, buf.as_mut_ptr().cast(), 8, &raw mut len, &raw mut error);
        assert_eq!((status, error.code, len), (KCAP_ERR_IO, 2, 7));
        assert_eq!(kcap_running_version(root, &mut { 0 }, &mut { 0 }), KCAP_ERR_NOT_FOUND);
        assert_eq!(
            kcap_running_boot_params(root, buf.as_mut_ptr(), 8, &raw mut len, null_mut()),
            KCAP_ERR_NOT_FOUND
        );
        let mut notes = kcap_note_buffer::default();
        assert_eq!(kcap_running_vmcoreinfo(root, &raw mut notes), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_running_efi_table(root, c"ACPI".as_ptr(), &raw mut word), KCAP_ERR_NOT_FOUND);
        assert_eq!(kcap_running_efi_number(root, c"x".as_ptr(), &raw mut word), KCAP_ERR_NOT_FOUND);
        assert_eq!(word, 7);
        assert_eq!(kcap_running_efi_runtime_map(root, null_mut(), 0, &raw mut len, null_mut()), KCAP_OK);
        assert_eq!(len, 0);
    }
    assert!(kcap_peak_memory() > 4096 && kcap_available_memory() > 4096);
}

#[test]
fn wrong_pointers_and_lengths_are_found() {
    let copy = Copy::new("wrong", &[("proc/iomem", "x"), ("proc/cmdline", "x")]);
    let (root, none) = (copy.root(), null_mut());
    let (mut buf, mut len, mut word) = ([0x55_u8; 8], 7, 7);
    let (at, size) = (buf.as_mut_ptr(), &raw mut len);
    unsafe {
        assert_eq!(kcap_running_iomem(root, null_mut(), 8, size, none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_iomem(root, at.cast(), 8, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_iomem(root, at.cast(), usize::MAX, size, none), KCAP_ERR_LENGTH);
        assert_eq!(kcap_running_iomem(root, at.cast(), 0, size, none), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_running_command_line(root, null_mut(), 8, size, none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_command_line(root, at.cast(), 8, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_read(root, null(), at, 8, size, none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_version(root, null_mut(), &mut { 0 }), KCAP_ERR_NULL);
        assert_eq!(kcap_running_version(root, &mut { 0 }, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_running_crash_notes(root, null_mut(), 1, size, none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_crash_notes(root, null_mut(), 0, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_vmcoreinfo(root, null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_running_symbol(root, null(), &raw mut word), KCAP_ERR_NULL);
        assert_eq!(kcap_running_symbol(root, c"x".as_ptr(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_running_kcore_loads(root, null_mut(), 0, null_mut(), none), KCAP_ERR_NULL);
        assert_eq!(kcap_running_efi_number(root, c"x".as_ptr(), null_mut()), KCAP_ERR_NULL);
        assert_eq!(kcap_running_efi_table(root, null(), &raw mut word), KCAP_ERR_NULL);
        assert_eq!(kcap_running_efi_runtime_map(root, null_mut(), 0, null_mut(), none), KCAP_ERR_NULL);
    }
    assert_eq!((buf, word), ([0x55; 8], 7));
}
