//! Questions that a dead server may never answer.

use core::time::Duration;
use std::sync::mpsc;
use std::thread;

const PATIENCE: Duration = Duration::from_millis(500);

/// What `work` answers, `None` if it takes too long: its thread then waits on, until the process ends.
pub(super) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let asked = thread::Builder::new().spawn(move || sender.send(work()));
    asked.ok().and_then(|_| receiver.recv_timeout(PATIENCE).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_what_never_answers() {
        let (sender, receiver) = mpsc::channel::<u32>();
        assert_eq!(in_time(move || receiver.recv()), None);
        drop(sender);
        assert_eq!(in_time(|| 7), Some(7));
    }
}
