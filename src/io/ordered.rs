//! Jobs in, worker threads, results out in the order of the jobs.
//!
//! ```text
//! producer --jobs--> worker --pieces of job 1--> taker
//!                    worker --pieces of job 2--> (waits until job 1 is taken)
//! ```
//!
//! A worker may hand out a job's result in pieces, so that a giant value is never held whole: the
//! pieces of the job at the head of the line are taken at once, those of a later one wait in a
//! bounded queue. Jobs are given out in order, so the head of the line is always being worked on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Pieces of one job that may wait for their turn.
const PIECES: usize = 64;
/// Jobs under way for each worker.
const JOBS_PER_WORKER: usize = 3;

/// Output bytes in a buffer that may be longer than they are: what is behind them is initialised
/// and of no meaning, so that the buffer can be used again without clearing it.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    len: usize,
    /// The database that it is of, to whom that matters.
    pub db: u32,
}

impl Chunk {
    /// The first `len` bytes of a buffer.
    pub fn new(bytes: Vec<u8>, len: usize) -> Self {
        let len = len.min(bytes.len());
        Chunk { bytes, len, db: 0 }
    }

    /// The buffer, whatever it holds.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Chunk { bytes, len, db: 0 }
    }
}

impl std::ops::Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Part of what a job yields.
#[derive(Debug)]
pub enum Piece<R> {
    /// Output bytes.
    Chunk(Chunk),
    /// The job's result; its last piece.
    Done(R),
}

/// Whether the taker wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Yes.
    More,
    /// No: everything may stop.
    Nothing,
}

/// Where a worker puts the pieces of its job.
pub struct Pieces<'a>(Inner<'a>);

enum Inner<'a> {
    Direct(&'a mut dyn FnMut(Chunk) -> Wanted),
    Queue {
        send: &'a dyn Fn(Chunk) -> Wanted,
        empty: &'a Receiver<Vec<u8>>,
        stopped: &'a AtomicBool,
    },
}

impl<'a> Pieces<'a> {
    /// Pieces that go straight to `take`.
    pub fn direct(take: &'a mut dyn FnMut(Chunk) -> Wanted) -> Self {
        Pieces(Inner::Direct(take))
    }

    /// Hands out a chunk; after [`Wanted::Nothing`] the job should end.
    pub fn chunk(&mut self, chunk: Chunk) -> Wanted {
        match &mut self.0 {
            Inner::Direct(take) => take(chunk),
            Inner::Queue { send, .. } => send(chunk),
        }
    }

    /// Whether the taker still wants anything: a long job asks now and then.
    pub fn wanted(&self) -> Wanted {
        match &self.0 {
            Inner::Queue { stopped, .. } if stopped.load(Ordering::Relaxed) => Wanted::Nothing,
            _ => Wanted::More,
        }
    }

    /// A buffer, used before if one is at hand; what it holds has no meaning.
    pub fn buffer(&self) -> Vec<u8> {
        match &self.0 {
            Inner::Direct(_) => Vec::new(),
            Inner::Queue { empty, .. } => empty.try_recv().unwrap_or_default(),
        }
    }
}

/// Runs `work` over the jobs of `next` on `threads` threads and hands every piece to `take`, in the
/// order of the jobs, on the calling thread. `take` gives chunks back for reuse. With one thread
/// nothing is spawned and the pieces are the same.
pub fn ordered<J: Send, W, R: Send>(
    threads: usize,
    mut next: impl FnMut() -> Option<J> + Send,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, J, &mut Pieces<'_>) -> R + Sync,
    mut take: impl FnMut(Piece<R>) -> (Wanted, Option<Chunk>),
) {
    if threads <= 1 {
        let mut state = worker();
        let mut stopped = false;
        while !stopped && let Some(job) = next() {
            let mut direct = |chunk| {
                let (wanted, _) = take(Piece::Chunk(chunk));
                stopped |= wanted == Wanted::Nothing;
                wanted
            };
            let result = work(&mut state, job, &mut Pieces(Inner::Direct(&mut direct)));
            if !stopped {
                stopped = take(Piece::Done(result)).0 == Wanted::Nothing;
            }
        }
        return;
    }
    // A panic in a worker must not leave the taker waiting: it is carried over and raised here.
    let panicked: Mutex<Option<Box<dyn std::any::Any + Send>>> = Mutex::new(None);
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        let in_flight = threads * JOBS_PER_WORKER;
        let (job_to, jobs) = bounded::<(J, Sender<Piece<R>>)>(in_flight);
        let (line_to, line) = bounded::<Receiver<Piece<R>>>(in_flight);
        let (used, empty) = bounded::<Vec<u8>>(threads * 4);
        scope.spawn(move || {
            while let Some(job) = next() {
                let (pieces_to, pieces) = bounded(PIECES);
                if line_to.send(pieces).is_err() || job_to.send((job, pieces_to)).is_err() {
                    break;
                }
            }
        });
        let (worker, work, panicked, stopped) = (&worker, &work, &panicked, &stopped);
        for _ in 0..threads {
            let (jobs, empty) = (jobs.clone(), empty.clone());
            scope.spawn(move || {
                let run = std::panic::AssertUnwindSafe(|| {
                    let mut state = worker();
                    while let Ok((job, to)) = jobs.recv()
                        && !stopped.load(Ordering::Relaxed)
                    {
                        let send = |chunk| match to.send(Piece::Chunk(chunk)) {
                            Ok(()) => Wanted::More,
                            Err(_) => Wanted::Nothing,
                        };
                        let mut pieces = Pieces(Inner::Queue {
                            send: &send,
                            empty: &empty,
                            stopped,
                        });
                        let result = work(&mut state, job, &mut pieces);
                        // Nobody waits for it when the taker has stopped.
                        let _ = to.send(Piece::Done(result));
                    }
                });
                if let Err(payload) = std::panic::catch_unwind(run)
                    && let Ok(mut slot) = panicked.lock()
                {
                    slot.get_or_insert(payload);
                }
            });
        }
        drop(jobs);
        'line: for pieces in line {
            let mut finished = false;
            for piece in pieces {
                finished = matches!(piece, Piece::Done(_));
                let (wanted, buffer) = take(piece);
                if let Some(buffer) = buffer {
                    let _ = used.try_send(buffer.into_buffer());
                }
                if wanted == Wanted::Nothing {
                    stopped.store(true, Ordering::Relaxed);
                    break 'line;
                }
            }
            if !finished {
                stopped.store(true, Ordering::Relaxed);
                break;
            }
        }
    });
    let payload = panicked.lock().ok().and_then(|mut slot| slot.take());
    if let Some(payload) = payload {
        std::panic::resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(threads: usize, stop_after: usize) -> Vec<String> {
        let mut jobs = 0..200u32;
        let mut seen = Vec::new();
        ordered(
            threads,
            || jobs.next(),
            || 0u32,
            |_, job, pieces| {
                // Jobs of very different length: later ones must still wait.
                for part in 0..(job * 7 % 100) {
                    let mut chunk = pieces.buffer();
                    chunk.clear();
                    chunk.extend_from_slice(format!("{job}.{part}").as_bytes());
                    if pieces.chunk(chunk.into()) == Wanted::Nothing {
                        break;
                    }
                }
                job
            },
            |piece| {
                let buffer = match piece {
                    Piece::Chunk(chunk) => {
                        seen.push(String::from_utf8(chunk.to_vec()).unwrap());
                        Some(chunk)
                    }
                    Piece::Done(job) => {
                        seen.push(format!("done {job}"));
                        None
                    }
                };
                (
                    if seen.len() >= stop_after {
                        Wanted::Nothing
                    } else {
                        Wanted::More
                    },
                    buffer,
                )
            },
        );
        seen
    }

    #[test]
    fn any_number_of_threads_gives_the_same_pieces_in_the_same_order() {
        let one = run(1, usize::MAX);
        assert_eq!(one.iter().filter(|p| p.starts_with("done")).count(), 200);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, usize::MAX), one);
        }
    }

    #[test]
    fn a_taker_that_has_enough_stops_everything() {
        let one = run(1, 500);
        assert_eq!(one.len(), 500);
        assert_eq!(run(4, 500), one);
    }

    #[test]
    fn a_panic_in_a_worker_reaches_the_caller() {
        let result = std::panic::catch_unwind(|| {
            let mut jobs = 0..10;
            ordered(
                2,
                || jobs.next(),
                || (),
                |_, job, _| assert_ne!(job, 5, "as meant"),
                |_| (Wanted::More, None),
            );
        });
        assert!(result.is_err());
    }
}
