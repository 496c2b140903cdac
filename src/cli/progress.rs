//! The progress bar: the one place that knows indicatif.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::io::progress::Progress;

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// Rate and time left on stderr, on a terminal, once the work has taken half a second.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    shown: AtomicBool,
    done: AtomicU64,
    since: Instant,
}

impl Bar {
    /// A bar for the input of this name; `wanted` where nothing else speaks against it.
    pub(super) fn new(name: &str, wanted: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (wanted && !dumb && io::stderr().is_terminal()).then(|| {
            // It counts from the start, hidden, so that its rate is right once it is seen.
            let bar = ProgressBar::hidden();
            bar.set_prefix(name.to_owned());
            bar.set_style(style(
                "{prefix} {bytes} {binary_bytes_per_sec} {elapsed} {spinner}",
            ));
            bar
        });
        Bar {
            bar,
            shown: AtomicBool::new(false),
            done: AtomicU64::new(0),
            since: Instant::now(),
        }
    }

    /// Bytes done, and how long it took.
    pub(super) fn so_far(&self) -> (u64, Duration) {
        (self.done.load(Ordering::Relaxed), self.since.elapsed())
    }
}

impl Progress for Bar {
    fn at(&self, offset: u64) {
        self.done.fetch_max(offset, Ordering::Relaxed);
        let Some(bar) = &self.bar else { return };
        if self.since.elapsed() >= PATIENCE && !self.shown.swap(true, Ordering::Relaxed) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_position(offset);
    }

    fn size(&self, total: Option<u64>) {
        if let (Some(bar), Some(total)) = (&self.bar, total) {
            bar.set_style(style(
                "{prefix} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left",
            ));
            bar.set_length(total);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
