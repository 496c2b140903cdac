#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redkit_fuzz::run("replay_resp", data));
