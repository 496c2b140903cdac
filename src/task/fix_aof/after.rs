//! A second look at what was mended.

use crate::command::{Like, ServerLine};
use crate::error::Result;
use crate::report::aof::Fate;
use crate::task::check_aof::{AofOptions, check_aof};
use crate::task::fix_aof::Mending;
use crate::task::{InputPath, Run};

/// Whether it is needed: what Redis 6.2 refuses may be no damage.
pub fn needs_second_look(mending: &Mending) -> bool {
    let like: Option<Like> = mending.report.like.parse().ok();
    let is_old = like.is_some_and(|like| like.line() == ServerLine::Redis62);
    is_old && mending.fix.is_some()
}

/// Why what was mended for Redis 6.2 is not loaded by it all the same. It reads shorter lines than other
/// servers, and what it refuses for that is not damaged: it stays.
///
/// # Errors
/// What was mended cannot be read.
pub fn still_refused(
    mending: &Mending,
    mended: &InputPath,
    options: &AofOptions,
    run: &Run<'_>,
) -> Result<Option<String>> {
    let options = AofOptions {
        like: mending.report.like.parse().ok(),
        ..options.clone()
    };
    Ok(match check_aof(mended, &options, run)?.fate {
        Fate::Loads => None,
        Fate::Refuses(Some(at), why) | Fate::Crashes(at, why) => Some(format!("at {at}, {why}")),
        Fate::Refuses(None, why) | Fate::StartsEmpty(why) => Some(why),
        Fate::CutBack(at) => Some(format!("at {at}, where it takes it for cut")),
    })
}
