//! When to load a crash kernel again where the running kernel does not keep its elfcorehdr up to date: once for all the
//! CPUs and memory blocks that come and go together, and not while they do.

/// Events that end in one load.
///
/// It has no clock and waits for nothing: the caller says when an event came, and asks when the load is [`due`](Self::due).
/// All times count the caller's unit from the caller's zero, and do not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    quiet: u64,
    longest: u64,
    /// When the first event came, and the last.
    events: Option<(u64, u64)>,
}

impl Burst {
    /// No event yet. A burst ends when no event came for `quiet`, at the latest `longest` after its first: events without
    /// end delay the load no further.
    #[must_use]
    pub const fn new(quiet: u64, longest: u64) -> Self {
        Self { quiet, longest, events: None }
    }

    /// An event came, or may have been missed.
    pub fn event(&mut self, now: u64) {
        self.events = Some(match self.events {
            None => (now, now),
            Some((first, last)) => (first, last.max(now)),
        });
    }

    /// The time at which to load; `None` where no event came.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        let (first, last) = self.events?;
        Some(last.saturating_add(self.quiet).min(first.saturating_add(self.longest)))
    }

    /// Whether the load is due. If so the burst has ended, and the next event begins another one.
    #[must_use]
    pub fn ends(&mut self, now: u64) -> bool {
        let ends = self.due().is_some_and(|due| due <= now);
        if ends {
            self.events = None;
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times at which a burst ends, asked at every tick.
    fn loads(quiet: u64, longest: u64, events: &[u64], until: u64) -> std::vec::Vec<u64> {
        let mut burst = Burst::new(quiet, longest);
        let mut at = std::vec::Vec::new();
        for now in 0..until {
            events.iter().filter(|event| **event == now).for_each(|_| burst.event(now));
            if burst.ends(now) {
                at.push(now);
            }
        }
        at
    }

    #[test]
    fn a_burst_is_one_load_after_it_is_quiet() {
        assert_eq!(loads(20, 300, &[], 500), []);
        assert_eq!(loads(20, 300, &[5], 500), [25]);
        assert_eq!(loads(20, 300, &[5, 5, 6, 20, 39], 500), [59]);
        assert_eq!(loads(20, 300, &[5, 26], 500), [25, 46]);
        assert_eq!(loads(0, 300, &[5, 26], 500), [5, 26]);
    }

    #[test]
    fn events_without_end_do_not_delay_it_for_ever() {
        let events: std::vec::Vec<u64> = (100..500).collect();
        assert_eq!(loads(20, 300, &events, 600), [400, 519]);
        assert_eq!(loads(20, 0, &[7, 8], 600), [7, 8]);
    }

    #[test]
    fn it_says_when_to_ask_again() {
        let mut burst = Burst::new(20, 30);
        assert_eq!((burst.due(), burst.ends(u64::MAX)), (None, false));
        burst.event(100);
        assert_eq!((burst.due(), burst.ends(119)), (Some(120), false));
        burst.event(115);
        assert_eq!(burst.due(), Some(130));
        // An older one, which another thread was late to tell of.
        burst.event(90);
        assert_eq!((burst.due(), burst.ends(130), burst.due()), (Some(130), true, None));
        let mut far = Burst::new(u64::MAX, u64::MAX);
        far.event(7);
        assert_eq!(far.due(), Some(u64::MAX));
    }
}
