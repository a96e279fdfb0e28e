#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| messagetrace_ecs_fuzz::targets::dead_letter_round_trip(bytes));
