//! Commands on the expiry of fields: Redis from 7.4 on, Valkey from 9.0 on.

use crate::keyspace::hash::{Hash, OldExpiry};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::hash::{arity, bulk, fields, has_passed, live, nils, typed_fields};
use crate::replay::reply::{Outcome, Rejection, Reply};

/// Answers of a field.
const NO_SUCH_FIELD: Reply = Reply::Int(-2);
const NO_EXPIRY: Reply = Reply::Int(-1);
const NOT_MET: Reply = Reply::Int(0);
const DONE: Reply = Reply::Int(1);

/// How a time is given.
#[derive(Clone, Copy)]
struct Form {
    /// Milliseconds in a unit.
    unit: i64,
    /// It counts from now.
    relative: bool,
}

impl Form {
    const EX: Form = Form::new(1000, true);
    const PX: Form = Form::new(1, true);
    const EXAT: Form = Form::new(1000, false);
    const PXAT: Form = Form::new(1, false);

    const fn new(unit: i64, relative: bool) -> Form {
        Form { unit, relative }
    }

    fn of(word: &[u8]) -> Option<Form> {
        let forms = [
            ("ex", Form::EX),
            ("px", Form::PX),
            ("exat", Form::EXAT),
            ("pxat", Form::PXAT),
        ];
        let found = forms.into_iter().find(|(name, _)| is(word, name));
        found.map(|(_, form)| form)
    }

    /// The time that is meant, Unix ms; none where that counts from an unknown one.
    fn read(self, cx: &mut Context<'_>, text: &[u8], name: &str) -> Result<Option<i64>, Rejection> {
        let number = integer(text)?;
        let invalid = || Rejection::error(format!("ERR invalid expire time in '{name}' command"));
        let latest = cx.rules.latest_field_expiry();
        if number < 0 || number > latest / self.unit {
            return Err(invalid());
        }
        let ms = number * self.unit;
        if !self.relative {
            return Ok(Some(ms));
        }
        if ms > latest.saturating_sub(cx.time.unwrap_or(0)) {
            return Err(invalid());
        }
        Ok(cx.from_now(ms))
    }
}

pub(super) fn hexpire(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire(cx, args, Form::EX, "hexpire")
}

pub(super) fn hpexpire(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire(cx, args, Form::PX, "hpexpire")
}

pub(super) fn hexpireat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire(cx, args, Form::EXAT, "hexpireat")
}

pub(super) fn hpexpireat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire(cx, args, Form::PXAT, "hpexpireat")
}

/// Whether a field gets its new expiry.
#[derive(Clone, Copy, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    /// Takes those at the front off.
    fn read<'a>(mut args: Args<'a>, several: bool) -> Result<(Self, Args<'a>), Rejection> {
        let mut all = Conditions::default();
        while let Some(word) = args.slice().first() {
            match word {
                word if is(word, "nx") => all.nx = true,
                word if is(word, "xx") => all.xx = true,
                word if is(word, "gt") => all.gt = true,
                word if is(word, "lt") => all.lt = true,
                _ => break,
            }
            args = args.from(1);
            if !several {
                break;
            }
        }
        if all.nx && (all.xx || all.gt || all.lt) || all.gt && all.lt {
            return Err(Rejection::error(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        Ok((all, args))
    }

    fn allow(self, old: Option<i64>, new: i64) -> bool {
        match old {
            None => !self.xx && !self.gt,
            Some(old) => !(self.nx || self.gt && new <= old || self.lt && new >= old),
        }
    }
}

fn expire(cx: &mut Context<'_>, args: Args<'_>, form: Form, name: &str) -> Outcome {
    let ([key, time], rest) = args.first()?;
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    if !rules.is_valkey() {
        cx.hash(key)?;
    }
    let (conditions, rest) = Conditions::read(rest, rules.is_valkey())?;
    let fields = fields(rest)?;
    let time = form.read(cx, time, name)?;
    let Some(hash) = cx.hash_mut(key)? else {
        let count = if wants_reply { fields.len() } else { 0 };
        return Ok(Reply::Array(vec![NO_SUCH_FIELD; count]));
    };
    let Some(time) = time else {
        return Ok(Reply::Array(Vec::new()));
    };
    if !rules.is_valkey() {
        hash.allow_expiry(rules);
    }
    let mut answers = Vec::new();
    for field in fields {
        let answer = match hash.get(field).map(|(_, old)| old) {
            None => NO_SUCH_FIELD,
            Some(old) if !conditions.allow(old, time) => NOT_MET,
            Some(_) => {
                hash.allow_expiry(rules);
                hash.set_expiry(field, Some(time));
                DONE
            }
        };
        if wants_reply {
            answers.push(answer);
        }
    }
    Ok(Reply::Array(answers))
}

pub(super) fn hpersist(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let fields = typed_fields(cx, key, rest)?;
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    let Some(hash) = cx.hash_mut(key)? else {
        let count = if wants_reply { fields.len() } else { 0 };
        return Ok(Reply::Array(vec![NO_SUCH_FIELD; count]));
    };
    let mut answers = Vec::new();
    for field in fields {
        let answer = match hash.get(field).map(|(_, old)| old) {
            None => NO_SUCH_FIELD,
            Some(None) => NO_EXPIRY,
            Some(time) if has_passed(time, rules) => NO_SUCH_FIELD,
            Some(_) => {
                hash.set_expiry(field, None);
                DONE
            }
        };
        if wants_reply {
            answers.push(answer);
        }
    }
    Ok(Reply::Array(answers))
}

pub(super) fn httl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Form::EX)
}

pub(super) fn hpttl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Form::PX)
}

pub(super) fn hexpiretime(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Form::EXAT)
}

pub(super) fn hpexpiretime(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, Form::PXAT)
}

/// When fields expire, in this form.
fn tell(cx: &mut Context<'_>, args: Args<'_>, form: Form) -> Outcome {
    let ([key], rest) = args.first()?;
    let fields = typed_fields(cx, key, rest)?;
    let hash = cx.hash(key)?;
    let now = cx.time.or(cx.rules.now).filter(|_| form.relative);
    let answer = |field: &&[u8]| match hash.and_then(|hash| live(hash, field, cx.rules)) {
        None => NO_SUCH_FIELD,
        Some((_, None)) => NO_EXPIRY,
        Some((_, Some(time))) => {
            let ms = time.saturating_sub(now.unwrap_or(0)).max(0);
            let whole = ms / form.unit + i64::from(ms % form.unit != 0);
            Reply::Int(whole)
        }
    };
    Ok(Reply::Array(fields.iter().map(answer).collect()))
}

/// The options of HSETEX and HGETEX.
#[derive(Default)]
struct Options<'a> {
    time: Option<(Form, &'a [u8])>,
    keep: bool,
    persist: bool,
    /// All fields must be there, or none.
    fields: Option<Wanted>,
    /// The key must be there, or not (Valkey).
    key: Option<Wanted>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    There,
    Missing,
}

impl<'a> Options<'a> {
    /// Takes them off the front. Valkey lets one stand twice.
    fn read(mut args: Args<'a>, valkey: bool, sets: bool) -> Result<(Self, Args<'a>), Rejection> {
        let mut all = Options::default();
        while let Some(word) = args.slice().first() {
            let mut used = 1;
            if let Some(form) = Form::of(word) {
                let other = all.time.is_some_and(|(old, _)| {
                    !valkey || old.unit != form.unit || old.relative != form.relative
                });
                if other || all.keep || all.persist {
                    return Err(Rejection::syntax());
                }
                all.time = Some((form, args.at(1)?));
                used = 2;
            } else if is(word, "keepttl") && sets || is(word, "persist") && !sets {
                let twice = all.keep || all.persist;
                if all.time.is_some() || twice && !valkey {
                    return Err(Rejection::syntax());
                }
                (all.keep, all.persist) = (sets, !sets);
            } else if is(word, "fnx") && sets {
                all.fields = Some(wanted(all.fields, Wanted::Missing, valkey)?);
            } else if is(word, "fxx") && sets {
                all.fields = Some(wanted(all.fields, Wanted::There, valkey)?);
            } else if is(word, "nx") && sets && valkey {
                all.key = Some(wanted(all.key, Wanted::Missing, valkey)?);
            } else if is(word, "xx") && sets && valkey {
                all.key = Some(wanted(all.key, Wanted::There, valkey)?);
            } else {
                break;
            }
            args = args.from(used);
        }
        Ok((all, args))
    }

    /// The new expiry: `None` where the option was not given, `Some(None)` where the time is not
    /// known.
    fn expiry(&self, cx: &mut Context<'_>, name: &str) -> Result<Option<Option<i64>>, Rejection> {
        let time = self.time.map(|(form, text)| form.read(cx, text, name));
        time.transpose()
    }
}

fn wanted(old: Option<Wanted>, new: Wanted, twice: bool) -> Result<Wanted, Rejection> {
    match old {
        Some(old) if old != new || !twice => Err(Rejection::syntax()),
        _ => Ok(new),
    }
}

pub(super) fn hsetex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let rules = cx.rules;
    let (options, rest) = Options::read(rest, rules.is_valkey(), true)?;
    let ([word, count], strings) = rest.first()?;
    if !is(word, "fields") {
        return Err(Rejection::syntax());
    }
    let pairs = strings.pairs().map_err(|_| arity("hsetex"))?;
    if usize::try_from(integer(count)?) != Ok(pairs.len()) || pairs.is_empty() {
        return Err(arity("hsetex"));
    }
    if rules.is_valkey() {
        let there = cx.hash(key)?.is_some();
        let wanted = options
            .key
            .is_none_or(|key| (key == Wanted::There) == there);
        if !wanted {
            return Ok(Reply::Int(0));
        }
    }
    let time = options.expiry(cx, "hsetex")?;
    let hash = cx.hash(key)?;
    let met = options.fields.is_none_or(|wanted| {
        pairs.iter().all(|[field, _]| {
            let there = hash.is_some_and(|hash| live(hash, field, rules).is_some());
            (wanted == Wanted::There) == there
        })
    });
    if !met {
        return Ok(Reply::Int(0));
    }
    if time == Some(None) {
        return Ok(Reply::Int(1));
    }
    let time = time.flatten();
    let hash = cx.hash_or_new(key)?;
    if !rules.is_valkey() {
        hash.make_room(strings.slice(), rules);
    }
    if time.is_some() {
        hash.allow_expiry(rules);
    }
    let old = match options.keep {
        true => OldExpiry::Kept,
        false => OldExpiry::Dropped,
    };
    for [field, value] in pairs {
        hash.set(field, value, old, rules);
        if time.is_some() {
            hash.set_expiry(field, time);
        }
    }
    Ok(Reply::Int(1))
}

pub(super) fn hgetex(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let (rules, wants_reply) = (cx.rules, cx.wants_reply);
    if !rules.is_valkey() {
        cx.hash(key)?;
    }
    let (options, rest) = Options::read(rest, rules.is_valkey(), false)?;
    let fields = fields(rest)?;
    cx.hash(key)?;
    let time = options.expiry(cx, "hgetex")?;
    let Some(hash) = cx.hash_mut(key)? else {
        return Ok(nils(wants_reply, fields));
    };
    if !rules.is_valkey() && (options.persist || time.is_some()) {
        hash.allow_expiry(rules);
    }
    let mut values = Vec::new();
    for field in fields {
        let found = live(hash, field, rules);
        if wants_reply {
            values.push(bulk(found.map(|(value, _)| value)));
        }
        if found.is_some() {
            change(hash, field, &options, time.flatten(), rules);
        }
    }
    Ok(Reply::Array(values))
}

fn change(
    hash: &mut Hash,
    field: &[u8],
    options: &Options<'_>,
    time: Option<i64>,
    rules: &crate::keyspace::Rules,
) {
    if let Some(time) = time {
        hash.allow_expiry(rules);
        hash.set_expiry(field, Some(time));
    } else if options.persist && hash.get(field).is_some_and(|(_, old)| old.is_some()) {
        hash.set_expiry(field, None);
    }
}
