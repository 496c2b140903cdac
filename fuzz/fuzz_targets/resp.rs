#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redkit_fuzz::run("resp", data));
