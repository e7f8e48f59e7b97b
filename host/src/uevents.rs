//! The kernel's events of devices that come and go (`NETLINK_KOBJECT_UEVENT`), as they come to user space.

use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;

use crate::syscall;

/// A message of the kernel (`kobject_uevent_env`, `lib/kobject_uevent.c`): `ACTION@DEVPATH`, then `KEY=VALUE` once for each
/// key, all of them ended by a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uevent<'a> {
    /// What happened: `add`, `remove`, `online`, `offline` ...
    pub action: &'a str,
    /// The device, a folder below `/sys`: `/devices/system/memory/memory40`.
    pub devpath: &'a str,
    /// What kind of device it is: `memory`, `cpu` ...
    pub subsystem: &'a str,
}

impl<'a> Uevent<'a> {
    /// The event of a message; `None` where the message is cut off, or is none of the kernel's.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(message.strip_suffix(b"\0")?).ok()?;
        let mut fields = text.split('\0');
        let (action, devpath) = fields.next()?.split_once('@')?;
        let mut subsystem = None;
        // The last key of a message (`kobject_uevent_env`): without it the message is cut off.
        let mut is_whole = false;
        for field in fields {
            let (key, value) = field.split_once('=')?;
            match key {
                "SUBSYSTEM" => subsystem = Some(value),
                "SEQNUM" => is_whole = !value.is_empty(),
                _ => {}
            }
        }
        Some(Self { action, devpath, subsystem: subsystem? }).filter(|_| is_whole)
    }

    /// Whether memory or a CPU came, went, or changed its state.
    #[must_use]
    pub fn changes_the_machine(&self) -> bool {
        ["memory", "cpu"].contains(&self.subsystem)
            && ["add", "remove", "online", "offline"].contains(&self.action)
    }
}

/// The events from now on.
#[derive(Debug)]
pub struct Uevents {
    socket: OwnedFd,
}

/// The kernel's own limit is 2 KiB for the keys and their values (`UEVENT_BUFFER_SIZE`, Linux 6.12), beside the path.
const MESSAGE_LEN: usize = 16 << 10;

impl Uevents {
    /// Listens to the kernel. Nothing is missed from here on but what [`wait`](Self::wait) says.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen() -> io::Result<Self> {
        syscall::uevent_socket().map(|socket| Self { socket }).map_err(io::Error::from_raw_os_error)
    }

    /// Waits for an event that changes the machine, `time` at most or without an end, and answers whether there was one: yes
    /// also where events were lost or cannot be read, as one of them may have been of that kind.
    ///
    /// # Errors
    /// The operating system's.
    pub fn wait(&self, time: Option<Duration>) -> io::Result<bool> {
        let failed = io::Error::from_raw_os_error;
        if !syscall::wait_readable(&self.socket, time).map_err(failed)? {
            return Ok(false);
        }
        let mut message = vec![0; MESSAGE_LEN];
        let received = syscall::receive_of_kernel(&self.socket, &mut message).map_err(failed)?;
        Ok(match received {
            syscall::Received::Nothing => false,
            syscall::Received::Lost => true,
            syscall::Received::Message(len) => {
                message.get(..len).and_then(Uevent::parse).is_none_or(|event| event.changes_the_machine())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `udevadm monitor --kernel --property` shows it on Debian 12 (Linux 6.1), in the form of the socket.
    const ADDED: &[u8] =
        b"add@/devices/system/memory/memory40\0ACTION=add\0DEVPATH=/devices/system/memory/memory40\0\
        SUBSYSTEM=memory\0SEQNUM=1234\0";

    fn parse(text: &str) -> Option<Uevent<'_>> {
        Uevent::parse(text.as_bytes())
    }

    #[test]
    fn an_event_is_read() {
        let event = Uevent::parse(ADDED).unwrap();
        let memory =
            Uevent { action: "add", devpath: "/devices/system/memory/memory40", subsystem: "memory" };
        assert_eq!(event, memory);
        assert!(event.changes_the_machine());
    }

    #[test]
    fn a_message_that_is_cut_off_is_none() {
        for len in 0..ADDED.len() {
            assert_eq!(Uevent::parse(&ADDED[..len]), None, "{len}");
        }
    }

    #[test]
    fn what_is_not_the_kernels_is_none() {
        for text in [
            "libudev\0\u{fe}",
            "",
            "\0",
            "add\0SUBSYSTEM=cpu\0SEQNUM=1\0",
            "add@/x\0SUBSYSTEM\0SEQNUM=1\0",
            "add@/x\0SEQNUM=1\0",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(Uevent::parse(b"add@/\xff\0SUBSYSTEM=cpu\0SEQNUM=1\0"), None);
    }

    #[test]
    fn only_memory_and_cpus_that_come_or_go_count() {
        let counts = |action: &str, subsystem: &str| {
            let text = format!("{action}@/devices/x\0SUBSYSTEM={subsystem}\0SEQNUM=7\0");
            parse(&text).unwrap().changes_the_machine()
        };
        for action in ["add", "remove", "online", "offline"] {
            assert!(counts(action, "memory") && counts(action, "cpu"), "{action}");
            assert!(!counts(action, "block") && !counts(action, ""), "{action}");
        }
        assert!(!counts("change", "memory") && !counts("bind", "cpu") && !counts("", "cpu"));
    }

    /// Whether there is such a socket at all depends on where the test runs.
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no netlink")]
    fn a_quiet_socket_is_waited_for_no_longer_than_asked() {
        if let Ok(events) = Uevents::listen() {
            let mut left = 1000;
            while events.wait(Some(Duration::from_millis(1))).unwrap() && left > 0 {
                left -= 1;
            }
        }
    }
}
