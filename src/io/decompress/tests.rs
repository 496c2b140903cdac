//! Fixtures are in `testdata/compressed`, made by the formats' own tools.

use super::*;
use crate::error::ErrorKind;
use std::io::Write;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/compressed/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn numbers() -> Vec<u8> {
    (1..=2000)
        .flat_map(|n| format!("{n}\n").into_bytes())
        .collect()
}

fn repeated() -> Vec<u8> {
    b"0123456789\n"
        .iter()
        .copied()
        .cycle()
        .take(1_100_000)
        .collect()
}

const NUMBERS: [(&str, Codec); 8] = [
    ("numbers.gz", Codec::Gzip),
    ("two-members.gz", Codec::Gzip),
    ("numbers.zst", Codec::Zstd),
    ("two-frames.zst", Codec::Zstd),
    ("numbers.lz4", Codec::Lz4),
    ("two-frames.lz4", Codec::Lz4),
    ("numbers.xz", Codec::Xz),
    ("two-streams.xz", Codec::Xz),
];

/// All that comes out, and the error behind it.
fn decode(codec: Codec, data: &[u8]) -> (Vec<u8>, Option<io::Error>) {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(codec, Box::new(data)).take(256 << 20);
    let error = decoder.read_to_end(&mut out).err();
    (out, error)
}

fn good(codec: Codec, data: &[u8]) -> Vec<u8> {
    match decode(codec, data) {
        (out, None) => out,
        (_, Some(error)) => panic!("{error}"),
    }
}

/// A reader that gives a byte at a time, with interruptions.
struct Slow<'a>(&'a [u8], u32);

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let one = buf.len().min(1);
        self.0.read(&mut buf[..one])
    }
}

#[test]
fn what_the_tools_wrote_is_read() {
    for (name, codec) in NUMBERS {
        let data = fixture(name);
        assert_eq!(Codec::detect(&data), Some(codec), "{name}");
        assert!(good(codec, &data) == numbers(), "{name}");
    }
    assert!(good(Codec::Zstd, &fixture("repeated.zst")) == repeated());
    assert!(good(Codec::Lz4, &fixture("repeated.lz4")) == repeated());
    assert!(good(Codec::Xz, &fixture("repeated.xz")) == repeated());
}

#[test]
fn a_slow_input_and_a_small_buffer_change_nothing() {
    for (name, codec) in NUMBERS {
        let data = fixture(name);
        let mut decoder = Decoder::new(codec, Box::new(Slow(&data, 0)));
        let mut out = Vec::new();
        let mut buf = [0; 7];
        loop {
            match decoder.read(&mut buf).unwrap() {
                0 => break,
                n => out.extend_from_slice(&buf[..n]),
            }
        }
        assert!(out == numbers(), "{name}");
        assert_eq!(decoder.read(&mut buf).unwrap(), 0, "the end stays the end");
    }
}

#[test]
fn every_truncation_is_an_error_that_names_the_codec() {
    for (name, codec) in NUMBERS {
        let data = fixture(name);
        let mut whole = 0;
        for cut in 0..data.len() {
            let (out, error) = decode(codec, &data[..cut]);
            assert!(numbers().starts_with(&out), "{name} cut at {cut}");
            let Some(error) = error else {
                whole += 1;
                continue;
            };
            assert!(is_damage(&error), "{name} cut at {cut}: {error}");
            assert!(error.to_string().contains(codec.article()), "{error}");
        }
        // Behind a member, and behind its padding, nothing says that more was to come.
        let expected = match name {
            "two-members.gz" => 1 + 512,
            "two-streams.xz" => 1 + 2,
            "two-frames.zst" | "two-frames.lz4" => 1,
            _ => 0,
        };
        assert_eq!(whole, expected, "{name}");
    }
}

#[test]
fn a_cut_between_blocks_is_an_error() {
    for (name, codec) in [
        ("repeated.zst", Codec::Zstd),
        ("repeated.lz4", Codec::Lz4),
        ("repeated.xz", Codec::Xz),
    ] {
        let data = fixture(name);
        let step = data.len() / 100;
        for cut in (0..data.len()).step_by(step) {
            let error = decode(codec, &data[..cut]).1.unwrap();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{name} {cut}");
        }
    }
    // Each block of 64 KiB but the last is as long as the one before it: 7 bytes of header, then
    // a length and so many bytes.
    let data = fixture("repeated.lz4");
    let mut at = 7;
    while let Some(len) = data.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let (_, error) = decode(Codec::Lz4, &data[..at]);
        let error = error.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "block at {at}");
        match u32::from_le_bytes(*len) & !(1 << 31) {
            0 => break,
            len => at += 4 + len as usize,
        }
    }
    assert_eq!(at + 8, data.len(), "all blocks were found");
}

#[test]
fn what_is_good_before_a_cut_comes_out() {
    let lz4 = fixture("repeated.lz4");
    let (out, error) = decode(Codec::Lz4, &lz4[..lz4.len() - 9]);
    assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof);
    assert!(out.len() >= 1_000_000, "{}", out.len());
    // The window of this frame is larger than its content: nothing is let out before the end.
    let zstd = fixture("repeated.zst");
    let (out, error) = decode(Codec::Zstd, &zstd[..zstd.len() - 9]);
    assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof);
    assert!(out.len() >= 1_000_000, "{}", out.len());
    assert!(repeated().starts_with(&out));
}

#[test]
fn damage_is_an_error_or_changes_nothing_where_there_are_checksums() {
    for (name, codec) in NUMBERS {
        let sound = fixture(name);
        let checked = !matches!(name, "two-frames.zst" | "two-frames.lz4");
        for at in 0..sound.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut data = sound.clone();
                data[at] ^= flip;
                let (out, error) = decode(codec, &data);
                assert!(out.len() <= 1 << 20, "{name} {at}");
                match error {
                    None => assert!(!checked || out == numbers(), "{name} {at} {flip:#x}"),
                    Some(error) => assert!(
                        is_damage(&error) || error.kind() == io::ErrorKind::Unsupported,
                        "{name} {at} {flip:#x}: {error:?}"
                    ),
                }
            }
        }
    }
}

#[test]
fn wild_mutations_neither_panic_nor_hang() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let mut files = NUMBERS.to_vec();
    files.push(("repeated.zst", Codec::Zstd));
    files.push(("repeated.lz4", Codec::Lz4));
    for (name, codec) in files {
        let sound = fixture(name);
        for _ in 0..400 {
            let mut data = sound.clone();
            for _ in 0..=random(6) {
                let at = random(data.len());
                let len = random(16).min(data.len() - at);
                match random(4) {
                    0 => data[at] = random(256) as u8,
                    1 => data[at..at + len].fill(random(2) as u8 * 0xff),
                    2 => {
                        let from = random(data.len() - len + 1);
                        data.copy_within(from..from + len, at);
                    }
                    _ => data.truncate(at.max(8)),
                }
            }
            decode(codec, &data);
        }
    }
}

#[test]
fn foreign_bytes_behind_the_end_are_an_error_after_all_is_read() {
    for (name, codec) in NUMBERS {
        if name == "two-members.gz" {
            continue;
        }
        let mut data = fixture(name);
        data.extend_from_slice(b"trailing junk");
        let (out, error) = decode(codec, &data);
        assert!(out == numbers(), "{name}");
        assert_eq!(error.unwrap().kind(), io::ErrorKind::InvalidData, "{name}");
    }
}

#[test]
fn skippable_frames_are_skipped() {
    let skip = |len: u8| {
        let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18, len, 0, 0, 0];
        frame.resize(8 + usize::from(len), 0xee);
        frame
    };
    for (name, codec) in [("numbers.zst", Codec::Zstd), ("numbers.lz4", Codec::Lz4)] {
        let data = [skip(0), skip(200), fixture(name), skip(9)].concat();
        assert_eq!(Codec::detect(&data), Some(codec));
        assert!(good(codec, &data) == numbers());
        // Out of sight: taken for zstd, and read all the same.
        assert_eq!(Codec::detect(&data[..100]), Some(Codec::Zstd));
        assert!(good(Codec::Zstd, &data) == numbers());
        let (_, error) = decode(codec, &data[..data.len() - 1]);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn valkeys_envelope_is_opened() {
    let data = [b"VCS\x01\x01\x00\x01".to_vec(), fixture("numbers.lz4")].concat();
    assert_eq!(Codec::detect(&data), Some(Codec::Valkey));
    assert!(good(Codec::Valkey, &data) == numbers());
    for cut in 0..data.len() {
        assert!(decode(Codec::Valkey, &data[..cut]).1.is_some());
    }
    assert_eq!(Codec::detect(b"VCS\x01\x02\x00\x01"), None);
}

#[test]
fn large_windows_are_refused_before_they_are_made() {
    // A frame that asks for a window of 2 GiB.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    let (_, error) = decode(Codec::Zstd, &zstd);
    let error = error.unwrap();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("2048 MiB"), "{error}");
    // 128 MiB are still accepted.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00];
    assert!(good(Codec::Zstd, &zstd).is_empty());

    let (_, error) = decode(Codec::Xz, &fixture("large-window.xz"));
    let error = error.unwrap();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
}

/// Text that compresses, but not to nothing, longer than any block.
fn long_text() -> Vec<u8> {
    (0..150_000u32)
        .flat_map(|n| format!("{} ", n.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

#[test]
fn many_blocks_round_trip() {
    let text = long_text();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    gzip.write_all(&text).unwrap();
    assert!(good(Codec::Gzip, &gzip.finish().unwrap()) == text);

    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(text.as_slice(), level);
    assert!(good(Codec::Zstd, &zstd) == text);

    for mode in [
        lz4_flex::frame::BlockMode::Linked,
        lz4_flex::frame::BlockMode::Independent,
    ] {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_mode(mode)
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .content_checksum(true);
        let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        lz4.write_all(&text).unwrap();
        assert!(good(Codec::Lz4, &lz4.finish().unwrap()) == text);
    }
}

#[test]
fn what_the_input_says_comes_through_unchanged() {
    struct Broken(Vec<u8>, usize);
    impl Read for Broken {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = (&self.0[self.1..]).read(buf)?;
            self.1 += n;
            if n == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the disk is tired"));
            }
            Ok(n)
        }
    }
    for (name, codec) in NUMBERS {
        let mut data = fixture(name);
        data.truncate(data.len() / 2);
        let mut decoder = decoder(codec, Broken(data, 0));
        for _ in 0..2 {
            let error = io::copy(&mut decoder, &mut io::sink()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{name}");
            assert_eq!(error.to_string(), "the disk is tired", "{name}");
        }
    }
}

#[test]
fn runs_are_decoded_within_their_limit() {
    let data = fixture("repeated.zst");
    let run = decode_run(Codec::Zstd, &data, 1 << 30).unwrap();
    assert!(matches!(run, Run::Memory(_)) && *run == *repeated());

    let error = decode_run(Codec::Lz4, &fixture("repeated.lz4"), 1_099_999).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
    decode_run(Codec::Lz4, &fixture("repeated.lz4"), 1_100_000).unwrap();

    let Err(error) = decode_run(Codec::Zstd, &data[..30], 1 << 30) else {
        panic!("a cut run is an error");
    };
    assert!(matches!(error.kind(), ErrorKind::Io(e) if is_damage(e)));
    assert!(decode_run(Codec::Lz4, b"", 10).is_err());
}

#[test]
fn a_run_too_large_for_memory_is_spooled() {
    let len = (RUN_IN_MEMORY + 12_345) as usize;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    io::copy(&mut io::repeat(7).take(len as u64), &mut gzip).unwrap();
    let data = gzip.finish().unwrap();
    let run = decode_run(Codec::Gzip, &data, 1 << 30).unwrap();
    assert!(matches!(run, Run::Spooled(_)));
    assert_eq!(run.len(), len);
    assert!(run.iter().all(|&b| b == 7));
    let error = decode_run(Codec::Gzip, &data, RUN_IN_MEMORY + 1).unwrap_err();
    assert!(error.to_string().contains("--max-spool"));
}
