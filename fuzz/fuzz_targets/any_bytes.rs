#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| messagetrace_ecs_fuzz::targets::any_bytes(bytes));
