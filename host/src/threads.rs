//! A dump on several threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use page_filter::PhysMemory;
use page_filter::dump::{
    Chunk, Dumper, EncodeParams, Encoded, Error, Next, Phase, Progress, SPAN_WORDS, Scanned, Scanner, Span,
    encode_chunk,
};
use vmcore_format::WriteAt;

use crate::errno::{EIO, ENOMEM};

/// Tasks for each thread that may be on their way at a time: one that is worked on, one that waits for its turn.
const TASKS_PER_THREAD: usize = 2;

/// Lends a thread a reader of the crashed machine's memory of its own, for as long as the call lasts.
pub type LendMemory<'a> = dyn Fn(&mut dyn FnMut(&mut dyn PhysMemory)) + Sync + 'a;

/// Brings `dumper` to its end on `threads` threads, this one among them; the output is the same on any number.
///
/// All threads tell pages apart, read and pack them; this one hands out the work and writes what comes of it, in order.
/// Each of the others calls `lend_memory` for a reader, and goes without a fuss if it gets none or cannot be started.
/// `told` hears how far the dump is, and ends it by an error. Beyond the dumper's own memory two chunks for each thread are held
/// ([`EncodeParams::out_bytes`]), and about 100 KiB of scratch.
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
    told: &mut dyn FnMut(Progress) -> Result<(), Error>,
) -> Result<(), Error> {
    let params = dumper.params();
    let scanner = dumper.scanner();
    let bench = Bench::default();
    thread::scope(|scope| {
        let _closing = Closing(&bench);
        for _ in 1..threads {
            let scanner = scanner.clone();
            let bench = &bench;
            let started = thread::Builder::new().spawn_scoped(scope, move || {
                // A lender may lend once or not at all.
                let mut worker = Some(Worker::new(scanner, params));
                lend_memory(&mut |memory| {
                    if let Some(worker) = worker.take() {
                        bench.serve(worker, memory);
                    }
                });
            });
            if started.is_err() {
                break;
            }
        }
        let most = threads.max(1).saturating_mul(TASKS_PER_THREAD);
        let mut foreman = Foreman {
            bench: &bench,
            dumper,
            memory,
            out,
            worker: Worker::new(scanner, params)?,
            spans: Buffers::new(SPAN_WORDS, most),
            chunks: Buffers::new(params.out_bytes(), most),
            handed_out: 0,
            committed: 0,
        };
        foreman.run(told)
    })?;
    dumper.finish(out)?;
    told(dumper.progress())
}

/// Work that any thread can do, and the memory for what comes of it.
enum Task {
    Scan(Span, Vec<u64>),
    Pack(Chunk, Vec<u8>),
}

/// What came of a task.
#[expect(
    clippy::large_enum_variant,
    reason = "a chunk has one of them, and up to a mebibyte of pages beside it"
)]
enum Made {
    Scanned(Span, Vec<u64>, Result<Scanned, Error>),
    Packed(Chunk, Vec<u8>, Result<Encoded, Error>),
}

/// Tasks are numbered as they are handed out, and what came of them is committed in that order.
struct Job {
    number: u64,
    task: Task,
}

struct Done {
    number: u64,
    made: Made,
}

/// Where jobs lie until a thread takes them, and what was done until it is due.
#[derive(Default)]
struct Bench {
    state: Mutex<State>,
    /// There is a job, or there will be none.
    work: Condvar,
    /// The task that is due is done, or a thread has failed.
    due: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// By number, from that of the task that is due on.
    done: VecDeque<Option<Made>>,
    first: u64,
    closed: bool,
    failed: bool,
}

impl State {
    fn place(&mut self, done: Done) {
        let at = done.number.wrapping_sub(self.first);
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.done.get_mut(at)) {
            *slot = Some(done.made);
        }
    }

    fn is_due(&self) -> bool {
        matches!(self.done.front(), Some(Some(_)))
    }

    fn take_due(&mut self) -> Option<Made> {
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

    /// Works until there is nothing more to do.
    fn serve(&self, worker: Result<Worker<'_>, Error>, memory: &mut dyn PhysMemory) {
        // Without memory the other threads do the work.
        let Ok(mut worker) = worker else { return };
        let _failing = Failing(self);
        while let Some(job) = self.take() {
            let done = worker.work(job, memory);
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

/// What a thread works with, besides its reader.
struct Worker<'a> {
    scanner: Scanner,
    params: EncodeParams<'a>,
    scan_scratch: Vec<u8>,
    pack_scratch: Vec<u64>,
}

impl<'a> Worker<'a> {
    fn new(scanner: Scanner, params: EncodeParams<'a>) -> Result<Self, Error> {
        let scan_scratch = zeroed(scanner.scratch_len(), 0)?;
        let pack_scratch = zeroed(params.scratch_words(), 0)?;
        Ok(Self { scanner, params, scan_scratch, pack_scratch })
    }

    fn work(&mut self, job: Job, memory: &mut dyn PhysMemory) -> Done {
        let made = match job.task {
            Task::Scan(span, mut words) => {
                let scanned = self.scanner.scan(&span, memory, &mut words, &mut self.scan_scratch);
                Made::Scanned(span, words, scanned)
            }
            Task::Pack(chunk, mut bytes) => {
                let encoded = encode_chunk(&self.params, &chunk, memory, &mut self.pack_scratch, &mut bytes);
                Made::Packed(chunk, bytes, encoded)
            }
        };
        Done { number: job.number, made }
    }
}

/// Buffers for what comes of tasks, made when they are needed.
struct Buffers<T> {
    free: Vec<Vec<T>>,
    len: usize,
    /// How many more may be made.
    left: usize,
}

impl<T: Clone + Default> Buffers<T> {
    fn new(len: usize, most: usize) -> Self {
        Self { free: Vec::new(), len, left: most }
    }

    /// A buffer, if one is free or may be made. Where memory is short fewer do, but for the one that `must` be there.
    fn take(&mut self, must: bool) -> Result<Option<Vec<T>>, Error> {
        if let Some(buffer) = self.free.pop() {
            return Ok(Some(buffer));
        }
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        match zeroed(self.len, T::default()) {
            Ok(buffer) => {
                self.left = left;
                Ok(Some(buffer))
            }
            Err(error) if must => Err(error),
            Err(_) => {
                self.left = 0;
                Ok(None)
            }
        }
    }
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
struct Foreman<'f, 'd> {
    bench: &'f Bench,
    dumper: &'f mut Dumper<'d>,
    memory: &'f mut dyn PhysMemory,
    out: &'f mut dyn WriteAt,
    worker: Worker<'d>,
    spans: Buffers<u64>,
    chunks: Buffers<u8>,
    handed_out: u64,
    committed: u64,
}

/// What there is to hand out.
enum Supply {
    Task(Task),
    /// Not a task yet; ask again.
    More,
    /// Nothing before a task is committed and its buffer is free.
    NoRoom,
    /// Nothing before all tasks are committed.
    Later,
    /// Nothing any more.
    End,
}

/// What the thread that drives the dump does while it cannot hand out tasks.
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
enum Turn {
    Commit(Made),
    Work(Job),
}

impl Foreman<'_, '_> {
    /// Hands out, works on and commits every task.
    fn run(&mut self, told: &mut dyn FnMut(Progress) -> Result<(), Error>) -> Result<(), Error> {
        let mut wait_for_all = false;
        loop {
            let all_committed = self.handed_out == self.committed;
            wait_for_all &= !all_committed;
            if !wait_for_all && !self.bench.lock().is_due() {
                match self.supply(all_committed)? {
                    Supply::Task(task) => {
                        self.hand_out(task);
                        continue;
                    }
                    Supply::More => {
                        told(self.dumper.progress())?;
                        continue;
                    }
                    Supply::NoRoom => {}
                    Supply::End if all_committed => return Ok(()),
                    Supply::Later | Supply::End => {
                        wait_for_all = true;
                        continue;
                    }
                }
            }
            match self.turn()? {
                Turn::Commit(made) => {
                    self.commit(made)?;
                    told(self.dumper.progress())?;
                }
                Turn::Work(job) => {
                    let done = self.worker.work(job, self.memory);
                    self.bench.lock().place(done);
                }
            }
        }
    }

    /// The next task.
    fn supply(&mut self, all_committed: bool) -> Result<Supply, Error> {
        if self.dumper.progress().phase == Phase::Scan {
            let Some(words) = self.spans.take(all_committed)? else { return Ok(Supply::NoRoom) };
            if let Some(span) = self.dumper.next_scan(self.memory)? {
                return Ok(Supply::Task(Task::Scan(span, words)));
            }
            self.spans.free.push(words);
            if !all_committed {
                return Ok(Supply::Later);
            }
            // What was found is judged, and may be reason for another pass.
            self.dumper.next_chunk(self.memory, self.out)?;
            return Ok(Supply::More);
        }
        let Some(bytes) = self.chunks.take(all_committed)? else { return Ok(Supply::NoRoom) };
        let supply = match self.dumper.next_chunk(self.memory, self.out)? {
            Next::Chunk(chunk) => return Ok(Supply::Task(Task::Pack(chunk, bytes))),
            Next::Again(_) => Supply::More,
            Next::Done => Supply::End,
        };
        self.chunks.free.push(bytes);
        Ok(supply)
    }

    fn hand_out(&mut self, task: Task) {
        let mut state = self.bench.lock();
        state.jobs.push_back(Job { number: self.handed_out, task });
        state.done.push_back(None);
        self.handed_out = self.handed_out.wrapping_add(1);
        drop(state);
        self.bench.work.notify_one();
    }

    /// What is due, or a task to be worked on; waits for either.
    fn turn(&self) -> Result<Turn, Error> {
        let mut state = self.bench.lock();
        loop {
            if let Some(made) = state.take_due() {
                return Ok(Turn::Commit(made));
            }
            if let Some(job) = state.jobs.pop_front() {
                return Ok(Turn::Work(job));
            }
            if state.failed {
                // The scope goes on with the other thread's panic.
                return Err(Error::Io { code: EIO });
            }
            state = self.bench.due.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn commit(&mut self, made: Made) -> Result<(), Error> {
        match made {
            Made::Scanned(span, words, scanned) => {
                self.dumper.commit_scan(&span, &scanned?, &words, self.memory)?;
                self.spans.free.push(words);
            }
            Made::Packed(chunk, bytes, encoded) => {
                self.dumper.commit_chunk(&chunk, &encoded?, &bytes, self.out)?;
                self.chunks.free.push(bytes);
            }
        }
        self.committed = self.committed.wrapping_add(1);
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

#[cfg(test)]
mod cut_off;
