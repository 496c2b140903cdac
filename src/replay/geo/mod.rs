//! Commands on places: members of sorted sets whose scores are geohashes.

mod geohash;
mod partial;
mod search;

use crate::keyspace::Rules;
use crate::keyspace::zset::ZSet;
use crate::replay::args::{Args, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;
use crate::replay::zset::{self, How, double, score_reply};
use geohash::{Cell, LATITUDES, LONGITUDES, Measure, Place, STEP};

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("geoadd", geoadd),
    Row::read("geodist", geodist),
    Row::read("geohash", geohash),
    Row::read("geopos", geopos),
    Row::many("georadius", search::georadius),
    Row::read("georadius_ro", search::georadius_ro),
    Row::many("georadiusbymember", search::georadiusbymember),
    Row::read("georadiusbymember_ro", search::georadiusbymember_ro),
    Row::read("geosearch", search::geosearch),
    Row::many("geosearchstore", search::geosearchstore),
];

fn geoadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], mut rest) = args.first()?;
    let mut how = How::default();
    while let Some(word) = rest.slice().first() {
        let flag = match word {
            word if is(word, "nx") => &mut how.nx,
            word if is(word, "xx") => &mut how.xx,
            word if is(word, "ch") => &mut how.ch,
            _ => break,
        };
        *flag = true;
        rest = rest.from(1);
    }
    let (places, left) = rest.slice().as_chunks::<3>();
    if !left.is_empty() || (how.xx && how.nx) {
        return Err(Rejection::syntax());
    }
    let members: Result<Vec<(f64, &[u8])>, Rejection> = places
        .iter()
        .map(|[longitude, latitude, member]| {
            let place = place_of(longitude, latitude, cx.rules)?;
            Ok((geohash::score(place), *member))
        })
        .collect();
    let members = members?;
    if members.is_empty() {
        return Err(Rejection::syntax());
    }
    zset::add(cx, key, &members, how)
}

fn geodist(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, one, other], rest) = args.first()?;
    let unit = match rest.slice() {
        [] => 1.0,
        [unit] => metres(unit, cx.rules)?,
        _ => return Err(Rejection::syntax()),
    };
    let zset = cx.zset(key)?;
    let find = |member| zset.and_then(|zset| place_in(zset, member));
    let Some((one, other)) = find(one).zip(find(other)) else {
        return Ok(Reply::Nil);
    };
    let distance = measure(cx.rules).distance(one, other);
    Ok(distance_reply(distance / unit, cx.rules))
}

/// Positions as the common geohash, in eleven characters, of which the last says nothing.
fn geohash(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let ([key], members) = args.first()?;
    let zset = cx.zset(key)?;
    let text = |place: Place| {
        let cell = Cell::within(place, STEP, (-90.0, 90.0));
        let digit = |n: u32| ALPHABET[(cell.bits >> (52 - 5 * n) & 0x1f) as usize];
        let mut text: Vec<u8> = (1..=10).map(digit).collect();
        text.push(ALPHABET[0]);
        Reply::Bulk(text)
    };
    let all = members.iter().map(|member| {
        let place = zset.and_then(|zset| place_in(zset, member));
        place.map_or(Reply::Nil, text)
    });
    Ok(Reply::Array(all.collect()))
}

fn geopos(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], members) = args.first()?;
    let zset = cx.zset(key)?;
    let all = members.iter().map(|member| {
        let place = zset.and_then(|zset| place_in(zset, member));
        place.map_or(Reply::NilArray, |place| place_reply(place, cx.rules))
    });
    Ok(Reply::Array(all.collect()))
}

fn place_in(zset: &ZSet, member: &[u8]) -> Option<Place> {
    zset.get(member).map(geohash::place)
}

/// Reads longitude and latitude.
fn place_of(longitude: &[u8], latitude: &[u8], rules: &Rules) -> Result<Place, Rejection> {
    let (longitude, latitude) = (double(longitude, rules)?, double(latitude, rules)?);
    let within = |value: f64, (least, most): (f64, f64)| value >= least && value <= most;
    if within(longitude, LONGITUDES) && within(latitude, LATITUDES) {
        return Ok([longitude, latitude]);
    }
    Err(Rejection::error(format!(
        "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
    )))
}

/// Metres of a unit; Redis 6.2 wants its name in lower case.
fn metres(unit: &[u8], rules: &Rules) -> Result<f64, Rejection> {
    let any_case = rules.since((7, 0), (0, 0));
    let named = |name: &str| unit == name.as_bytes() || (any_case && is(unit, name));
    match () {
        () if named("m") => Ok(1.0),
        () if named("km") => Ok(1000.0),
        () if named("ft") => Ok(0.3048),
        () if named("mi") => Ok(1609.34),
        () => Err(Rejection::error(
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        )),
    }
}

fn measure(rules: &Rules) -> Measure {
    if rules.since(crate::keyspace::NEVER, (9, 0)) {
        Measure::NearMeridian
    } else if rules.since((7, 0), (0, 0)) {
        Measure::Meridian
    } else {
        Measure::Plain
    }
}

/// A distance with four digits behind the point; since 7.0 rounded once more before that.
fn distance_reply(distance: f64, rules: &Rules) -> Reply {
    if !rules.since((7, 0), (0, 0)) {
        return Reply::Bulk(format!("{distance:.4}").into_bytes());
    }
    let scaled = (distance * 10_000.0).round_ties_even() as i64;
    let (whole, rest) = (scaled / 10_000, scaled % 10_000);
    Reply::Bulk(format!("{whole}.{rest:04}").into_bytes())
}

fn place_reply(place: Place, rules: &Rules) -> Reply {
    let digits = |value: f64| {
        if rules.since((8, 0), crate::keyspace::NEVER) {
            return score_reply(value, rules);
        }
        let text = format!("{value:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        Reply::Bulk(text.as_bytes().to_vec())
    };
    Reply::Array(place.iter().map(|value| digits(*value)).collect())
}
