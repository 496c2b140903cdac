//! Threads that each own part of the keys, and do what concerns one key.
//!
//! A log is mostly commands on one key, and those on different keys do not mind each other. One thread
//! reads the log and hands each such command to the one that owns its key, in order. It owns some keys
//! itself, and does what concerns them while the others have enough to do: a thread that only read
//! would have to share a processor with one that works. Before anything else (a command on several
//! keys, a whole database, a script) all of them give their keys back, and it is done as if there were
//! one thread. So the result is that of one thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::Scope;

use crate::keyspace::{Rules, Shard, shard_of};
use crate::replay::args::Args;
use crate::replay::context::Context;
use crate::replay::memory::Memory;
use crate::replay::player::{Note, Stopped, Why};
use crate::replay::reply::Reason;
use crate::replay::table::Row;

/// Commands that are handed over at once.
const BATCH: usize = 256;
/// Bytes of their arguments that are handed over at once: what waits is not counted as used yet.
const BATCH_BYTES: usize = 256 << 10;
/// Commands whose keys are fetched at once.
const AHEAD: usize = 16;
/// Batches that may wait for a thread.
const WAITING: usize = 8;
/// Of the time that all threads take together, the part that goes to reading, as a divisor.
const READING: usize = 6;

/// A command for the thread that owns its key.
struct Job {
    row: &'static Row,
    hash: u64,
    at: u64,
    number: u64,
    time: Option<i64>,
    db: u32,
    /// How many of the batch's arguments are its own; its name is not among them.
    args: u32,
}

/// Commands in order, with their arguments one after the other.
#[derive(Default)]
struct Batch<'d> {
    jobs: Vec<Job>,
    args: Vec<&'d [u8]>,
    bytes: usize,
}

impl Batch<'_> {
    /// Leaves nothing but the room.
    fn clear(&mut self) {
        self.jobs.clear();
        self.args.clear();
        self.bytes = 0;
    }
}

enum Order<'d> {
    /// Own these keys.
    Take(Vec<Shard>),
    /// Do this.
    Do(Batch<'d>),
    /// Give the keys back, with what happened.
    GiveBack,
}

/// What happened to a thread's commands.
#[derive(Default)]
pub(super) struct Done {
    /// How many were done.
    pub(super) done: u64,
    /// Those whose relative time could not be placed.
    pub(super) relative: u64,
    /// Those that were refused.
    pub(super) notes: Vec<Note>,
    /// Where it ends.
    pub(super) stopped: Option<Stopped>,
}

struct Worker<'d> {
    orders: SyncSender<Order<'d>>,
    back: Receiver<(Vec<Shard>, Done)>,
    used: Receiver<Batch<'d>>,
    batch: Batch<'d>,
    /// How many parts it owns.
    parts: usize,
}

/// What the thread that reads does itself.
struct Own<'d> {
    part: Part,
    /// How many parts it owns: the first ones.
    parts: usize,
    batch: Batch<'d>,
    waiting: VecDeque<Batch<'d>>,
    used: Vec<Batch<'d>>,
}

/// The threads, seen from the one that reads.
pub(super) struct Crew<'d, 'c> {
    common: &'c Common<'c>,
    own: Own<'d>,
    workers: Vec<Worker<'d>>,
    /// Who owns each part: 0 is the thread that reads, and then the others.
    owners: Vec<usize>,
    /// The parts are with the threads.
    away: bool,
}

/// What all threads look at.
pub(super) struct Common<'c> {
    pub(super) rules: &'c Rules,
    pub(super) memory: &'c Memory,
    /// One of them has come to an end.
    pub(super) halted: &'c AtomicBool,
}

impl<'d, 'c> Crew<'d, 'c> {
    /// So many threads, this one included, for a keyspace of so many parts.
    pub(super) fn new<'s>(
        scope: &'s Scope<'s, 'c>,
        threads: usize,
        total: usize,
        common: &'c Common<'c>,
    ) -> Crew<'d, 'c>
    where
        'd: 's,
        'c: 's,
    {
        let mut shares = shares(threads, total).into_iter();
        let own = shares.next().unwrap_or(total);
        let mut first = own;
        let mut owners = vec![0; own];
        let mut workers = Vec::new();
        for (index, parts) in shares.enumerate() {
            owners.extend(std::iter::repeat_n(index + 1, parts));
            workers.push(worker(scope, Part::new(first, total), parts, common));
            first += parts;
        }
        Crew {
            common,
            own: Own {
                part: Part::new(0, total),
                parts: own,
                batch: Batch::default(),
                waiting: VecDeque::new(),
                used: Vec::new(),
            },
            workers,
            owners,
            away: false,
        }
    }

    /// Hands the parts of the keyspace to the threads.
    pub(super) fn send_away(&mut self, shards: &mut Vec<Shard>) {
        if self.away {
            return;
        }
        self.away = true;
        let mut cut = |parts: usize| {
            let rest = shards.split_off(parts.min(shards.len()));
            std::mem::replace(shards, rest)
        };
        self.own.part.shards = cut(self.own.parts);
        for worker in &mut self.workers {
            let parts = cut(worker.parts);
            send(worker, Order::Take(parts));
        }
    }

    /// Hands a command over. `args` are those behind the name.
    #[inline]
    pub(super) fn hand_over(&mut self, job: &Handed, args: &[&'d [u8]]) {
        let part = shard_of(job.hash, self.owners.len());
        let owner = self.owners.get(part).copied().unwrap_or_default();
        let batch = match owner
            .checked_sub(1)
            .map(|worker| self.workers.get_mut(worker))
        {
            Some(Some(worker)) => &mut worker.batch,
            _ => &mut self.own.batch,
        };
        batch.args.extend_from_slice(args);
        batch.jobs.push(Job {
            row: job.row,
            hash: job.hash,
            at: job.at,
            number: job.number,
            time: job.time,
            db: job.db,
            args: args.len() as u32,
        });
        batch.bytes += args.iter().map(|arg| arg.len()).sum::<usize>();
        if batch.jobs.len() >= BATCH || batch.bytes >= BATCH_BYTES {
            match owner.checked_sub(1) {
                Some(worker) => self.flush(worker),
                None => self.own.flush(self.common),
            }
        }
    }

    /// Passes on what is collected for a thread. While it has enough to do, this one does what is its own.
    fn flush(&mut self, worker: usize) {
        let Some(worker) = self.workers.get_mut(worker) else {
            return;
        };
        if worker.batch.jobs.is_empty() {
            return;
        }
        let next = worker.used.try_recv().unwrap_or_default();
        let mut order = Order::Do(std::mem::replace(&mut worker.batch, next));
        loop {
            order = match worker.orders.try_send(order) {
                Err(TrySendError::Full(order)) => order,
                // A thread that is gone has panicked, which its owner hears when all are joined.
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            };
            if !self.own.run_one(self.common) {
                return send(worker, order);
            }
        }
    }

    /// Waits until all is done, and takes the parts back.
    pub(super) fn call_back(&mut self, shards: &mut Vec<Shard>, mut each: impl FnMut(Done)) {
        if !self.away {
            return;
        }
        self.away = false;
        for worker in 0..self.workers.len() {
            self.flush(worker);
        }
        for worker in &mut self.workers {
            send(worker, Order::GiveBack);
        }
        self.own.run_all(self.common);
        shards.append(&mut self.own.part.shards);
        each(std::mem::take(&mut self.own.part.done));
        for worker in &mut self.workers {
            if let Ok((part, done)) = worker.back.recv() {
                shards.extend(part);
                each(done);
            }
        }
    }
}

impl<'d> Own<'d> {
    /// Puts what is collected to what waits, of which some is done where it is much.
    fn flush(&mut self, common: &Common<'_>) {
        let next = self.used.pop().unwrap_or_default();
        self.waiting
            .push_back(std::mem::replace(&mut self.batch, next));
        if self.waiting.len() > WAITING {
            self.run_one(common);
        }
    }

    /// Does what waits longest; false where nothing waits.
    fn run_one(&mut self, common: &Common<'_>) -> bool {
        let Some(mut batch) = self.waiting.pop_front() else {
            return false;
        };
        self.part.run(&batch, common);
        batch.clear();
        self.used.push(batch);
        true
    }

    /// Does all of it.
    fn run_all(&mut self, common: &Common<'_>) {
        while self.run_one(common) {}
        self.part.run(&self.batch, common);
        self.batch.clear();
    }
}

/// How many parts each thread owns, so that all have as much to do: the first one also reads.
fn shares(threads: usize, total: usize) -> Vec<usize> {
    let threads = threads.max(1);
    let reading = total.div_ceil(READING - 1);
    let own = ((total + reading) / threads).saturating_sub(reading);
    let others = threads - 1;
    let rest = total - own;
    std::iter::once(own)
        .chain((0..others).map(|index| rest * (index + 1) / others - rest * index / others))
        .collect()
}

/// Starts a thread that owns so many parts, from those of `part` on.
fn worker<'d, 's, 'c>(
    scope: &'s Scope<'s, 'c>,
    mut part: Part,
    parts: usize,
    common: &'c Common<'c>,
) -> Worker<'d>
where
    'd: 's,
    'c: 's,
{
    let (orders, received) = sync_channel(WAITING);
    let (give_back, back) = channel();
    let (recycle, used) = channel();
    scope.spawn(move || {
        // Who reads has gone when nobody can be told; then nobody wants to know.
        while let Ok(order) = received.recv() {
            let told = match order {
                Order::Take(shards) => {
                    part.shards = shards;
                    true
                }
                Order::Do(mut batch) => {
                    part.run(&batch, common);
                    batch.clear();
                    recycle.send(batch).is_ok()
                }
                Order::GiveBack => {
                    let shards = std::mem::take(&mut part.shards);
                    let done = std::mem::take(&mut part.done);
                    give_back.send((shards, done)).is_ok()
                }
            };
            if !told {
                return;
            }
        }
    });
    Worker {
        orders,
        back,
        used,
        batch: Batch::default(),
        parts,
    }
}

/// A command to be handed over.
pub(super) struct Handed {
    pub(super) row: &'static Row,
    pub(super) hash: u64,
    pub(super) at: u64,
    pub(super) number: u64,
    pub(super) time: Option<i64>,
    pub(super) db: u32,
}

/// A thread that is gone has panicked, which its owner hears when all are joined.
fn send<'d>(worker: &Worker<'d>, order: Order<'d>) {
    let _ = worker.orders.send(order);
}

/// Has what the next few commands work on fetched from memory, so that it is at hand when it is their
/// turn. In each step the places do not depend on each other, so that the processor waits for all of
/// them at once, where the commands would make it wait for each in turn.
fn fetch(context: &Context<'_>, jobs: &[Job]) {
    let mut places = [None; AHEAD];
    let mut sum = 0;
    for (place, job) in places.iter_mut().zip(jobs) {
        *place = context.likely(job.db, job.hash);
    }
    let slot = |place: &Option<u32>, job: &Job| context.at(job.db, job.hash, (*place)?);
    for (place, job) in places.iter().zip(jobs) {
        let slot = slot(place, job);
        sum += slot.map_or(0, |slot| usize::from(slot.expires_at().is_some()));
    }
    for (place, job) in places.iter().zip(jobs) {
        sum += slot(place, job).map_or(0, |slot| slot.value.fetch());
    }
    // Else all of it would be left out, since it comes to nothing.
    std::hint::black_box(sum);
}

/// What a thread owns.
struct Part {
    first: usize,
    total: usize,
    shards: Vec<Shard>,
    done: Done,
}

impl Part {
    /// Nothing yet, of the parts from this number on.
    fn new(first: usize, total: usize) -> Self {
        Part {
            first,
            total,
            shards: Vec::new(),
            done: Done::default(),
        }
    }

    fn run(&mut self, batch: &Batch<'_>, common: &Common<'_>) {
        let Part {
            first,
            total,
            shards,
            done,
        } = self;
        if common.halted.load(Ordering::Relaxed) || common.rules.files.is_closed() {
            return;
        }
        let mut context = Context::of_part(common.rules, shards, (*first, *total), common.memory);
        let mut rest = batch.args.as_slice();
        for (index, job) in batch.jobs.iter().enumerate() {
            if index % AHEAD == 0 {
                let ahead = batch.jobs.get(index..).unwrap_or_default();
                fetch(&context, ahead.get(..AHEAD).unwrap_or(ahead));
            }
            let (args, after) = rest.split_at(job.args as usize);
            rest = after;
            context.db = job.db;
            context.time = job.time;
            context.relative = 0;
            if let Some(key) = job.row.key(args) {
                context.know(key, job.hash);
            }
            match (job.row.apply)(&mut context, Args::new(args)) {
                Ok(_) => done.done += 1,
                Err(why) => {
                    let end = match why.reason() {
                        Reason::Memory(bytes) => Some(Why::Memory(*bytes)),
                        Reason::Crash(why) => Some(Why::Crash(why.clone())),
                        Reason::Error(_) | Reason::Unplayable(_) => None,
                    };
                    if let Some(why) = end {
                        common.halted.store(true, Ordering::Relaxed);
                        done.stopped.get_or_insert(Stopped {
                            at: job.at,
                            number: job.number,
                            why,
                        });
                        return;
                    }
                    done.notes.push(Note {
                        at: job.at,
                        number: job.number,
                        name: job.row.name.to_owned(),
                        db: job.db,
                        key: args.first().map(|key| key.to_vec()),
                        why,
                    });
                }
            }
            done.relative += u64::from(context.relative > 0);
        }
    }
}
