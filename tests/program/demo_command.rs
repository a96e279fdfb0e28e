//! The demo as a user starts it: the real service on the embedded broker.

use std::process::Command;

#[test]
fn the_demo_accounts_for_every_record_and_says_so() {
    for profile in ["sekoia", "ecs"] {
        let output = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs"))
            .args(["demo", "--records", "5000", "--profile", profile])
            .output()
            .expect("the program starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        for said in ["\"@timestamp\"", "dlq.error.kind: ", "5000 records in ", "every record is accounted for"] {
            assert!(out.contains(said), "{profile} does not say {said}: {out}{err}");
        }
    }
}
