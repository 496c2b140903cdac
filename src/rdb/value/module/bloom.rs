//! The family of RedisBloom: MBbloom--, MBbloomCF, CMSk-TYPE, TopK-TYPE, TDIS-TYPE.
//!
//! Defined by the `RdbSave` and `RdbLoad` functions of RedisBloom. Told is, by type (`"…"` stands
//! for a string of bytes as they are stored):
//!
//! * Bloom filter, versions 0 to 4:
//!   `{"items":3,"options":1,"growth":2,"filters":[{"capacity":100,"error_rate":0.01,"hashes":7,`
//!   `"bits_per_entry":9.6,"bits":1024,"log2_bits":10,"bit_array":"…","items":3}]}`.
//!   `options` is a sum of 1 no rounding, 2 entries are bits, 4 hashes of 64 bits, 8 no scaling.
//! * Cuckoo filter, versions 0 to 4:
//!   `{"buckets":8,"items":1,"deletes":0,"bucket_size":2,"max_iterations":20,"expansion":1,`
//!   `"filters":[{"buckets":8,"fingerprints":"…"}]}`. A fingerprint is a byte, 0 is none.
//! * Count-min sketch: `{"width":3,"depth":2,"count":5,"counters":[[0,5,0],[5,0,0]]}`, a row of
//!   counters for each hash.
//! * Top-k list: `{"k":2,"width":1,"depth":2,"decay":0.9,"buckets":[[[77,5]],[[0,0]]],`
//!   `"items":[{"item":"a","fingerprint":77,"count":5}]}`. A bucket is a fingerprint and a count;
//!   `items` stand in the order of the heap, and places without an item are left out.
//! * t-digest: `{"compression":100.0,"min":1.0,"max":9.0,"capacity":610,"merged_nodes":1,`
//!   `"unmerged_nodes":0,"compressions":1,"merged_weight":2.0,"unmerged_weight":0.0,`
//!   `"centroids":[[5.0,2.0]]}`. A centroid is a mean and a weight.

use crate::record::value::Node;

use super::decode::{Decoded, Decoding, Miss, Text};

/// ```text
/// UINT items, UINT filters, [>= 2] UINT options, [>= 4] UINT growth
/// filters times: UINT capacity, DOUBLE error rate, UINT hashes, DOUBLE bits per entry,
///                [>= 1] UINT bits, UINT log2 bits, STRING bit array, UINT items in this filter
/// ```
pub(super) fn bloom(cx: &mut Decoding<'_, '_>, version: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    cx.uint("items")?;
    let filters = cx.items.uint()?;
    cx.uint_if(version >= 2, "options")?;
    cx.uint_if(version >= 4, "growth")?;
    cx.tell.member("filters", Node::Array)?;
    for _ in 0..filters {
        cx.tell.node(Node::Object)?;
        cx.uint("capacity")?;
        cx.double("error_rate")?;
        cx.uint("hashes")?;
        cx.double("bits_per_entry")?;
        cx.uint_if(version >= 1, "bits")?;
        cx.uint_if(version >= 1, "log2_bits")?;
        cx.bytes("bit_array")?;
        cx.uint("items")?;
        cx.tell.node(Node::End)?;
    }
    finish(cx)
}

/// ```text
/// UINT filters, UINT buckets, UINT items,
/// [>= 4] UINT deletes, UINT bucket size, UINT most iterations, UINT expansion
/// filters times: [>= 4] UINT buckets, STRING fingerprints, bucket size x buckets
/// ```
pub(super) fn cuckoo(cx: &mut Decoding<'_, '_>, version: u16) -> Decoded<()> {
    let now = version >= 4;
    cx.tell.node(Node::Object)?;
    let filters = cx.items.uint()?;
    cx.uint("buckets")?;
    cx.uint("items")?;
    cx.uint_if(now, "deletes")?;
    cx.uint_if(now, "bucket_size")?;
    cx.uint_if(now, "max_iterations")?;
    cx.uint_if(now, "expansion")?;
    cx.tell.member("filters", Node::Array)?;
    for _ in 0..filters {
        cx.tell.node(Node::Object)?;
        cx.uint_if(now, "buckets")?;
        cx.bytes("fingerprints")?;
        cx.tell.node(Node::End)?;
    }
    finish(cx)
}

/// ```text
/// UINT width, UINT depth, UINT count, STRING width x depth u32 LE
/// ```
pub(super) fn count_min(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    let width = cx.uint("width")?;
    let depth = cx.uint("depth")?;
    cx.uint("count")?;
    let table = cx.items.string()?;
    cx.tell.member("counters", Node::Array)?;
    rows(cx, table, width, depth, |counter: [u8; 4]| {
        [Node::Uint(u32::from_le_bytes(counter).into())]
    })?;
    finish(cx)
}

/// ```text
/// UINT k, UINT width, UINT depth, DOUBLE decay, STRING width x depth x (u32 fingerprint, u32 count),
/// STRING k x (u32 fingerprint, u32 length, 8 bytes of a pointer, u32 count, 4 bytes nothing),
/// k x STRING item and a NUL
/// ```
pub(super) fn top_k(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    let k = cx.uint("k")?;
    let width = cx.uint("width")?;
    let depth = cx.uint("depth")?;
    cx.double("decay")?;
    let table = cx.items.string()?;
    let heap = cx.items.string()?;
    cx.tell.member("buckets", Node::Array)?;
    rows(cx, table, width, depth, |bucket: [u8; 8]| {
        let [a, b, c, d, count @ ..] = bucket;
        let fingerprint = u32::from_le_bytes([a, b, c, d]);
        let count = u32::from_le_bytes(count);
        [
            Node::Array,
            Node::Uint(fingerprint.into()),
            Node::Uint(count.into()),
            Node::End,
        ]
    })?;
    cx.tell.node(Node::End)?;
    if k.checked_mul(HEAP_RECORD as u64) != Some(heap.len()) {
        return Err(Miss::Layout);
    }
    cx.tell.member("items", Node::Array)?;
    for record in cx.beside.resolve(heap)?.as_chunks::<HEAP_RECORD>().0 {
        let text = cx.items.string()?;
        let item = match cx.strings.resolve(text)? {
            [0] => continue,
            item => item.strip_suffix(&[0]).ok_or(Miss::Layout)?,
        };
        let [
            a,
            b,
            c,
            d,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            e,
            f,
            g,
            h,
            ..,
        ] = *record;
        let fingerprint = u32::from_le_bytes([a, b, c, d]);
        let count = u32::from_le_bytes([e, f, g, h]);
        cx.tell.node(Node::Object)?;
        cx.tell.member("item", Node::Bytes(item))?;
        cx.tell
            .member("fingerprint", Node::Uint(fingerprint.into()))?;
        cx.tell.member("count", Node::Uint(count.into()))?;
        cx.tell.node(Node::End)?;
    }
    finish(cx)
}

/// Size of a place of the heap on the machines that modules run on, pointer and padding included.
const HEAP_RECORD: usize = 24;

/// ```text
/// DOUBLE compression, DOUBLE min, DOUBLE max, SINT capacity, SINT merged nodes,
/// SINT unmerged nodes, SINT compressions, DOUBLE merged weight, DOUBLE unmerged weight,
/// a DOUBLE mean for each merged node, a DOUBLE weight for each
/// ```
pub(super) fn t_digest(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    cx.double("compression")?;
    cx.double("min")?;
    cx.double("max")?;
    cx.sint("capacity")?;
    let nodes = cx.sint("merged_nodes")?;
    cx.sint("unmerged_nodes")?;
    cx.sint("compressions")?;
    cx.double("merged_weight")?;
    cx.double("unmerged_weight")?;
    if nodes < 0 {
        return Err(Miss::Layout);
    }
    cx.tell.member("centroids", Node::Array)?;
    // The means stand first and the weights behind them: two cursors side by side.
    let mut means = cx.items.fork();
    for _ in 0..nodes {
        cx.items.double()?;
    }
    for _ in 0..nodes {
        cx.tell.node(Node::Array)?;
        cx.tell.node(Node::Double(means.double()?))?;
        cx.tell.node(Node::Double(cx.items.double()?))?;
        cx.tell.node(Node::End)?;
    }
    finish(cx)
}

/// Tells a table of `depth` rows of `width` cells of `N` bytes, as arrays without the end of the
/// outermost one. A table without rows or columns is none that a module would make.
fn rows<const N: usize, const M: usize>(
    cx: &mut Decoding<'_, '_>,
    table: Text<'_>,
    width: u64,
    depth: u64,
    cell: impl Fn([u8; N]) -> [Node<'static>; M],
) -> Decoded<()> {
    let row = width.checked_mul(N as u64).filter(|&row| row > 0);
    let size = row.and_then(|row| row.checked_mul(depth));
    if size != Some(table.len()) || depth == 0 {
        return Err(Miss::Layout);
    }
    if cx.tell.is_silent() {
        return Ok(table.verify()?);
    }
    let row = row.and_then(|row| usize::try_from(row).ok());
    let table = cx.strings.resolve(table)?;
    for row in table.chunks_exact(row.ok_or(Miss::Layout)?) {
        cx.tell.node(Node::Array)?;
        for &bytes in row.as_chunks::<N>().0 {
            for node in cell(bytes) {
                cx.tell.node(node)?;
            }
        }
        cx.tell.node(Node::End)?;
    }
    Ok(())
}

/// The end of the last array, of the object and of the items.
fn finish(cx: &mut Decoding<'_, '_>) -> Decoded<()> {
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    cx.items.end()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{build, shows, string, told};
    use crate::record::value::ModuleItem::{self, Double, Sint, Uint};

    #[test]
    fn a_bloom_filter_is_read_in_every_version() {
        for version in 0..=4 {
            let mut items = vec![Uint(3), Uint(2)];
            items.extend((version >= 2).then_some(Uint(1)));
            items.extend((version >= 4).then_some(Uint(2)));
            for filter in 1..=2 {
                items.extend([Uint(100 * filter), Double(0.01), Uint(7), Double(9.5)]);
                if version >= 1 {
                    items.extend([Uint(1024), Uint(10)]);
                }
                items.extend([string(b"\x01\x80"), Uint(filter)]);
            }
            let options = if version >= 2 { "1" } else { "null" };
            let growth = if version >= 4 { "2" } else { "null" };
            let bits = if version >= 1 {
                "bits:1024,log2_bits:10"
            } else {
                "bits:null,log2_bits:null"
            };
            let filter = |n, capacity| {
                format!(
                    "{{capacity:{capacity},error_rate:0.01,hashes:7,bits_per_entry:9.5,{bits},\
                     bit_array:'\\x01\\x80',items:{n}}}"
                )
            };
            assert_eq!(
                shows(b"MBbloom--", version, &items),
                format!(
                    "{{items:3,options:{options},growth:{growth},filters:[{},{}]}}",
                    filter(1, 100),
                    filter(2, 200)
                )
            );
            items.pop();
            assert_eq!(shows(b"MBbloom--", version, &items), "raw");
        }
    }

    #[test]
    fn a_cuckoo_filter_is_read_in_both_forms() {
        let now = [
            Uint(1),
            Uint(8),
            Uint(3),
            Uint(1),
            Uint(2),
            Uint(20),
            Uint(1),
            Uint(8),
            string(b"1234567890"),
        ];
        assert_eq!(
            shows(b"MBbloomCF", 4, &now),
            "{buckets:8,items:3,deletes:1,bucket_size:2,max_iterations:20,expansion:1,\
             filters:[{buckets:8,fingerprints:'1234567890'}]}"
        );
        assert_eq!(shows(b"MBbloomCF", 3, &now), "raw");
        let old = [Uint(2), Uint(4), Uint(1), string(b"\0\0"), string(b"\0a")];
        assert_eq!(
            shows(b"MBbloomCF", 1, &old),
            "{buckets:4,items:1,deletes:null,bucket_size:null,max_iterations:null,expansion:null,\
             filters:[{buckets:null,fingerprints:'\\x00\\x00'},\
             {buckets:null,fingerprints:'\\x00a'}]}"
        );
        assert_eq!(shows(b"MBbloomCF", 4, &old), "raw");
    }

    #[test]
    fn a_count_min_sketch_is_rows_of_counters() {
        let table: Vec<u8> = [0u32, 5, 0, 5, 0, u32::MAX]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let sketch = |width, depth| {
            let items = [Uint(width), Uint(depth), Uint(5), string(&table)];
            shows(b"CMSk-TYPE", 0, &items)
        };
        assert_eq!(
            sketch(3, 2),
            "{width:3,depth:2,count:5,counters:[[0,5,0],[5,0,4294967295]]}"
        );
        assert_eq!(
            sketch(1, 6),
            "{width:1,depth:6,count:5,counters:[[0],[5],[0],[5],[0],[4294967295]]}"
        );
        assert_eq!(sketch(3, 3), "raw");
        assert_eq!(sketch(2, 2), "raw");
        assert_eq!(sketch(u64::MAX, u64::MAX), "raw");
        for (width, depth) in [(0, u64::MAX), (u64::MAX, 0), (0, 0)] {
            let items = [Uint(width), Uint(depth), Uint(0), string(b"")];
            assert_eq!(shows(b"CMSk-TYPE", 0, &items), "raw");
        }
    }

    fn place(fingerprint: u32, count: u32) -> Vec<u8> {
        let mut record = fingerprint.to_le_bytes().to_vec();
        record.extend([1, 0, 0, 0]);
        record.extend([0xaa; 8]);
        record.extend(count.to_le_bytes());
        record.extend([0; 4]);
        record
    }

    #[test]
    fn a_top_k_list_is_its_items_and_its_buckets() {
        let table: Vec<u8> = [77u32, 5, 0, 0]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let heap = [place(77, 5), place(0, 0), place(9, 1)].concat();
        let list = |k, third: &'static [u8]| {
            let mut items = vec![Uint(k), Uint(1), Uint(2), Double(0.9)];
            items.extend([string(&table), string(&heap)]);
            items.extend([string(b"ab\0"), string(b"\0"), string(third)]);
            shows(b"TopK-TYPE", 0, &items)
        };
        assert_eq!(
            list(3, b"7\0"),
            "{k:3,width:1,depth:2,decay:0.9,buckets:[[[77,5]],[[0,0]]],\
             items:[{item:'ab',fingerprint:77,count:5},{item:'7',fingerprint:9,count:1}]}"
        );
        assert_eq!(list(3, b"7"), "raw");
        assert_eq!(list(2, b"7\0"), "raw");
        assert_eq!(list(u64::MAX, b"7\0"), "raw");
    }

    #[test]
    fn a_t_digest_is_means_with_their_weights() {
        let digest = |nodes: i64, values: &[f64]| {
            let mut items: Vec<ModuleItem<'_>> = vec![
                Double(100.0),
                Double(1.0),
                Double(9.0),
                Sint(610),
                Sint(nodes),
                Sint(0),
                Sint(1),
                Double(3.0),
                Double(0.0),
            ];
            items.extend(values.iter().map(|&n| Double(n)));
            shows(b"TDIS-TYPE", 0, &items)
        };
        let head = |nodes| {
            format!(
                "{{compression:100.0,min:1.0,max:9.0,capacity:610,merged_nodes:{nodes},\
                 unmerged_nodes:0,compressions:1,merged_weight:3.0,unmerged_weight:0.0,"
            )
        };
        assert_eq!(
            digest(2, &[1.5, 4.0, 1.0, 2.0]),
            head(2) + "centroids:[[1.5,1.0],[4.0,2.0]]}"
        );
        assert_eq!(digest(0, &[]), head(0) + "centroids:[]}");
        assert_eq!(digest(1, &[1.0]), "raw");
        assert_eq!(digest(1, &[1.0, 2.0, 3.0]), "raw");
        assert_eq!(digest(-1, &[]), "raw");
        assert_eq!(digest(i64::MAX, &[1.0]), "raw");
    }

    #[test]
    fn hostile_counts_cost_nothing() {
        let most = Uint(u64::MAX);
        for name in [b"MBbloom--", b"MBbloomCF", b"CMSk-TYPE", b"TopK-TYPE"] {
            for version in [0, 4] {
                let items = [most, most, most, most, most, most, most];
                for count in 1..items.len() {
                    let value = build(name, version, items.get(..count).unwrap());
                    assert!(told(&value).is_raw());
                }
            }
        }
    }
}
