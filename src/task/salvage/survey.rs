//! Reads a damaged snapshot from its start to its end and tells what is whole in it.

use std::collections::BTreeMap;

use crate::bytes::{Problem, Step};
use crate::encoding::crc64;
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::ordered::{Piece as Done, Wanted, ordered};
use crate::io::source::{Behind, Map};
use crate::rdb::parser::{RdbParser, State};
use crate::rdb::resync::{Resync, ends};
use crate::record::{Checksum, Record};
use crate::report::finding::{Finding, Findings};
use crate::report::salvage::Reason;
use crate::task::Run;
use crate::task::duplicates::{Fingerprinter, KeysTwice};
use crate::task::salvage::gap::DOUBTFUL_BEFORE_KNOWN;
use crate::task::salvage::head;
use crate::task::salvage::ledger::{Kind, Ledger, Piece};
use crate::task::salvage::second::{MAGIC, has_header};
use crate::task::salvage::walk::{Content, Item, RECENT, Stretch, Unit, Walker};

/// Bytes that one thread reads at a time, at the most, and right behind damage.
const MOST: usize = 256 << 10;
const LEAST: usize = 1 << 10;
/// Bytes that are summed or searched at a time.
pub(super) const CHUNK: usize = 1 << 20;
/// Keys that stand twice and are told apart, at the most.
const TWICE: usize = 1 << 20;

/// What earlier passes over the same bytes came to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Databases of what follows the gaps that end at these places.
    pub(super) dbs: BTreeMap<u64, u32>,
    /// Records that hold others, and where the first of those begins.
    pub(super) holders: BTreeMap<usize, usize>,
}

/// What there is to do behind an item.
enum Next {
    /// Take the next one.
    More,
    /// Nothing: it was the end.
    Nothing,
    /// Read the records behind it anew.
    Anew,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In the end mark, behind which stands this place.
    Mark(Checksum, usize),
    /// Without one, at this place; what follows is no snapshot.
    None(usize),
}

/// What a pass came to.
pub(super) struct Survey<'d> {
    pub(super) data: &'d [u8],
    pub(super) map: &'d Map,
    pub(super) state: State,
    pub(super) ledger: Ledger,
    pub(super) keys: KeysTwice,
    pub(super) findings: Findings,
    pub(super) ending: Ending,
    /// Checksum of all before the end mark.
    pub(super) crc: u64,
    pub(super) resync: Resync<'d>,
    pub(super) walker: Walker,
    /// True where framing never was lost.
    pub(super) unbroken: bool,
    pub(super) known: Known,
    pub(super) db: u32,
    pub(super) at: usize,
    /// The last keys before that place.
    pub(super) recent: Vec<Unit>,
    /// Keys before this place are followed by a record of another kind.
    pub(super) barrier: u64,
    pub(super) target: usize,
    pub(super) lost: Option<Error>,
    /// The file ends inside of a record, and nothing else is wrong there.
    pub(super) lost_end: bool,
    /// No snapshot that is a value begins in what could not be read before this place.
    pub(super) embeds_from: u64,
    /// Damaged values that end in what may be the expiry of the next key.
    pub(super) expiries: Vec<(u64, u64)>,
}

/// Reads it all.
///
/// # Errors
/// No room for what must be held, or a version that is not known.
pub(super) fn survey<'d>(
    map: &'d Map,
    start: (State, usize),
    known: Known,
    run: &Run<'_>,
) -> Result<Survey<'d>> {
    let prints = (Fingerprinter::default(), Fingerprinter::default());
    let new_walker = || Walker::new(prints.clone(), run.max_spool);
    let (state, at) = start;
    let data: &[u8] = map;
    let mut behind = Behind::new(Some(map));
    let mut survey = Survey {
        data,
        map,
        state,
        ledger: Ledger::new(run.max_memory),
        keys: KeysTwice::listing(TWICE),
        findings: Findings::default(),
        ending: Ending::None(data.len()),
        crc: 0,
        resync: Resync::new(data.len(), Some(map)),
        walker: new_walker(),
        unbroken: true,
        known,
        db: 0,
        at,
        recent: Vec::new(),
        barrier: 0,
        target: MOST,
        lost: None,
        lost_end: false,
        embeds_from: 0,
        expiries: Vec::new(),
    };
    if at > 0 {
        survey.unbroken = false;
        survey.ledger.lost(0, at as u64, 0, Reason::Header)?;
    }
    loop {
        let until = survey.next_holder();
        let mut framer = Framer::new(&survey, until);
        let threads = match survey.target < MOST {
            true => 1,
            false => run.threads,
        };
        let mut failed = None;
        let mut ended = false;
        let most = match survey.target < MOST {
            true => 1,
            false => usize::MAX,
        };
        let mut jobs = 0;
        ordered(
            threads,
            || {
                jobs += 1;
                if jobs > most { None } else { framer.next_job() }
            },
            new_walker,
            |walker, job: Job, _| walker.walk(data, job.at, job.end, &job.state),
            |piece| {
                let Done::Done(stretch) = piece else {
                    return (Wanted::More, None);
                };
                let wanted = match survey.take(stretch) {
                    Ok(true) => Wanted::More,
                    Ok(false) => {
                        ended = matches!(survey.ending, Ending::Mark(..));
                        Wanted::Nothing
                    }
                    Err(error) => {
                        failed = Some(error);
                        Wanted::Nothing
                    }
                };
                behind.reach(survey.at as u64);
                run.progress.at(survey.at as u64);
                (wanted, None)
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        if ended && survey.is_really_ended()? {
            break;
        }
        survey.target = (survey.target * 2).min(MOST);
        if let Some(error) = survey.lost.take() {
            survey.target = LEAST;
            if !survey.go_on(error)? {
                break;
            }
        } else if Some(survey.at) == until {
            // It reads as a whole, up to where another one begins: it is the one whose length changed.
            survey.pass_holder(0)?;
        }
    }
    Ok(survey)
}

/// Records to be read.
struct Job {
    at: usize,
    end: usize,
    state: State,
}

/// Cuts records into jobs.
struct Framer<'d> {
    data: &'d [u8],
    parser: RdbParser,
    target: usize,
    until: Option<usize>,
    done: bool,
}

impl<'d> Framer<'d> {
    fn new(survey: &Survey<'d>, until: Option<usize>) -> Self {
        let state = survey.state.at_db(0);
        Framer {
            data: survey.data,
            parser: RdbParser::resume(state, survey.at as u64),
            target: survey.target,
            until,
            done: false,
        }
    }

    /// The next records; where one cannot be framed, it is a job of its own.
    fn next_job(&mut self) -> Option<Job> {
        let at = self.parser.offset() as usize;
        if self.done || self.until == Some(at) {
            return None;
        }
        let state = self.parser.state().clone();
        let mut rest = self.data.get(at..).unwrap_or_default();
        loop {
            let here = self.parser.offset() as usize;
            let mut between = true;
            if let Some((_, after)) = self.parser.next_key(rest) {
                rest = after;
            } else {
                match self.parser.parse(rest, true) {
                    Ok(Step::Parsed { consumed, item }) => {
                        rest = rest.get(consumed..).unwrap_or_default();
                        self.done = matches!(item, Record::Eof(_));
                        // What belongs to a key stays with it.
                        between = !matches!(item, Record::Aux { .. } | Record::Skipped { .. });
                    }
                    _ if here > at => {
                        return Some(Job {
                            at,
                            end: here,
                            state,
                        });
                    }
                    _ => {
                        self.done = true;
                        let end = at + 1;
                        return Some(Job { at, end, state });
                    }
                }
            }
            let end = self.parser.offset() as usize;
            let enough = end - at >= self.target && between;
            if self.done || enough || self.until.is_some_and(|until| end >= until) {
                return Some(Job { at, end, state });
            }
        }
    }
}

impl Survey<'_> {
    /// Takes what a stretch of records came to; false where reading cannot go on behind it.
    pub(super) fn take(&mut self, mut stretch: Stretch) -> Result<bool> {
        if let Some(error) = stretch.failed {
            return Err(error);
        }
        if self.unbroken {
            self.crc = crc64::combine(self.crc, stretch.crc, stretch.summed);
        }
        // Records are looked for inside of these ones, too.
        let before = std::mem::replace(&mut self.state, stretch.state);
        for mut finding in stretch.findings {
            finding.db = finding.db.map(|_| self.db);
            self.findings.push(finding);
        }
        let mut ended = false;
        let mut prints = stretch.prints.as_mut_slice();
        for item in &stretch.items {
            let inside = prints
                .iter()
                .take_while(|print| print.at < item.end)
                .count();
            let (these, others) = std::mem::take(&mut prints).split_at_mut(inside);
            prints = others;
            for print in these.iter_mut() {
                let db = u64::from(self.db);
                print.db = db;
                print.first ^= db.wrapping_mul(DB_MIX);
                print.second ^= db.wrapping_mul(DB_MIX);
            }
            if item.run.is_none() {
                self.keys.add(these)?;
            }
            match self.item(item, &before)? {
                Next::More => {}
                Next::Nothing => ended = true,
                Next::Anew => return Ok(false),
            }
        }
        self.recent.append(&mut stretch.recent);
        let from = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..from);
        self.at = stretch.end.max(self.at);
        self.lost = stretch.lost;
        Ok(!ended && self.lost.is_none())
    }

    /// Takes what stands at one place; `before` is how the stretch that it is in was read.
    fn item(&mut self, item: &Item, before: &State) -> Result<Next> {
        let (start, end) = (item.start, item.end);
        let kind = match item.content {
            Content::Keys { keys, expires } => Kind::Keys { keys, expires },
            Content::BadKey => Kind::Lost(Reason::BadValue),
            Content::Other => Kind::Other,
            Content::BadOther(_) => Kind::Lost(Reason::BadRecord),
            Content::Select(db) => {
                self.db = db;
                Kind::Select
            }
            Content::Resize(keys, expires) => Kind::Resize { keys, expires },
            Content::Run => Kind::Run,
            Content::Header | Content::Hint => Kind::Dropped,
            Content::End(checksum) => {
                self.ending = Ending::Mark(checksum, end as usize);
                self.at = end as usize;
                return Ok(Next::Nothing);
            }
        };
        self.ledger.add(start, end, item.run, self.db, kind)?;
        if !matches!(kind, Kind::Keys { .. } | Kind::Lost(_)) {
            self.barrier = end;
        }
        if let Content::BadKey = item.content
            && item.run.is_none()
        {
            let range = (start as usize, end as usize);
            let inside = self.chain_inside(range.0, range.1);
            let of_db = || head::selection(self.data, range, &self.state);
            let of_later = || of_db().filter(|(_, db)| *db > self.db).map(|(at, _)| at);
            let Some(inside) = inside.or_else(of_later) else {
                if head::ends_in_expiry(self.data, range) {
                    self.expiries.push((start, end));
                }
                return Ok(Next::More);
            };
            // What stands behind it was read from the wrong place, or may have been, and what stands
            // before it may have been, too. The keys of this stretch are not among the last ones as
            // yet, and of those the ones before it are wanted.
            let mut again = self.walker.walk(self.data, self.at, range.0, before);
            self.recent.append(&mut again.recent);
            self.known.holders.insert(range.0, inside);
            self.ledger.cut_back(start, &mut self.recent);
            self.at = range.0;
            self.pass_holder(DOUBTFUL_BEFORE_KNOWN)?;
            self.target = LEAST;
            return Ok(Next::Anew);
        }
        Ok(Next::More)
    }

    /// Whether the end mark that was met is the snapshot's. One with bytes behind it may be a
    /// damaged byte, or that of a snapshot inside a value.
    fn is_really_ended(&mut self) -> Result<bool> {
        let Ending::Mark(checksum, behind) = self.ending else {
            return Ok(false);
        };
        let proven =
            self.unbroken && matches!(checksum, Checksum::Stored(stored) if stored == self.crc);
        if proven || ends(self.data, behind) {
            return Ok(true);
        }
        let mark = self.data.len().min(behind.saturating_sub(1));
        let Some(chain) = self.chain_behind(mark) else {
            return Ok(true);
        };
        self.ending = Ending::None(self.data.len());
        let place = Place::at(mark as u64);
        let error = Error::bytes(Problem::Malformed, place, What::Record);
        let Some(embedded) = self.embedded() else {
            self.embeds_from = mark as u64;
            self.go_on_in(mark, Some(chain), &error)?;
            return Ok(false);
        };
        self.embeds_from = behind as u64;
        self.ledger.doubt_since(embedded, Reason::Embedded);
        self.note(&error, chain.at());
        self.gap(mark, chain, 0)?;
        Ok(false)
    }

    /// The number of the piece in which a snapshot begins that is a value: its magic stands in what
    /// could not be read, or not be believed, as framing was lost in that value.
    fn embedded(&self) -> Option<usize> {
        let pieces = self.ledger.pieces().iter().enumerate().rev();
        let mut pieces = pieces.take_while(|(_, piece)| piece.end > self.embeds_from);
        let found = pieces.find(|(_, piece)| {
            let unread = piece.doubt.is_some() || matches!(piece.kind, Kind::Lost(_));
            unread && piece.run.is_none() && self.has_header(piece)
        });
        found.map(|(number, _)| number)
    }

    /// Whether the magic of a snapshot begins in a piece.
    fn has_header(&self, piece: &Piece) -> bool {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let end = at(piece.end).saturating_add(MAGIC - 1);
        has_header(self.data.get(at(piece.start)..end.min(self.data.len())))
    }

    /// The next record that holds others, and must be read another way.
    fn next_holder(&self) -> Option<usize> {
        self.known
            .holders
            .range(self.at..)
            .next()
            .map(|(at, _)| *at)
    }

    /// Notes down what the framing met.
    pub(super) fn note(&mut self, error: &Error, end: usize) {
        let Some(mut finding) = Finding::from_error(error, end as u64) else {
            return;
        };
        finding.db = finding.db.map(|_| self.db);
        if finding.hint == Some(Hint::KeepGoing) {
            finding.hint = None;
        }
        self.findings.push(finding);
    }

    /// Whether the checksum says that nothing changed, or there is none and nothing seems to have.
    pub(super) fn is_proven(&self) -> bool {
        match self.ending {
            Ending::Mark(Checksum::Stored(stored), _) => self.unbroken && stored == self.crc,
            Ending::Mark(..) => self.unbroken,
            Ending::None(_) => false,
        }
    }

    /// Checksum of all before the end mark, gaps or not.
    pub(super) fn whole_crc(&self) -> u64 {
        let end = match self.ending {
            Ending::Mark(_, behind) => behind.saturating_sub(8),
            Ending::None(end) => end,
        };
        let mut behind = Behind::new(Some(self.map));
        let mut crc = 0;
        let mut at = 0;
        for part in self.data.get(..end).unwrap_or_default().chunks(CHUNK) {
            crc = crc64::combine(crc, crc64::checksum(part), part.len() as u64);
            at += part.len();
            behind.reach(at as u64);
        }
        crc
    }

    /// What the checksum says of a snapshot that could be read from end to end.
    pub(super) fn checksum_differs(&self) -> Option<Problem> {
        match self.ending {
            Ending::Mark(Checksum::Stored(stored), _) if stored != self.crc => {
                let computed = self.crc;
                Some(Problem::Checksum { stored, computed })
            }
            _ => None,
        }
    }

    /// The finding about a checksum that differs.
    pub(super) fn note_checksum(&mut self, problem: Problem) {
        if let Ending::Mark(_, behind) = self.ending {
            let place = Place::at((behind as u64).saturating_sub(8));
            let error = Error::bytes(problem, place, What::Checksum);
            self.note(&error, behind);
        }
    }
}

/// Spreads the number of a database over a fingerprint.
pub(super) const DB_MIX: u64 = 0x9e37_79b9_7f4a_7c15;
