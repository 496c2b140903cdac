//! Counts what `dump-to-json` writes, knowing nothing of how `stats` counts.

use std::collections::BTreeMap;

use serde_json::Value;

/// A key of the dump.
struct Key {
    db: u64,
    name: Vec<u8>,
    of: String,
    encoding: String,
    elements: u64,
    size: u64,
    expires_at: Option<i64>,
    freq: Option<u64>,
}

/// Keys, expiring ones, elements, bytes of values.
type Sum = [u64; 4];

/// What should come out.
pub(crate) struct Expected {
    keys: Vec<Key>,
    depth: usize,
    now: i64,
}

impl Expected {
    /// Of the lines of a dump with sizes.
    pub(crate) fn of(lines: &str, depth: usize, now: i64) -> Expected {
        let key = |line: &str| {
            let json: Value = serde_json::from_str(line).unwrap();
            let value = &json["value"];
            let of = json["type"].as_str().unwrap().to_owned();
            let elements = match of.as_str() {
                "string" | "module" => 1,
                "stream" => value["entries"].as_array().unwrap().len(),
                _ => match value {
                    Value::Array(items) => items.len(),
                    Value::Object(fields) => fields.len(),
                    other => panic!("{other}"),
                },
            };
            Key {
                db: json["db"].as_u64().unwrap(),
                name: name_of(&json["key"]),
                of,
                encoding: json["encoding"].as_str().unwrap().to_owned(),
                elements: elements as u64,
                size: json["size"].as_u64().unwrap(),
                expires_at: json["expire_at_ms"].as_i64(),
                freq: json["freq"].as_u64(),
            }
        };
        Expected {
            keys: lines.lines().map(key).collect(),
            depth,
            now,
        }
    }

    fn by<K: Ord>(&self, what: impl Fn(&Key) -> Option<K>) -> BTreeMap<K, Sum> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for key in &self.keys {
            let Some(of) = what(key) else {
                continue;
            };
            let sum = sums.entry(of).or_default();
            let expires = u64::from(key.expires_at.is_some());
            for (into, n) in sum.iter_mut().zip([1, expires, key.elements, key.size]) {
                *into += n;
            }
        }
        sums
    }

    /// Compares everything but the bytes of records, which the dump does not tell.
    #[track_caller]
    pub(crate) fn assert_same(&self, report: &Value, top: usize, what: &str) {
        let stats = &report["stats"];
        let total = self.by(|_| Some(()));
        assert_eq!(total[&()], sum(&stats["total"]), "{what}");
        let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
        let by_type = listed(&stats["types"], |one| text(one, "type"));
        assert_eq!(self.by(|key| Some(key.of.clone())), by_type, "{what}");
        // One encoding may stand for several layouts.
        let by_encoding = listed(&stats["encodings"], |one| {
            (text(one, "type"), text(one, "encoding"))
        });
        let expected = self.by(|key| Some((key.of.clone(), key.encoding.clone())));
        assert_eq!(expected, by_encoding, "{what}");
        let by_db = listed(&stats["dbs"], |one| one["db"].as_u64().unwrap());
        assert_eq!(self.by(|key| Some(key.db)), by_db, "{what}");
        let class = |key: &Key| {
            Some(match key.expires_at {
                None => "none".to_owned(),
                Some(at) if at < self.now => "expired".to_owned(),
                Some(_) => "live".to_owned(),
            })
        };
        assert_eq!(
            self.by(class),
            listed(&stats["ttl"], |one| text(one, "class")),
            "{what}"
        );
        self.assert_ranges(&stats["ttl_seconds"], |key| {
            Some((key.expires_at? - self.now).div_euclid(1000))
        });
        self.assert_ranges(&stats["value_sizes"], |key| i64::try_from(key.size).ok());
        self.assert_prefixes(&stats["prefixes"], what);
        self.assert_top(&stats["biggest"], "value_bytes", top, |key| Some(key.size));
        self.assert_top(&stats["most_elements"], "elements", top, |key| {
            (key.elements > 1).then_some(key.elements)
        });
        self.assert_top(&stats["hottest"], "freq", top, |key| key.freq);
        let with_freq = self.keys.iter().filter(|key| key.freq.is_some()).count();
        assert_eq!(stats["with_freq"], with_freq as u64, "{what}");
    }

    /// Each range holds what lies in it, and together they go from end to end.
    #[track_caller]
    fn assert_ranges(&self, ranges: &Value, number: impl Fn(&Key) -> Option<i64>) {
        let mut last = None;
        for (place, range) in ranges.as_array().unwrap().iter().enumerate() {
            let (from, below) = (range["from"].as_i64(), range["below"].as_i64());
            assert!(place == 0 || from == last, "{range}");
            last = below;
            let within = |key: &Key| {
                let n = number(key)?;
                let is_in =
                    from.is_none_or(|from| n >= from) && below.is_none_or(|below| n < below);
                is_in.then_some(())
            };
            let expected = self.by(within).remove(&()).unwrap_or_default();
            assert_eq!(expected, sum(range), "{range}");
        }
        assert_eq!(last, None);
    }

    #[track_caller]
    fn assert_prefixes(&self, prefixes: &Value, what: &str) {
        let without = self.by(|key| (!key.name.contains(&b':')).then_some(()));
        let without = without.get(&()).copied().unwrap_or_default();
        assert_eq!(without, sum(&prefixes["none"]), "{what}");
        let list = prefixes["list"].as_array().unwrap();
        for depth in 1..=self.depth {
            let expected = self.by(|key| {
                let mut ends = key
                    .name
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b':');
                let (end, _) = ends.nth(depth - 1)?;
                // A longer one is not told apart.
                (end < 256).then(|| key.name[..=end].to_vec())
            });
            let of_depth = list.iter().filter(|one| one["depth"] == depth as u64);
            let found: BTreeMap<Vec<u8>, Sum> = of_depth
                .map(|one| (name_of(&one["prefix"]), sum(one)))
                .collect();
            assert_eq!(expected, found, "{what}, depth {depth}");
        }
        for prefix in list {
            let types = prefix["types"].as_array().unwrap().iter();
            let (mut keys, mut bytes) = (0, 0);
            for of in types {
                keys += of["keys"].as_u64().unwrap();
                bytes += of["bytes"].as_u64().unwrap();
            }
            assert_eq!(
                (prefix["keys"].as_u64(), prefix["bytes"].as_u64()),
                (Some(keys), Some(bytes))
            );
        }
        let order: Vec<_> = list
            .iter()
            .map(|one| one["bytes"].as_u64().unwrap())
            .collect();
        assert!(order.is_sorted_by(|a, b| a >= b), "{what}");
    }

    #[track_caller]
    fn assert_top(&self, list: &Value, field: &str, top: usize, of: impl Fn(&Key) -> Option<u64>) {
        let mut expected: Vec<_> = self
            .keys
            .iter()
            .filter_map(|key| Some((of(key)?, key)))
            .collect();
        expected.sort_by(|(a, x), (b, y)| b.cmp(a).then((x.db, &x.name).cmp(&(y.db, &y.name))));
        let expected: Vec<_> = expected
            .into_iter()
            .take(top)
            .map(|(n, key)| {
                (
                    n,
                    key.db,
                    key.name.clone(),
                    key.of.clone(),
                    key.size,
                    key.expires_at,
                )
            })
            .collect();
        let found: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (
                    one[field].as_u64().unwrap(),
                    one["db"].as_u64().unwrap(),
                    name_of(&one["key"]),
                    one["type"].as_str().unwrap().to_owned(),
                    one["value_bytes"].as_u64().unwrap(),
                    one["expire_at_ms"].as_i64(),
                )
            })
            .collect();
        assert_eq!(expected, found, "{field}");
    }
}

fn name_of(json: &Value) -> Vec<u8> {
    match json {
        Value::String(text) => text.clone().into_bytes(),
        other => {
            let text = other["$b64"].as_str().unwrap();
            base64_simd::STANDARD.decode_to_vec(text).unwrap()
        }
    }
}

fn sum(json: &Value) -> Sum {
    ["keys", "expires", "elements", "value_bytes"].map(|field| json[field].as_u64().unwrap())
}

fn listed<K: Ord>(list: &Value, of: impl Fn(&Value) -> K) -> BTreeMap<K, Sum> {
    let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
    for one in list.as_array().unwrap() {
        let add = sum(one);
        if add == [0; 4] {
            continue;
        }
        let into = sums.entry(of(one)).or_default();
        for (into, n) in into.iter_mut().zip(add) {
            *into += n;
        }
    }
    sums
}

/// The bytes of records, by database and by layout, are those of check-rdb.
#[track_caller]
pub(crate) fn assert_records(check: &Value, stats: &Value) {
    let mut layouts: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    let mut dbs: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for db in check["dbs"].as_array().unwrap() {
        for of in db["types"].as_array().unwrap() {
            let (keys, bytes) = (of["keys"].as_u64().unwrap(), of["bytes"].as_u64().unwrap());
            let text = |field: &str| of[field].as_str().unwrap().to_owned();
            for into in [
                layouts
                    .entry((text("layout"), text("encoding")))
                    .or_default(),
                dbs.entry(db["db"].as_u64().unwrap()).or_default(),
            ] {
                into.0 += keys;
                into.1 += bytes;
            }
        }
    }
    let found = |one: &Value| {
        (
            one["keys"].as_u64().unwrap(),
            one["bytes"].as_u64().unwrap(),
        )
    };
    let stats = &stats["stats"];
    let by_layout = stats["encodings"].as_array().unwrap().iter().map(|one| {
        let text = |field: &str| one[field].as_str().unwrap().to_owned();
        ((text("layout"), text("encoding")), found(one))
    });
    assert_eq!(layouts, by_layout.collect());
    let by_db = stats["dbs"].as_array().unwrap().iter();
    assert_eq!(
        dbs,
        by_db
            .map(|one| (one["db"].as_u64().unwrap(), found(one)))
            .collect()
    );
}
