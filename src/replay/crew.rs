//! Threads that each own part of the keys, and do what concerns one key.
//!
//! A log is mostly commands on one key, and those on different keys do not mind each other. One thread
//! reads the log and hands each such command to the one that owns its key, in order. Before anything
//! else (a command on several keys, a whole database, a script) all of them give their keys back, and
//! it is done as if there were one thread. So the result is that of one thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
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
}

/// The threads, seen from the one that reads.
pub(super) struct Crew<'d> {
    workers: Vec<Worker<'d>>,
    /// How many parts each owns.
    each: usize,
    total: usize,
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

impl<'d> Crew<'d> {
    /// So many threads, for a keyspace of so many parts, which must be a multiple.
    pub(super) fn new<'s, 'c: 's>(
        scope: &'s Scope<'s, 'c>,
        threads: usize,
        total: usize,
        common: &'c Common<'c>,
    ) -> Crew<'d>
    where
        'd: 's,
    {
        let each = total / threads.max(1);
        let workers = (0..threads).map(|index| {
            let (orders, received) = sync_channel(WAITING);
            let (give_back, back) = channel();
            let (recycle, used) = channel();
            scope.spawn(move || {
                let mut part = Part {
                    first: index * each,
                    total,
                    shards: Vec::new(),
                    done: Done::default(),
                };
                // Who reads has gone when nobody can be told; then nobody wants to know.
                while let Ok(order) = received.recv() {
                    let told = match order {
                        Order::Take(shards) => {
                            part.shards = shards;
                            true
                        }
                        Order::Do(batch) => {
                            part.run(&batch, common);
                            let Batch {
                                mut jobs, mut args, ..
                            } = batch;
                            jobs.clear();
                            args.clear();
                            let bytes = 0;
                            recycle.send(Batch { jobs, args, bytes }).is_ok()
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
            }
        });
        Crew {
            workers: workers.collect(),
            each,
            total,
            away: false,
        }
    }

    /// Hands the parts of the keyspace to the threads.
    pub(super) fn send_away(&mut self, shards: &mut Vec<Shard>) {
        if self.away {
            return;
        }
        self.away = true;
        for worker in &mut self.workers {
            let rest = shards.split_off(self.each.min(shards.len()));
            let part = std::mem::replace(shards, rest);
            send(worker, Order::Take(part));
        }
    }

    /// Hands a command over. `args` are those behind the name.
    #[inline]
    pub(super) fn hand_over(&mut self, job: &Handed, args: &[&'d [u8]]) {
        let index = shard_of(job.hash, self.total) / self.each;
        let Some(worker) = self.workers.get_mut(index) else {
            return;
        };
        worker.batch.args.extend_from_slice(args);
        worker.batch.jobs.push(Job {
            row: job.row,
            hash: job.hash,
            at: job.at,
            number: job.number,
            time: job.time,
            db: job.db,
            args: args.len() as u32,
        });
        worker.batch.bytes += args.iter().map(|arg| arg.len()).sum::<usize>();
        if worker.batch.jobs.len() >= BATCH || worker.batch.bytes >= BATCH_BYTES {
            flush(worker);
        }
    }

    /// Waits until all is done, and takes the parts back.
    pub(super) fn call_back(&mut self, shards: &mut Vec<Shard>, mut each: impl FnMut(Done)) {
        if !self.away {
            return;
        }
        self.away = false;
        for worker in &mut self.workers {
            flush(worker);
            send(worker, Order::GiveBack);
        }
        for worker in &mut self.workers {
            if let Ok((part, done)) = worker.back.recv() {
                shards.extend(part);
                each(done);
            }
        }
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

fn flush(worker: &mut Worker<'_>) {
    if worker.batch.jobs.is_empty() {
        return;
    }
    let next = worker.used.try_recv().unwrap_or_default();
    let batch = std::mem::replace(&mut worker.batch, next);
    send(worker, Order::Do(batch));
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
