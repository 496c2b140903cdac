//! Commands as RESP arrays: reader and writer.
//!
//! ```text
//! *<count>\r\n                 at least 1
//! $<length>\r\n<bytes>\r\n     that many times
//! #<text>\r\n                  an annotation, wherever a command may begin; #TS:<Unix seconds>
//! ```
//!
//! The reader takes what the servers' loader takes (`loadSingleAppendOnlyFile` in `aof.c`), which is
//! more than what they write: a line ends at its LF, whatever stands before that; a number ends
//! where its digits do; the two bytes behind an argument are passed over unread. Such a command
//! loads, but the servers' checker calls it broken: [`Command::is_lax`].

use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Fault, Problem, short};

/// Longest line that the loader reads at once, in bytes, its LF included (Redis 7.0 and later). What
/// is longer goes on as the next line.
pub const LONGEST_LINE: usize = 1023;

/// The same for Redis 6.2.
const LONGEST_OLD_LINE: usize = 127;

/// What may stand between commands.
#[derive(Clone, Copy, Debug)]
pub enum Item<'d> {
    /// A command.
    Command(Command<'d>),
    /// An annotation: the line without its `#` and its end.
    Annotation(&'d [u8]),
}

/// A whole command, borrowed from the log.
#[derive(Clone, Copy, Debug)]
pub struct Command<'d> {
    bytes: &'d [u8],
    argc: usize,
    /// Where the first argument's `$` stands.
    first: usize,
    name: &'d [u8],
    lax: bool,
}

impl<'d> Command<'d> {
    /// All its bytes, as they stand in the log.
    pub fn bytes(&self) -> &'d [u8] {
        self.bytes
    }

    /// How many arguments it has, its name included: at least 1.
    pub fn argc(&self) -> usize {
        self.argc
    }

    /// Its name, in the case of the log.
    pub fn name(&self) -> &'d [u8] {
        self.name
    }

    /// True where its form is not the one that servers write: they load it, their checker refuses it.
    pub fn is_lax(&self) -> bool {
        self.lax
    }

    /// True for this name in any case.
    #[inline]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Its arguments in order, the name first.
    pub fn args(&self) -> Args<'d> {
        Args {
            rest: self.bytes.get(self.first..).unwrap_or_default(),
        }
    }
}

/// The arguments of a command.
#[derive(Clone, Debug)]
pub struct Args<'d> {
    rest: &'d [u8],
}

impl<'d> Iterator for Args<'d> {
    type Item = &'d [u8];

    fn next(&mut self) -> Option<&'d [u8]> {
        // The command was read to its end before, so that nothing is missing here.
        let (rest, (bytes, _)) = argument(self.rest, LONGEST_LINE).ok()?;
        self.rest = rest;
        Some(bytes)
    }
}

/// The seconds of a `#TS:` annotation.
pub fn timestamp(annotation: &[u8]) -> Option<u64> {
    let digits = annotation.strip_prefix(b"TS:")?;
    let mut seconds = 0u64;
    if digits.is_empty() {
        return None;
    }
    for &digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        seconds = seconds.checked_mul(10)?.checked_add(digit)?;
    }
    Some(seconds)
}

/// Reads the command or annotation at the start of `input`.
///
/// # Errors
/// What the loader calls a bad file format. Running out of bytes is `Incomplete`; a log may end
/// there, see [`at_end`].
#[inline]
pub fn item(input: &[u8]) -> Parsed<'_, Item<'_>> {
    if let Some((rest, command)) = plain(input) {
        return Ok((rest, Item::Command(command)));
    }
    unusual(input)
}

/// The number of arguments and the name of the command that begins here, if both are there and in
/// the form that servers write.
pub(super) fn peek(input: &[u8]) -> Option<(usize, &[u8])> {
    let (argc, rest) = header(input, b'*')?;
    let (len, rest) = header(rest, b'$')?;
    Some((argc, rest.get(..len)?))
}

/// As [`item`], counting the arguments that were read, also where the command is not whole.
pub(super) fn item_counting<'d>(input: &'d [u8], walked: &mut u64) -> Parsed<'d, Item<'d>> {
    if let Some((rest, command)) = plain_telling(input, |_| *walked += 1) {
        return Ok((rest, Item::Command(command)));
    }
    match input {
        [b'*', rest @ ..] => {
            let (rest, command) = lax(input, rest, LONGEST_LINE, walked)?;
            Ok((rest, Item::Command(command)))
        }
        _ => unusual(input),
    }
}

/// Whether a command or annotation begins here that the end of the input cuts off.
pub fn is_cut(input: &[u8]) -> bool {
    matches!(item(input), Err(nom::Err::Incomplete(_)))
}

/// What the end of a log in the midst of an item means to the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: the annotation's line lacks its end, and that is all.
    Annotation,
    /// The log is cut: with `aof-load-truncated yes` the server cuts it back to the last command.
    Cut,
    /// It is a bad format even so.
    BadFormat(Problem),
}

/// Judges the last bytes of a log for which [`item`] asked for more.
pub fn at_end(input: &[u8]) -> Ending {
    match input {
        [b'#', ..] => Ending::Annotation,
        // A NUL behind the mark ends the line for the loader, which then asks whether the file has
        // ended as well.
        [b'*'] | [b'*', 0, ..] => Ending::Cut,
        [b'*', line @ ..] if !line.contains(&b'\n') => match atoi(line) {
            count if count < 1 => Ending::BadFormat(Problem::AofCount { found: count }),
            _ => Ending::Cut,
        },
        _ => Ending::Cut,
    }
}

/// True where Redis 6.2 calls a bad format what is cut for later servers, since it reads shorter
/// lines: zeros behind a torn header, most likely.
pub fn is_bad_format_to_old(input: &[u8]) -> bool {
    match input {
        // It has not seen the end of the file.
        [b'*', 0, ..] => input.len() >= LONGEST_OLD_LINE,
        [b'*', rest @ ..] => {
            match lax(input, rest, LONGEST_OLD_LINE, &mut 0) {
                Err(nom::Err::Incomplete(_)) => false,
                Err(nom::Err::Error(_) | nom::Err::Failure(_)) => true,
                // The rest of a long line became an argument, and what stands behind it is no command.
                Ok((rest, command)) => {
                    let name = command.name();
                    !rest.is_empty() || name.is_empty() || name.contains(&0)
                }
            }
        }
        _ => false,
    }
}

/// True for the bytes of a command in an odd form that Redis 6.2 takes for something else, since it
/// reads shorter lines: what is left over is no command to it.
pub fn is_another_to_old(command: &[u8]) -> bool {
    match command {
        [b'*', rest @ ..] => {
            let read = lax(command, rest, LONGEST_OLD_LINE, &mut 0);
            !matches!(read, Ok((rest, _)) if rest.is_empty())
        }
        _ => false,
    }
}

/// A command in the form that servers write, all there: nearly every one. `None` says nothing.
#[inline]
fn plain(input: &[u8]) -> Option<(&[u8], Command<'_>)> {
    plain_telling(input, |_| ())
}

/// Reads a command in the form that servers write into `args`, its name first, and gives what stands
/// behind it. `None` says nothing: [`item`] knows.
#[inline]
pub fn collect<'d>(input: &'d [u8], args: &mut Vec<&'d [u8]>) -> Option<&'d [u8]> {
    args.clear();
    plain_telling(input, |arg| args.push(arg)).map(|(rest, _)| rest)
}

/// The same; tells each argument that was read.
#[inline(always)]
fn plain_telling<'d>(
    input: &'d [u8],
    mut read: impl FnMut(&'d [u8]),
) -> Option<(&'d [u8], Command<'d>)> {
    let (argc, mut rest) = plain_count(input)?;
    let first = input.len() - rest.len();
    let mut name: &[u8] = &[];
    for n in 0..argc {
        let (bytes, after) = plain_argument(rest)?;
        rest = after;
        read(bytes);
        if n == 0 {
            name = bytes;
        }
    }
    let command = Command {
        bytes: input.get(..input.len() - rest.len())?,
        argc,
        first,
        name,
        lax: false,
    };
    Some((rest, command))
}

/// How many arguments a command has, in the form that servers write, and what follows. `None` says nothing.
#[inline(always)]
pub fn plain_count(input: &[u8]) -> Option<(usize, &[u8])> {
    header(input, b'*').filter(|(argc, _)| *argc > 0)
}

/// An argument in the form that servers write, and what follows. `None` says nothing.
#[inline(always)]
pub fn plain_argument(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, data) = header(input, b'$')?;
    let (bytes, after) = data.split_at_checked(len)?;
    match after {
        [b'\r', b'\n', after @ ..] => Some((bytes, after)),
        _ => None,
    }
}

/// A mark, a number of at most nine digits, CR and LF.
#[inline(always)]
fn header(input: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    // Most numbers have one digit.
    if let [first, digit @ b'0'..=b'9', b'\r', b'\n', rest @ ..] = input {
        return (*first == mark).then_some((usize::from(digit - b'0'), rest));
    }
    let (&first, mut rest) = input.split_first()?;
    if first != mark {
        return None;
    }
    let (mut number, mut digits) = (0usize, 0);
    loop {
        let (&byte, after) = rest.split_first()?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + usize::from(digit);
        digits += 1;
        rest = after;
        if digits > 9 {
            return None;
        }
    }
    match rest {
        [b'\r', b'\n', rest @ ..] if digits > 0 => Some((number, rest)),
        _ => None,
    }
}

/// Anything that [`plain`] does not take.
#[cold]
fn unusual(input: &[u8]) -> Parsed<'_, Item<'_>> {
    let (rest, first) = parse::byte(input)?;
    match first {
        b'#' => {
            let (rest, text) = line(rest, LONGEST_LINE - 1)?;
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            Ok((rest, Item::Annotation(text)))
        }
        b'*' => {
            let (rest, command) = lax(input, rest, LONGEST_LINE, &mut 0)?;
            Ok((rest, Item::Command(command)))
        }
        found => Err(Fault::at(input, Problem::AofFormat { found })),
    }
}

fn lax<'d>(
    input: &'d [u8],
    rest: &'d [u8],
    longest: usize,
    walked: &mut u64,
) -> Parsed<'d, Command<'d>> {
    let (mut rest, text) = line(rest, longest - 1)?;
    let count = atoi(text);
    let mut lax = !is_header(text);
    let Some(argc) = usize::try_from(count).ok().filter(|&n| n > 0) else {
        return Err(Fault::at(input, Problem::AofCount { found: count }));
    };
    let first = input.len() - rest.len();
    let mut name: &[u8] = &[];
    for n in 0..argc {
        let (after, (bytes, loose)) = argument(rest, longest)?;
        *walked += 1;
        if n == 0 {
            name = bytes;
        }
        lax |= loose;
        rest = after;
    }
    let (bytes, _) = input.split_at(input.len() - rest.len());
    let command = Command {
        bytes,
        argc,
        first,
        name,
        lax,
    };
    Ok((rest, command))
}

/// An argument, and whether its form is not the one that servers write.
fn argument(input: &[u8], longest: usize) -> Parsed<'_, (&[u8], bool)> {
    let (rest, first) = parse::byte(input)?;
    if first != b'$' {
        return Err(Fault::at(input, Problem::AofArgument { found: first }));
    }
    let (rest, text) = line(rest, longest - 1)?;
    let len = atoi(text);
    let Ok(size) = u64::try_from(len) else {
        return Err(Fault::at(input, Problem::AofLength { found: len }));
    };
    let (rest, bytes) = parse::take_u64(rest, size)?;
    let (rest, end) = parse::take(rest, 2)?;
    Ok((rest, (bytes, !is_header(text) || end != b"\r\n")))
}

/// A line with its LF, of at most so many bytes.
fn line(input: &[u8], most: usize) -> Parsed<'_, &[u8]> {
    let within = input.get(..most.min(input.len())).unwrap_or_default();
    match memchr::memchr(b'\n', within) {
        Some(end) => parse::take(input, end + 1),
        None if within.len() == most => parse::take(input, most),
        None => parse::incomplete(1),
    }
}

/// True for digits, CR and LF, as the checker wants them, which reads lines as short as Redis 6.2 does.
fn is_header(text: &[u8]) -> bool {
    let digits = text.strip_suffix(b"\r\n").unwrap_or_default();
    text.len() < LONGEST_OLD_LINE && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The number at the start of a line as C's `strtol` reads it: spaces, a sign, digits; 0 without.
fn atoi(text: &[u8]) -> i64 {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|b| !is_space(b)).unwrap_or(text.len());
    let (negative, digits) = match text.get(start..).unwrap_or_default() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut number = 0i64;
    for digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'));
    }
    if negative { -number } else { number }
}

/// Appends a command in the form that servers write.
pub fn write_command<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    write_count(args.len(), out);
    for arg in args {
        write_argument(arg, out);
    }
}

/// Appends the line in front of the arguments of a command that has so many.
#[inline]
pub fn write_count(argc: usize, out: &mut Vec<u8>) {
    write_header(b'*', argc, out);
}

/// Appends an argument.
#[inline]
pub fn write_argument(arg: &[u8], out: &mut Vec<u8>) {
    // Room for all of it at once: what follows does not look for more.
    out.reserve(arg.len() + LONGEST_HEADER + 2);
    write_header(b'$', arg.len(), out);
    short::append(out, arg);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line in front of an argument of so many bytes, which follow with CR and LF.
#[inline]
pub(crate) fn write_length(len: usize, out: &mut Vec<u8>) {
    write_header(b'$', len, out);
}

/// Appends a `#TS:` annotation.
pub fn write_timestamp(seconds: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"#TS:");
    out.extend_from_slice(itoa::Buffer::new().format(seconds).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Bytes of the longest line with a number: a mark, twenty digits, CR and LF.
const LONGEST_HEADER: usize = 23;

#[inline(always)]
fn write_header(mark: u8, number: usize, out: &mut Vec<u8>) {
    let digit = |n: usize| b'0' + n as u8;
    // Nearly all numbers are that small.
    match number {
        0..10 => out.extend_from_slice(&[mark, digit(number), b'\r', b'\n']),
        10..100 => {
            out.extend_from_slice(&[mark, digit(number / 10), digit(number % 10), b'\r', b'\n'])
        }
        _ => write_long_header(mark, number, out),
    }
}

#[inline(never)]
fn write_long_header(mark: u8, number: usize, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(input: &[u8]) -> Command<'_> {
        match item(input) {
            Ok((rest, Item::Command(command))) => {
                assert_eq!(command.bytes().len() + rest.len(), input.len());
                command
            }
            other => panic!("{other:?}"),
        }
    }

    fn problem(input: &[u8]) -> Problem {
        match item(input) {
            Err(nom::Err::Failure(fault)) => {
                assert!(fault.rest <= input.len());
                fault.problem
            }
            other => panic!("{other:?}"),
        }
    }

    fn is_incomplete(input: &[u8]) -> bool {
        matches!(item(input), Err(nom::Err::Incomplete(_)))
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(args in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..40), 1..12)) {
            let mut out = Vec::new();
            write_command(args.iter().map(Vec::as_slice), &mut out);
            let read = command(&out);
            proptest::prop_assert!(!read.is_lax());
            proptest::prop_assert_eq!(read.argc(), args.len());
            proptest::prop_assert_eq!(read.name(), &args[0][..]);
            let back: Vec<Vec<u8>> = read.args().map(<[u8]>::to_vec).collect();
            proptest::prop_assert_eq!(back, args);
            for cut in 0..out.len() {
                proptest::prop_assert!(is_incomplete(&out[..cut]), "cut at {}", cut);
            }
        }

        #[test]
        fn any_bytes_give_an_item_or_a_fault_inside_them(bytes in proptest::collection::vec(proptest::sample::select(b"*$#\r\n0123-+ aTS:".to_vec()), 0..60)) {
            match item(&bytes) {
                Ok((rest, Item::Command(command))) => {
                    proptest::prop_assert_eq!(command.bytes().len() + rest.len(), bytes.len());
                    proptest::prop_assert_eq!(command.args().count(), command.argc());
                }
                Ok((rest, Item::Annotation(_))) => proptest::prop_assert!(rest.len() < bytes.len()),
                Err(nom::Err::Incomplete(_)) => {
                    at_end(&bytes);
                }
                Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
                    proptest::prop_assert!(fault.rest <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn lengths_at_every_widths_edge_read_back() {
        for len in [0, 1, 9, 10, 11, 99, 100, 16_384, 70_000] {
            let long = vec![b'x'; len];
            let mut out = Vec::new();
            write_command([&b"SET"[..], b"k", &long].into_iter(), &mut out);
            assert_eq!(command(&out).args().nth(2), Some(&long[..]));
        }
        let many = vec![&b"a"[..]; 1200];
        let mut out = Vec::new();
        write_command(many.iter().copied(), &mut out);
        assert_eq!(command(&out).argc(), 1200);
    }

    /// Each loaded by Redis 7.0.15 and 8.2.3, and refused by their checker.
    #[test]
    fn forms_that_only_the_loader_takes_are_lax() {
        for text in [
            &b"*1\n$4\r\nPING\r\n"[..],
            b"*1\r\n$4\nPING\r\n",
            b"*1x\r\n$4\r\nPING\r\n",
            b"* 1\r\n$+4 \r\nPING\r\n",
            b"*1\r\n$4\r\nPING\n\r",
            b"*1\r\n$4\r\nPINGxy",
            b"*0000000001\r\n$4\r\nPING\r\n",
        ] {
            let read = command(text);
            assert_eq!(read.name(), b"PING", "{}", text.escape_ascii());
            assert_eq!(
                read.is_lax(),
                text != b"*0000000001\r\n$4\r\nPING\r\n",
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn what_the_loader_refuses_is_a_fault() {
        assert_eq!(problem(b"PING\r\n"), Problem::AofFormat { found: b'P' });
        assert_eq!(problem(b"\0\0\0"), Problem::AofFormat { found: 0 });
        assert_eq!(problem(b"*0\r\n"), Problem::AofCount { found: 0 });
        assert_eq!(problem(b"*-1\r\n"), Problem::AofCount { found: -1 });
        assert_eq!(problem(b"*x\r\n"), Problem::AofCount { found: 0 });
        assert_eq!(
            problem(b"*1\r\n:4\r\n"),
            Problem::AofArgument { found: b':' }
        );
        assert_eq!(problem(b"*1\r\n$-1\r\n"), Problem::AofLength { found: -1 });
    }

    /// Seen on Redis 6.2.5, which is started on a log that ends so.
    #[test]
    fn zeros_behind_a_torn_header_are_a_bad_format_to_old_servers_where_they_are_many() {
        for (torn, most) in [
            (&b"*"[..], 125),
            (b"*1", 125),
            (b"*1\r\n$", 127),
            (b"*1\r\n$4", 130),
        ] {
            for zeros in [0, 20, most, most + 1, most + 9] {
                let input = [torn, &vec![0; zeros]].concat();
                assert_eq!(
                    is_bad_format_to_old(&input),
                    zeros > most,
                    "{} and {zeros} zeros",
                    torn.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn annotations_are_lines_and_some_are_times() {
        let Ok((rest, Item::Annotation(text))) = item(b"#TS:1795229996\r\n*1") else {
            panic!("an annotation");
        };
        assert_eq!((rest, text), (&b"*1"[..], &b"TS:1795229996"[..]));
        assert_eq!(timestamp(text), Some(1_795_229_996));
        for text in [
            &b"TS:"[..],
            b"TS:1x",
            b"ts:1",
            b"TS:99999999999999999999",
            b"",
        ] {
            assert_eq!(timestamp(text), None);
        }
        // A line too long for the loader's buffer goes on as the next line.
        let long = [&b"#"[..], &[b'x'; 2000], b"\r\n"].concat();
        let Ok((rest, Item::Annotation(text))) = item(&long) else {
            panic!("an annotation");
        };
        assert_eq!(
            (text.len(), rest.len()),
            (LONGEST_LINE - 1, 2003 - LONGEST_LINE)
        );
        assert_eq!(problem(rest), Problem::AofFormat { found: b'x' });
    }

    #[test]
    fn the_end_of_a_log_is_judged_as_the_loader_judges_it() {
        assert_eq!(at_end(b"#TS:12"), Ending::Annotation);
        assert_eq!(at_end(b"*"), Ending::Cut);
        assert_eq!(at_end(b"*\0\0\0"), Ending::Cut);
        assert_eq!(at_end(b"*3"), Ending::Cut);
        assert_eq!(
            at_end(b"*0"),
            Ending::BadFormat(Problem::AofCount { found: 0 })
        );
        assert_eq!(at_end(b"*1\r\n$"), Ending::Cut);
        assert_eq!(at_end(b"*1\r\n$4\r\nPI"), Ending::Cut);
    }
}
