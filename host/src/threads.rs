//! A dump on several threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use page_filter::PhysMemory;
use page_filter::dump::{Chunk, Dumper, EncodeParams, Encoded, Error, Next, Progress, encode_chunk};
use vmcore_format::WriteAt;

use crate::errno::ENOMEM;

/// Chunks for each thread that may be on their way at a time: one that is packed, one that waits for its turn.
const CHUNKS_PER_THREAD: usize = 2;

/// Lends a thread a reader of the crashed machine's memory of its own, for as long as the call lasts.
pub type LendMemory<'a> = dyn Fn(&mut dyn FnMut(&mut dyn PhysMemory)) + Sync + 'a;

/// Brings `dumper` to its end on `threads` threads, this one among them; the output is the same on any number.
///
/// This thread hands out chunks, packs some of them and writes all, in order; the others pack. Each of those calls
/// `lend_memory` for a reader, and goes without a fuss if it gets none or cannot be started. `told` hears how far the dump
/// is. Beyond the dumper's own memory two chunks for each thread are held
/// ([`EncodeParams::out_bytes`]), and the scratch of each.
///
/// # Errors
/// The dumper's, and [`Error::Io`] with [`ENOMEM`] where there is no memory for chunks. All threads have ended then, and
/// [`Dumper::abandon`] is the next step.
pub fn finish_on_threads(
    dumper: &mut Dumper<'_>,
    memory: &mut dyn PhysMemory,
    lend_memory: &LendMemory<'_>,
    threads: usize,
    out: &mut dyn WriteAt,
    told: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let params = dumper.params();
    let bench = Bench::default();
    thread::scope(|scope| {
        let _closing = Closing(&bench);
        for _ in 1..threads {
            let started = thread::Builder::new().spawn_scoped(scope, || {
                lend_memory(&mut |memory| bench.serve(&params, memory));
            });
            if started.is_err() {
                break;
            }
        }
        let mut foreman = Foreman {
            bench: &bench,
            params,
            scratch: zeroed(params.scratch_words(), 0_u64)?,
            free: Vec::new(),
            buffers_left: threads.max(1).saturating_mul(CHUNKS_PER_THREAD),
            out_there: 0,
        };
        foreman.run(dumper, memory, out, told)
    })?;
    dumper.finish(out)?;
    told(dumper.progress());
    Ok(())
}

/// A chunk to be packed, and where to.
struct Job {
    chunk: Chunk,
    buffer: Vec<u8>,
}

/// A chunk that was packed.
struct Done {
    job: Job,
    encoded: Result<Encoded, Error>,
}

/// Where jobs lie until a thread takes them, and what was done until it is due.
#[derive(Default)]
struct Bench {
    state: Mutex<State>,
    /// There is a job, or there will be none.
    work: Condvar,
    /// The chunk that is due is done, or a thread has failed.
    due: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// By sequence number, from that of the chunk that is due on.
    done: VecDeque<Option<Done>>,
    first: u64,
    closed: bool,
    failed: bool,
}

impl State {
    fn place(&mut self, done: Done) {
        let at = done.job.chunk.sequence.wrapping_sub(self.first);
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.done.get_mut(at)) {
            *slot = Some(done);
        }
    }

    fn is_due(&self) -> bool {
        matches!(self.done.front(), Some(Some(_)))
    }

    fn take_due(&mut self) -> Option<Done> {
        let done = self.done.front_mut()?.take()?;
        self.done.pop_front();
        self.first = self.first.wrapping_add(1);
        Some(done)
    }
}

impl Bench {
    /// A thread that panicked while it held the lock has left nothing half done: each change is one statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Packs chunks until there are no more.
    fn serve(&self, params: &EncodeParams, memory: &mut dyn PhysMemory) {
        // Without memory the other threads do the work.
        let Ok(mut scratch) = zeroed(params.scratch_words(), 0_u64) else { return };
        let _failing = Failing(self);
        while let Some(job) = self.take() {
            let done = pack(params, memory, &mut scratch, job);
            let mut state = self.lock();
            state.place(done);
            if state.is_due() {
                self.due.notify_one();
            }
        }
    }

    /// The next job, when there is one; `None` when there will be none.
    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn pack(params: &EncodeParams, memory: &mut dyn PhysMemory, scratch: &mut [u64], mut job: Job) -> Done {
    let encoded = encode_chunk(params, &job.chunk, memory, scratch, &mut job.buffer);
    Done { job, encoded }
}

/// Sends the other threads home, however this one ends.
struct Closing<'a>(&'a Bench);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_all();
    }
}

/// Tells the thread that waits that the job of this one will not come back.
struct Failing<'a>(&'a Bench);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().failed = true;
            self.0.due.notify_one();
        }
    }
}

/// What the thread that drives the dump works with.
struct Foreman<'a> {
    bench: &'a Bench,
    params: EncodeParams,
    scratch: Vec<u64>,
    /// Buffers without a job.
    free: Vec<Vec<u8>>,
    /// How many more buffers may be made.
    buffers_left: usize,
    /// Chunks handed out and not committed.
    out_there: usize,
}

/// What the thread that drives the dump does while it cannot hand out chunks.
enum Turn {
    Commit(Done),
    Pack(Job),
}

impl Foreman<'_> {
    /// Hands out, packs and commits every chunk.
    fn run(
        &mut self,
        dumper: &mut Dumper<'_>,
        memory: &mut dyn PhysMemory,
        out: &mut dyn WriteAt,
        told: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        // Whether all chunks must be committed before there are more.
        let mut waits = false;
        loop {
            waits &= self.out_there > 0;
            if !waits && !self.bench.lock().is_due() && self.has_buffer()? {
                match dumper.next_chunk(memory, out)? {
                    Next::Again(progress) => told(progress),
                    Next::Chunk(chunk) => self.hand_out(chunk),
                    Next::Done if self.out_there == 0 => return Ok(()),
                    Next::Done | Next::Wait => waits = true,
                }
                continue;
            }
            match self.turn()? {
                Turn::Commit(done) => {
                    self.commit(done, dumper, out)?;
                    told(dumper.progress());
                }
                Turn::Pack(job) => {
                    let done = pack(&self.params, memory, &mut self.scratch, job);
                    self.bench.lock().place(done);
                }
            }
        }
    }

    /// Whether there is a buffer for one more chunk. Where memory is short fewer do.
    fn has_buffer(&mut self) -> Result<bool, Error> {
        if self.free.is_empty() && self.buffers_left > 0 {
            match zeroed(self.params.out_bytes(), 0_u8) {
                Ok(buffer) => {
                    self.buffers_left = self.buffers_left.saturating_sub(1);
                    self.free.push(buffer);
                }
                Err(error) if self.out_there == 0 => return Err(error),
                Err(_) => self.buffers_left = 0,
            }
        }
        Ok(!self.free.is_empty())
    }

    fn hand_out(&mut self, chunk: Chunk) {
        let buffer = self.free.pop().unwrap_or_default();
        let mut state = self.bench.lock();
        state.jobs.push_back(Job { chunk, buffer });
        state.done.push_back(None);
        self.out_there = self.out_there.saturating_add(1);
        drop(state);
        self.bench.work.notify_one();
    }

    /// The chunk that is due, or one to be packed; waits for either.
    fn turn(&self) -> Result<Turn, Error> {
        let mut state = self.bench.lock();
        loop {
            if let Some(done) = state.take_due() {
                return Ok(Turn::Commit(done));
            }
            if let Some(job) = state.jobs.pop_front() {
                return Ok(Turn::Pack(job));
            }
            if state.failed {
                // The scope goes on with the other thread's panic.
                return Err(Error::Io { code: crate::EIO });
            }
            state = self.bench.due.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn commit(&mut self, done: Done, dumper: &mut Dumper<'_>, out: &mut dyn WriteAt) -> Result<(), Error> {
        let Job { chunk, buffer } = done.job;
        dumper.commit_chunk(&chunk, &done.encoded?, &buffer, out)?;
        self.out_there = self.out_there.saturating_sub(1);
        self.free.push(buffer);
        Ok(())
    }
}

fn zeroed<T: Clone>(len: usize, zero: T) -> Result<Vec<T>, Error> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(len).map_err(|_| Error::Io { code: ENOMEM })?;
    memory.resize(len, zero);
    Ok(memory)
}
#[cfg(test)]
mod tests;
