//! GEORADIUS and GEOSEARCH with their relatives: told or stored.

use std::cmp::Ordering;

use crate::keyspace::zset::{Bound, ZSet};
use crate::keyspace::{NEVER, Rules, Value};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::geo::geohash::{self, Cell, Place, Search, Shape};
use crate::replay::geo::partial::sort_first;
use crate::replay::geo::{distance_reply, measure, metres, place_in, place_of, place_reply};
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::zset::double;

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// GEORADIUS, which may store.
    Radius { stores: bool },
    /// GEORADIUSBYMEMBER, which may store.
    ByMember { stores: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Kind {
    fn is_search(self) -> bool {
        matches!(self, Kind::Search | Kind::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(
            self,
            Kind::Radius { stores: true } | Kind::ByMember { stores: true }
        )
    }
}

/// What is asked for.
#[derive(Debug)]
struct Asked<'a> {
    from: Option<Place>,
    shape: Option<Shape>,
    unit: f64,
    store: Option<&'a [u8]>,
    store_distance: bool,
    distance: bool,
    hash: bool,
    place: bool,
    sort: Option<Sort>,
    /// 0: all.
    count: usize,
    any: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Nearest,
    Farthest,
}

/// A member that was found.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    member: &'a [u8],
    score: f64,
    place: Place,
    distance: f64,
}

pub(super) fn georadius(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::Radius { stores: true })
}

pub(super) fn georadius_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::Radius { stores: false })
}

pub(super) fn georadiusbymember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::ByMember { stores: true })
}

pub(super) fn georadiusbymember_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::ByMember { stores: false })
}

pub(super) fn geosearch(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::Search)
}

pub(super) fn geosearchstore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(cx, args, Kind::SearchStore)
}

fn run(cx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Outcome {
    let (store, args) = match kind {
        Kind::SearchStore => {
            let ([to], rest) = args.first()?;
            (Some(to), rest)
        }
        _ => (None, args),
    };
    let ([key], rest) = args.first()?;
    let rules = cx.rules;
    let zset = cx.zset(key)?;
    if zset.is_none() && !rules.since((7, 0), (0, 0)) {
        // Redis 6.2 looks no further, and leaves what is at the key to store in.
        return Ok(Reply::Array(Vec::new()));
    }
    let asked = parse(rest, kind, zset, store, rules)?;
    let (Some(zset), Some(shape)) = (zset, asked.shape.clone()) else {
        return match asked.store {
            Some(to) => {
                cx.remove(to);
                Ok(Reply::Int(0))
            }
            None => Ok(Reply::Array(Vec::new())),
        };
    };
    if asked.store.is_none() && !cx.wants_reply {
        return Ok(Reply::Nil);
    }
    let search = Search {
        shape,
        centre: asked.from.unwrap_or_default(),
        unit: asked.unit,
        measure: measure(rules),
    };
    let mut found = find(cx, zset, search, if asked.any { asked.count } else { 0 })?;
    cut(&mut found, &asked);
    let Some(to) = asked.store else {
        let all = found.iter().map(|found| tell(found, &asked, rules));
        return Ok(Reply::Array(all.collect()));
    };
    let members = found.iter().map(|found| {
        let score = match asked.store_distance {
            true => found.distance / asked.unit,
            false => found.score,
        };
        (found.member, score)
    });
    let count = found.len();
    if count == 0 {
        cx.remove(to);
    } else {
        let stored = ZSet::stored(members, rules);
        cx.put(to, Value::ZSet(stored), None);
    }
    Ok(Reply::count(count))
}

/// Sorts what was found, and leaves as many as are asked for.
fn cut(found: &mut Vec<Found<'_>>, asked: &Asked<'_>) {
    let count = match asked.count {
        0 => found.len(),
        count => count.min(found.len()),
    };
    let sort = match asked.sort {
        None if asked.count > 0 && !asked.any => Some(Sort::Nearest),
        sort => sort,
    };
    let nearest = |a: &Found<'_>, b: &Found<'_>| {
        let order = a.distance.partial_cmp(&b.distance);
        order.unwrap_or(Ordering::Less)
    };
    if let Some(sort) = sort {
        let compare = |a: &Found<'_>, b: &Found<'_>| match sort {
            Sort::Nearest => nearest(a, b),
            Sort::Farthest => nearest(a, b).reverse(),
        };
        if count == found.len() {
            found.sort_by(compare);
        } else {
            sort_first(found, count.saturating_sub(1), compare);
        }
    }
    found.truncate(count);
}

fn tell(found: &Found<'_>, asked: &Asked<'_>, rules: &Rules) -> Reply {
    let member = Reply::Bulk(found.member.to_vec());
    if !(asked.distance || asked.hash || asked.place) {
        return member;
    }
    let mut all = vec![member];
    if asked.distance {
        all.push(distance_reply(found.distance / asked.unit, rules));
    }
    if asked.hash {
        all.push(Reply::Int(found.score as i64));
    }
    if asked.place {
        all.push(place_reply(found.place, rules));
    }
    Reply::Array(all)
}

/// Finds members cell by cell; `limit` of them, where it is not 0.
fn find<'z>(
    cx: &Context<'_>,
    zset: &'z ZSet,
    mut search: Search,
    limit: usize,
) -> Result<Vec<Found<'z>>, Rejection> {
    let enough = |found: &Vec<Found<'_>>| limit > 0 && found.len() >= limit;
    let mut found = Vec::new();
    let mut last = None;
    for (n, cell) in search.cells().into_iter().enumerate() {
        // About a wide circle neighbours may be one cell: the servers look at the one before only,
        // and not at the first.
        if cell.is_none() || last.is_some_and(|last: (usize, Cell)| last.0 > 0 && last.1 == cell) {
            continue;
        }
        if enough(&found) {
            break;
        }
        last = Some((n, cell));
        let (min, max) = cell.scores();
        let bound = |at, excluded| Bound { at, excluded };
        let (from, to) = zset.score_range(bound(min, false), bound(max, true));
        cx.claim((to - from) as u64 * size_of::<Found<'_>>() as u64)?;
        for (member, score) in zset.range(from, to) {
            let place = geohash::place(score);
            if let Some(distance) = search.reach(place) {
                found.push(Found {
                    member,
                    score,
                    place,
                    distance,
                });
            }
            if enough(&found) {
                break;
            }
        }
    }
    Ok(found)
}

/// Reads a distance and its unit.
fn distance(number: &[u8], unit: &[u8], rules: &Rules) -> Result<(f64, f64), Rejection> {
    let number = double(number, rules).map_err(|_| Rejection::error("ERR need numeric radius"))?;
    if number < 0.0 {
        return Err(Rejection::error("ERR radius cannot be negative"));
    }
    Ok((number, metres(unit, rules)?))
}

fn no_such_member() -> Rejection {
    Rejection::error("ERR could not decode requested zset member")
}

fn parse<'a>(
    args: Args<'a>,
    kind: Kind,
    zset: Option<&ZSet>,
    store: Option<&'a [u8]>,
    rules: &Rules,
) -> Result<Asked<'a>, Rejection> {
    let mut asked = Asked {
        from: None,
        shape: None,
        unit: 1.0,
        store,
        store_distance: false,
        distance: false,
        hash: false,
        place: false,
        sort: None,
        count: 0,
        any: false,
    };
    let mut options = args;
    match kind {
        Kind::Radius { .. } => {
            let ([longitude, latitude, radius, unit], rest) = args.first()?;
            asked.from = Some(place_of(longitude, latitude, rules)?);
            let (radius, unit) = distance(radius, unit, rules)?;
            (asked.shape, asked.unit) = (Some(Shape::Circle { radius }), unit);
            options = rest;
        }
        Kind::ByMember { .. } => {
            let ([member, radius, unit], rest) = args.first()?;
            if let Some(zset) = zset {
                asked.from = Some(place_in(zset, member).ok_or_else(no_such_member)?);
                let (radius, unit) = distance(radius, unit, rules)?;
                (asked.shape, asked.unit) = (Some(Shape::Circle { radius }), unit);
            }
            options = rest;
        }
        Kind::Search | Kind::SearchStore => {}
    }
    Options {
        asked: &mut asked,
        kind,
        zset,
        rules,
        from_member: false,
        from_place: false,
    }
    .read(options)?;
    Ok(asked)
}

/// Reads the options.
struct Options<'o, 'a> {
    asked: &'o mut Asked<'a>,
    kind: Kind,
    zset: Option<&'o ZSet>,
    rules: &'o Rules,
    from_member: bool,
    from_place: bool,
}

impl<'a> Options<'_, 'a> {
    fn read(mut self, options: Args<'a>) -> Result<(), Rejection> {
        let mut rest = options;
        while let Some((word, behind)) = rest.slice().split_first() {
            let used = match word {
                word if is(word, "withdist") => flag(&mut self.asked.distance),
                word if is(word, "withhash") => flag(&mut self.asked.hash),
                word if is(word, "withcoord") => flag(&mut self.asked.place),
                word if is(word, "any") => flag(&mut self.asked.any),
                word if is(word, "asc") => {
                    self.asked.sort = Some(Sort::Nearest);
                    Some(0)
                }
                word if is(word, "desc") => {
                    self.asked.sort = Some(Sort::Farthest);
                    Some(0)
                }
                word if is(word, "count") => self.count(behind)?,
                word if self.kind.is_search() => self.search(word, behind)?,
                word if self.kind.may_store() => self.store(word, behind),
                _ => None,
            };
            let used = used.ok_or_else(Rejection::syntax)?;
            rest = rest.from(1 + used);
        }
        self.check()
    }

    fn check(&self) -> Result<(), Rejection> {
        let asked = &self.asked;
        if asked.store.is_some() && (asked.distance || asked.hash || asked.place) {
            return Err(Rejection::error(
                "ERR STORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ));
        }
        let polygon = matches!(asked.shape, Some(Shape::Polygon(_)));
        if self.kind.is_search() && !(self.from_member || self.from_place || polygon) {
            return Err(Rejection::error(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified",
            ));
        }
        if self.kind.is_search() && asked.shape.is_none() {
            return Err(Rejection::error(
                "ERR exactly one of BYRADIUS and BYBOX can be specified",
            ));
        }
        if asked.any && asked.count == 0 {
            return Err(Rejection::error(
                "ERR the ANY argument requires COUNT argument",
            ));
        }
        Ok(())
    }

    fn count(&mut self, behind: &[&[u8]]) -> Result<Option<usize>, Rejection> {
        let Some(count) = behind.first() else {
            return Ok(None);
        };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        if count == 0 {
            return Err(Rejection::error("ERR COUNT must be > 0"));
        }
        self.asked.count = count;
        Ok(Some(1))
    }

    /// Options of GEORADIUS alone.
    fn store(&mut self, word: &[u8], behind: &[&'a [u8]]) -> Option<usize> {
        let distance = match word {
            word if is(word, "store") => false,
            word if is(word, "storedist") => true,
            _ => return None,
        };
        self.asked.store = Some(behind.first()?);
        self.asked.store_distance = distance;
        Some(1)
    }

    /// Options of GEOSEARCH alone. How many arguments behind the word it takes.
    fn search(&mut self, word: &[u8], behind: &[&[u8]]) -> Result<Option<usize>, Rejection> {
        let rules = self.rules;
        let circle = matches!(self.asked.shape, None | Some(Shape::Circle { .. }));
        let rectangle = matches!(self.asked.shape, None | Some(Shape::Box { .. }));
        let polygon = matches!(self.asked.shape, Some(Shape::Polygon(_)));
        match (word, behind) {
            (word, _) if self.kind == Kind::SearchStore && is(word, "storedist") => {
                self.asked.store_distance = true;
                Ok(Some(0))
            }
            (word, [member, ..]) if is(word, "frommember") && !self.from_place && !polygon => {
                if let Some(zset) = self.zset {
                    let place = place_in(zset, member).ok_or_else(no_such_member)?;
                    self.asked.from = Some(place);
                }
                self.from_member = true;
                Ok(Some(1))
            }
            (word, [longitude, latitude, ..])
                if is(word, "fromlonlat") && !self.from_member && !polygon =>
            {
                self.asked.from = Some(place_of(longitude, latitude, rules)?);
                self.from_place = true;
                Ok(Some(2))
            }
            (word, [radius, unit, ..]) if is(word, "byradius") && circle => {
                let (radius, unit) = distance(radius, unit, rules)?;
                self.asked.shape = Some(Shape::Circle { radius });
                self.asked.unit = unit;
                Ok(Some(2))
            }
            (word, [width, height, unit, ..]) if is(word, "bybox") && rectangle => {
                let number = |text, what| double(text, rules).map_err(|_| Rejection::error(what));
                let width = number(width, "ERR need numeric width")?;
                let height = number(height, "ERR need numeric height")?;
                if width < 0.0 || height < 0.0 {
                    return Err(Rejection::error("ERR height or width cannot be negative"));
                }
                self.asked.unit = metres(unit, rules)?;
                self.asked.shape = Some(Shape::Box { width, height });
                Ok(Some(3))
            }
            (word, [count, corners @ ..])
                if is(word, "bypolygon")
                    && rules.since(NEVER, (9, 0))
                    && !corners.is_empty()
                    && !(self.from_member || self.from_place)
                    && (self.asked.shape.is_none() || polygon) =>
            {
                self.polygon(count, corners).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn polygon(&mut self, count: &[u8], corners: &[&[u8]]) -> Result<usize, Rejection> {
        let count = integer(count)
            .ok()
            .and_then(|count| i32::try_from(count).ok())
            .ok_or_else(|| Rejection::error("ERR invalid number of vertices"))?;
        let corners = usize::try_from(count)
            .ok()
            .filter(|count| *count >= 3)
            .and_then(|count| corners.get(..count.checked_mul(2)?))
            .ok_or_else(|| {
                Rejection::error("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices")
            })?;
        let places: Result<Vec<Place>, Rejection> = corners
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[longitude, latitude]| place_of(longitude, latitude, self.rules))
            .collect();
        self.asked.shape = Some(Shape::Polygon(places?));
        self.asked.unit = 1.0;
        Ok(1 + corners.len())
    }
}

fn flag(flag: &mut bool) -> Option<usize> {
    *flag = true;
    Some(0)
}
