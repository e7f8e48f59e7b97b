//! The system calls: the one file of this crate with `unsafe`.
#![expect(unsafe_code, reason = "what std does not wrap")]

use core::ffi::{CStr, c_int, c_long, c_ulong, c_void};
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence};
use core::time::Duration;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use crate::errno::{EINVAL, code_of};

/// `struct kexec_segment` of `linux/kexec.h`: words of the native size.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct RawSegment {
    buf: *const c_void,
    bufsz: usize,
    mem: *const c_void,
    memsz: usize,
}

/// A range of physical memory and what the kernel copies there.
#[derive(Debug, Clone, Copy)]
pub struct LoadSegment<'a> {
    /// The first bytes of the segment; the kernel fills the rest with zeros.
    pub bytes: &'a [u8],
    /// Physical address, page-aligned.
    pub mem: u64,
    /// Size in bytes, a multiple of the page size, not smaller than `bytes`.
    pub memsz: u64,
}

/// `kexec_load`: the kernel copies the segments and starts at `entry`, a physical address. Without segments it forgets
/// the image that it has. `flags` are those of `linux/kexec.h`: 1 `KEXEC_ON_CRASH`, 4 `KEXEC_UPDATE_ELFCOREHDR`,
/// 8 `KEXEC_CRASH_HOTPLUG_SUPPORT`.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn kexec_load(entry: u64, segments: &[LoadSegment<'_>], flags: u64) -> Result<(), i32> {
    let word = |value: u64| usize::try_from(value).map_err(|_| EINVAL);
    let mut raw = Vec::with_capacity(segments.len());
    for segment in segments {
        raw.push(RawSegment {
            buf: segment.bytes.as_ptr().cast(),
            bufsz: segment.bytes.len(),
            mem: ptr::without_provenance(word(segment.mem)?),
            memsz: word(segment.memsz)?,
        });
    }
    let (entry, flags) = (word(entry)?, word(flags)?);
    // SAFETY: `raw` holds `raw.len()` valid `struct kexec_segment`; the kernel reads `bufsz` bytes at each `buf`, which
    // are borrowed for the call, and writes nothing of this process. `mem` is a physical address and never followed here.
    let result = unsafe { libc::syscall(libc::SYS_kexec_load, entry, raw.len(), raw.as_ptr(), flags) };
    checked(result)
}

/// The errno by which `kexec_load` refuses one segment that cannot be read: `EFAULT` where it has no objection to the flags,
/// which it looks at first. Nothing is loaded, and nothing forgotten.
pub(crate) fn refusal_of_no_segment(flags: c_ulong) -> i32 {
    // SAFETY: the kernel reads a `struct kexec_segment` at address 0, which is no memory of this process, and finds that out.
    let result =
        unsafe { libc::syscall(libc::SYS_kexec_load, 0_usize, 1_usize, ptr::null::<RawSegment>(), flags) };
    checked(result).err().unwrap_or(0)
}

/// `kexec_file_load`: the kernel reads the image and the initial RAM disk from open files and plans itself. `flags` are
/// those of `linux/kexec.h`: 1 `KEXEC_FILE_UNLOAD`, 2 `KEXEC_FILE_ON_CRASH`, 4 `KEXEC_FILE_NO_INITRAMFS`.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn kexec_file_load(
    kernel: Option<&File>,
    initrd: Option<&File>,
    command_line: &CStr,
    flags: u64,
) -> Result<(), i32> {
    let number = |file: Option<&File>| c_long::from(file.map_or(-1, |file| file.as_raw_fd()));
    let flags = c_ulong::try_from(flags).map_err(|_| EINVAL)?;
    let line = command_line.to_bytes_with_nul();
    // SAFETY: the kernel reads `line.len()` bytes at `line`, which are borrowed for the call, and the files by their
    // numbers, which are open for the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            number(kernel),
            number(initrd),
            line.len(),
            line.as_ptr(),
            flags,
        )
    };
    checked(result)
}

/// `sync`, then `reboot(LINUX_REBOOT_CMD_KEXEC)`: leaves this kernel at once for the loaded one. Nothing is shut down
/// first. It returns only if it fails.
///
/// # Errors
/// The errno; [`explain`](crate::kexec::explain) puts it into words.
pub fn reboot_into_loaded() -> Result<(), i32> {
    const LINUX_REBOOT_CMD_KEXEC: c_int = 0x4558_4543;
    // SAFETY: both calls take no pointer of this process.
    let result = unsafe {
        libc::sync();
        libc::reboot(LINUX_REBOOT_CMD_KEXEC)
    };
    checked(c_long::from(result))
}

/// A socket that hears the kernel's events of devices; the kernel keeps up to 1 MiB of them for it where it may.
pub(crate) fn uevent_socket() -> Result<OwnedFd, i32> {
    /// The kernel's own messages; the other group is udev's.
    const KERNEL_GROUP: u32 = 1;
    const KEPT: c_int = 1 << 20;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the call takes no pointer.
    let number = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_KOBJECT_UEVENT) };
    checked(c_long::from(number))?;
    // SAFETY: the number is that of a new descriptor, which nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    let (len, value) = (socklen(size_of::<c_int>())?, ptr::from_ref(&KEPT).cast());
    // More needs a privilege; without it messages are lost sooner, which the receiver hears of.
    // SAFETY: the kernel reads one `c_int`, which is borrowed for the call.
    let _ = unsafe { libc::setsockopt(number, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, value, len) };
    // SAFETY: all zeros are a value of the structure: a port of the kernel's choice.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).map_err(|_| EINVAL)?;
    address.nl_groups = KERNEL_GROUP;
    let len = socklen(size_of::<libc::sockaddr_nl>())?;
    // SAFETY: the kernel reads one `struct sockaddr_nl`, which is borrowed for the call.
    let result = unsafe { libc::bind(number, ptr::from_ref(&address).cast(), len) };
    checked(c_long::from(result)).map(|()| socket)
}

/// Waits until there is something to read, `time` at most, and answers whether there is. A signal ends the wait as well.
pub(crate) fn wait_readable(socket: &OwnedFd, time: Option<Duration>) -> Result<bool, i32> {
    // A wait that ends early would make its caller wait again and again.
    let millis = |time: Duration| time.as_nanos().div_ceil(1_000_000);
    let timeout = time.map_or(-1, |time| c_int::try_from(millis(time)).unwrap_or(c_int::MAX));
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads and writes one `struct pollfd`, which is exclusively borrowed for the call.
    let result = unsafe { libc::poll(&raw mut poll, 1, timeout) };
    match checked(c_long::from(result)) {
        Ok(()) => Ok(result > 0),
        Err(libc::EINTR) => Ok(false),
        Err(code) => Err(code),
    }
}

/// What a socket had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Nothing of the kernel's.
    Nothing,
    /// Word that messages were lost, or a message that was too long.
    Lost,
    /// So many bytes.
    Message(usize),
}

/// Takes a message of the kernel's from a netlink socket, without waiting for one.
pub(crate) fn receive_of_kernel(socket: &OwnedFd, message: &mut [u8]) -> Result<Received, i32> {
    // SAFETY: all zeros are a value of the structure.
    let mut sender: libc::sockaddr_nl = unsafe { mem::zeroed() };
    let mut sender_len = socklen(size_of::<libc::sockaddr_nl>())?;
    // SAFETY: the kernel writes at most `message.len()` bytes of the message and one `struct sockaddr_nl`, both exclusively
    // borrowed for the call.
    let len = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            message.as_mut_ptr().cast(),
            message.len(),
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            ptr::from_mut(&mut sender).cast(),
            &raw mut sender_len,
        )
    };
    match usize::try_from(len) {
        // Another process: only the kernel has no port.
        Ok(_) if sender.nl_pid != 0 => Ok(Received::Nothing),
        Ok(len) if len > message.len() => Ok(Received::Lost),
        Ok(len) => Ok(Received::Message(len)),
        Err(_) => match code_of(&io::Error::last_os_error()) {
            libc::ENOBUFS => Ok(Received::Lost),
            libc::EAGAIN | libc::EINTR => Ok(Received::Nothing),
            code => Err(code),
        },
    }
}

fn socklen(len: usize) -> Result<libc::socklen_t, i32> {
    libc::socklen_t::try_from(len).map_err(|_| EINVAL)
}

/// Takes storage for the `len` bytes at `offset` of `file`, whose size stays as it is.
pub(crate) fn preallocate(file: &File, offset: u64, len: u64) -> Result<(), i32> {
    let number = |value: u64| libc::off_t::try_from(value).map_err(|_| EINVAL);
    let (offset, len) = (number(offset)?, number(len)?);
    // SAFETY: the call takes no pointer, and the file is open for the call.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, offset, len) };
    checked(c_long::from(result))
}

/// Asks for the `len` bytes at `offset` of `file` to be brought to storage, and does not wait for it.
pub(crate) fn start_writeback(file: &File, offset: u64, len: u64) -> Result<(), i32> {
    let number = |value: u64| libc::off64_t::try_from(value).map_err(|_| EINVAL);
    let (offset, len) = (number(offset)?, number(len)?);
    // SAFETY: the call takes no pointer, and the file is open for the call.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
    checked(c_long::from(result))
}

/// The first place at or above `offset` that is not in a hole of the file, `ENXIO` where nothing but a hole follows.
pub(crate) fn next_data(file: &File, offset: u64) -> Result<u64, i32> {
    let offset = libc::off64_t::try_from(offset).map_err(|_| EINVAL)?;
    // SAFETY: takes numbers alone; the descriptor is open as long as `file` is borrowed. The position that it moves is
    // used by nobody: all reads say where they start.
    let found = unsafe { libc::lseek64(file.as_raw_fd(), offset, libc::SEEK_DATA) };
    u64::try_from(found).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(EINVAL))
}

/// Whether `file` is on a file system that lives in memory (`tmpfs`).
pub(crate) fn is_in_memory(file: &File) -> bool {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    file_system(file) == Some(TMPFS_MAGIC)
}

/// Whether `file` is one of the kernel's, in `/proc`.
pub(crate) fn is_in_proc(file: &File) -> bool {
    const PROC_SUPER_MAGIC: u64 = 0x9fa0;
    file_system(file) == Some(PROC_SUPER_MAGIC)
}

/// The number of the file system that `file` is on (`linux/magic.h`).
fn file_system(file: &File) -> Option<u64> {
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel writes one `struct statfs`, for which there is room, and the file is open for the call.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), answer.as_mut_ptr()) };
    // SAFETY: all zeros are a value of the structure, which the kernel may have replaced.
    let answer = unsafe { answer.assume_init() };
    u64::try_from(answer.f_type).ok().filter(|_| result == 0)
}

/// What is known of the file at `path`, links followed, without asking a server for it (`AT_STATX_DONT_SYNC`): a file of one
/// that does not answer holds nobody up.
pub(crate) fn known_of(path: &CStr) -> Result<KnownFile, i32> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT;
    // SAFETY: the kernel reads a string that ends, and writes one `struct statx`, for which there is room.
    let result =
        unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, libc::STATX_TYPE, answer.as_mut_ptr()) };
    if result != 0 {
        return Err(code_of(&io::Error::last_os_error()));
    }
    // SAFETY: all zeros are a value of the structure, which the kernel has replaced.
    let answer = unsafe { answer.assume_init() };
    let is_char_device = u32::from(answer.stx_mode) & libc::S_IFMT == libc::S_IFCHR;
    Ok(KnownFile {
        char_device: is_char_device.then_some((answer.stx_rdev_major, answer.stx_rdev_minor)),
        file_system: (answer.stx_dev_major, answer.stx_dev_minor),
    })
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownFile {
    /// The numbers of the character device that it is.
    pub(crate) char_device: Option<(u32, u32)>,
    /// The numbers of the device that it lies on.
    pub(crate) file_system: (u32, u32),
}

/// The file system that `path` lies on: its number (`linux/magic.h`), and the bytes that a user may still write.
pub(crate) fn file_system_at(path: &CStr) -> Result<(u64, u64), i32> {
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel reads a string that ends, and writes one `struct statfs`, for which there is room.
    let result = unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) };
    if result != 0 {
        return Err(code_of(&io::Error::last_os_error()));
    }
    // SAFETY: all zeros are a value of the structure, which the kernel has replaced.
    let answer = unsafe { answer.assume_init() };
    // Blocks are counted in fragments; `f_bsize` is the length of a good transfer, the same where no fragment is told.
    let fragment = u64::try_from(answer.f_frsize).ok().filter(|bytes| *bytes != 0);
    let block = fragment.unwrap_or(u64::try_from(answer.f_bsize).unwrap_or(0));
    Ok((u64::try_from(answer.f_type).unwrap_or(0), block.saturating_mul(answer.f_bavail)))
}

/// The bytes of a page of this machine.
#[must_use]
pub fn page_size() -> u64 {
    // SAFETY: the call takes no pointer.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// A piece of a file in memory, read only. What is there may change or go away at any time: bytes are copied out of it,
/// never lent.
///
/// Where a page is gone, or its memory is broken, the processor's access raises `SIGBUS`. The handler that the first mapping installs
/// puts a page of zeros there and takes note, and the copy fails. A `SIGBUS` elsewhere is none of its business: it goes where it went before.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    offset: u64,
    slot: &'static Slot,
}

// SAFETY: a mapping belongs to the process, not to the thread that made it; it is read through `copy` alone.
unsafe impl Send for Mapping {}

/// What the signal handler knows of a mapping.
#[derive(Debug)]
struct Slot {
    /// Address of the first byte; 0: free, 1: being taken.
    start: AtomicUsize,
    len: AtomicUsize,
    /// The address of an access that failed; 0: none did.
    fault: AtomicUsize,
    /// Whether it did because the memory is broken.
    poisoned: AtomicBool,
}

/// Why bytes of a mapping cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// They are not in it.
    Outside,
    /// A page of them is gone.
    Gone,
    /// The memory that they are in is broken: so many bytes into the mapping, an access failed.
    Poisoned(usize),
}

/// The most mappings at a time. Who gets none reads without.
static SLOTS: [Slot; 256] = [const {
    Slot {
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        fault: AtomicUsize::new(0),
        poisoned: AtomicBool::new(false),
    }
}; 256];

/// What `SIGBUS` did before, set before the handler is installed; without it there is no handler and no mapping.
static BEFORE: OnceLock<Option<libc::sigaction>> = OnceLock::new();

impl Mapping {
    /// Maps `len` bytes at `offset` of `file`, a multiple of the page size; `None` where that cannot be done.
    pub(crate) fn new(file: &File, offset: u64, len: usize) -> Option<Self> {
        BEFORE.get_or_init(guard).as_ref()?;
        let at = libc::off_t::try_from(offset).ok().filter(|_| len > 0)?;
        let free = |slot: &&Slot| slot.start.compare_exchange(0, 1, Acquire, Relaxed).is_ok();
        let slot = SLOTS.iter().find(free)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), at)
        };
        let start = NonNull::new(start.cast::<u8>()).filter(|_| start != libc::MAP_FAILED);
        let Some(start) = start else {
            slot.start.store(0, Release);
            return None;
        };
        slot.fault.store(0, Relaxed);
        slot.poisoned.store(false, Relaxed);
        slot.len.store(len, Relaxed);
        slot.start.store(start.as_ptr().addr(), Release);
        Some(Self { start, len, offset, slot })
    }

    /// Where the first byte stands in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills `to` with the bytes that stand `skip` bytes into the mapping. Where that fails `to` is unspecified, and the mapping of no
    /// more use.
    pub(crate) fn copy(&self, skip: usize, to: &mut [u8]) -> Result<(), Broken> {
        if skip.checked_add(to.len()).is_none_or(|end| end > self.len) {
            return Err(Broken::Outside);
        }
        // SAFETY: `to.len()` bytes from `skip` on are in the mapping, which is unmapped by `drop` alone, and `to` is exclusively borrowed memory
        // elsewhere. Bytes that others change meanwhile are copied in some state; any is a value of a `u8`. A page that is
        // gone is replaced by the signal handler.
        unsafe { ptr::copy_nonoverlapping(self.start.as_ptr().add(skip), to.as_mut_ptr(), to.len()) };
        // The handler runs on this thread, between the accesses of the copy and this one.
        compiler_fence(SeqCst);
        match (self.slot.fault.load(Relaxed), self.slot.poisoned.load(Relaxed)) {
            (0, _) => Ok(()),
            (_, false) => Err(Broken::Gone),
            (at, true) => Err(Broken::Poisoned(at.wrapping_sub(self.start.as_ptr().addr()))),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // What is mapped at these addresses next is not this slot's.
        self.slot.start.store(1, Release);
        // SAFETY: the mapping is this value's alone, and no reference into it exists.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        self.slot.start.store(0, Release);
    }
}

/// Installs the handler of `SIGBUS`; what was there before, or `None` where that fails.
fn guard() -> Option<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeros are a value of the structure: no flags, no handler, an empty mask.
    let action = unsafe { action.assume_init_mut() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_sigbus;
    #[expect(clippy::as_conversions, reason = "the one way from a function to its address")]
    let address = handler as libc::sighandler_t;
    action.sa_sigaction = address;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both structures are valid for the call, and the handler does nothing but what a signal handler may.
    let result = unsafe { libc::sigaction(libc::SIGBUS, action, before.as_mut_ptr()) };
    // SAFETY: all zeros are a value of the structure, which the kernel may have replaced.
    let before = unsafe { before.assume_init() };
    (result == 0).then_some(before)
}

/// Puts a page of zeros where one is gone, if it is a page of a mapping, and takes note.
extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel calls with a valid `siginfo_t`, whose address is set for this signal.
    let address = unsafe { (*info).si_addr() }.addr();
    // SAFETY: as above.
    let poisoned = matches!(unsafe { (*info).si_code }, libc::BUS_MCEERR_AR | libc::BUS_MCEERR_AO);
    // SAFETY: the call takes no pointer and is one that a signal handler may make.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let holds = |slot: &&Slot| {
        let (start, len) = (slot.start.load(Acquire), slot.len.load(Relaxed));
        start > 1 && (start..start.wrapping_add(len.next_multiple_of(page))).contains(&address)
    };
    if let Some(slot) = SLOTS.iter().find(holds) {
        slot.poisoned.store(poisoned, Relaxed);
        slot.fault.store(address, Relaxed);
        let at = ptr::without_provenance_mut(address & !page.wrapping_sub(1));
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the page is one of a mapping of this file, which is only read, byte by byte, and was not there.
        let zeros = unsafe { libc::mmap(at, page, libc::PROT_READ, flags, -1, 0) };
        if zeros != libc::MAP_FAILED {
            return;
        }
    }
    pass_on(signal, info, context);
}

/// Does what `SIGBUS` did before. The access is repeated when the handler returns: without a handler it ends the process.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let before = BEFORE.get().copied().flatten();
    match before {
        Some(before) if !matches!(before.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
            let handler = before.sa_sigaction;
            if before.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: a handler that was installed with `SA_SIGINFO` has these parameters.
                let handler = unsafe {
                    mem::transmute::<usize, extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(handler)
                };
                handler(signal, info, context);
            } else {
                // SAFETY: a handler that was installed without `SA_SIGINFO` has this parameter.
                let handler = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
                handler(signal);
            }
        }
        _ => {
            // SAFETY: the call takes no pointer and is one that a signal handler may make.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

fn checked(result: c_long) -> Result<(), i32> {
    if result < 0 { Err(code_of(&io::Error::last_os_error())) } else { Ok(()) }
}

/// Whether `SIGINT` or `SIGTERM` came.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on `SIGINT` and `SIGTERM` no longer end the program the first time: [`interrupted`] answers. A second one ends it at
/// once. A signal that is ignored stays ignored.
pub fn watch_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: the kernel writes one `struct sigaction`, for which there is room.
        let result = unsafe { libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) };
        // SAFETY: all zeros are a value of the structure, which the kernel may have replaced.
        let before = unsafe { before.assume_init() };
        if result != 0 || before.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zeros are a value of the structure: no flags, no handler, an empty mask.
        let action = unsafe { action.assume_init_mut() };
        let handler: extern "C" fn(c_int) = on_interrupt;
        #[expect(clippy::as_conversions, reason = "the one way from a function to its address")]
        let address = handler as libc::sighandler_t;
        action.sa_sigaction = address;
        action.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
        // SAFETY: the structure is valid for the call, and the handler does nothing but what a signal handler may. Where it
        // cannot be installed the signal ends the program, as it did before.
        let _ = unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
    }
}

/// Whether `SIGINT` or `SIGTERM` came since [`watch_interrupts`].
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Relaxed)
}

/// Takes note. Where one came before, this one does what it does by default, once the handler is left.
extern "C" fn on_interrupt(signal: c_int) {
    if INTERRUPTED.swap(true, Relaxed) {
        // SAFETY: the call takes no pointer and is one that a signal handler may make.
        let _ = unsafe { libc::raise(signal) };
    }
}

/// Whether standard output was closed when the program began: `std` opens `/dev/null` in its place, for reading and writing, where
/// a shell opens what it redirects to for writing alone.
pub(crate) fn stdout_was_closed() -> bool {
    let mut answer = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes one `struct stat`, for which there is room.
    let result = unsafe { libc::fstat(libc::STDOUT_FILENO, answer.as_mut_ptr()) };
    // SAFETY: all zeros are a value of the structure, which the kernel may have replaced.
    let answer = unsafe { answer.assume_init() };
    // SAFETY: the call takes no pointer.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFL) };
    let is_null = answer.st_mode & libc::S_IFMT == libc::S_IFCHR && answer.st_rdev == libc::makedev(1, 3);
    result != 0 || flags < 0 || (is_null && flags & libc::O_ACCMODE == libc::O_RDWR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine check as the kernel reports it (`BUS_MCEERR_AR`), sent by hand: no memory is broken here.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no signals")]
    fn memory_that_breaks_fails_the_copy_and_says_where() {
        const PAGE: usize = 4096;
        let path = std::env::temp_dir().join(format!("kcapture-poison-{}", std::process::id()));
        std::fs::write(&path, vec![7; 4 * PAGE]).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mapping = Mapping::new(&file, 0, 4 * PAGE).unwrap();
        let mut page = [0; PAGE];
        assert_eq!(mapping.copy(PAGE, &mut page), Ok(()));
        let mut info = [0_u64; 16];
        let broken = mapping.start.as_ptr().addr() + 2 * PAGE + 0x123;
        // `siginfo_t`: signal, errno and code, 32 bits each; the address at the next multiple of a word.
        info[0] = u64::from(libc::SIGBUS.cast_unsigned());
        info[1] = u64::from(libc::BUS_MCEERR_AR.cast_unsigned());
        info[2] = broken as u64;
        // SAFETY: the kernel reads a `siginfo_t` of 128 bytes, and the signal goes to this thread, whose handler knows the
        // address.
        let sent = unsafe {
            let process = libc::syscall(libc::SYS_getpid);
            let thread = libc::syscall(libc::SYS_gettid);
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, libc::SIGBUS, info.as_ptr())
        };
        assert_eq!(sent, 0);
        assert_eq!(mapping.copy(2 * PAGE, &mut page), Err(Broken::Poisoned(2 * PAGE + 0x123)));
        assert_eq!(mapping.copy(3 * PAGE + 1, &mut page), Err(Broken::Outside));
    }

    /// What kernel and libraries agree on: four words.
    #[test]
    fn a_segment_is_four_words() {
        assert_eq!(size_of::<RawSegment>(), 4 * size_of::<usize>());
    }
}
