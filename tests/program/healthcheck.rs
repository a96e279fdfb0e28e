//! The service and its health check in hosts of every kind of network: with both families of addresses, with either alone, and
//! with the kernel's switch that keeps them apart. Each is a network namespace of its own with a loopback device.

#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Starts the service without a broker, asks until the service answers (it is not ready), and says how that went.
const SCENE: &str = r#"
set -eu
prepare=$1 program=$2 listen=$3
shift 3
ip link set lo up
eval "$prepare"
export MESSAGETRACE_ECS_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:9 MESSAGETRACE_ECS_HTTP__LISTEN=$listen
"$program" run >/dev/null 2>&1 &
service=$!
trap 'kill -KILL "$service" 2>/dev/null || true' EXIT
asked=0
until "$program" healthcheck 2>&1 | grep -q 'is not ready'; do
    asked=$((asked + 1))
    kill -0 "$service" && [ "$asked" -lt 300 ]
done
for host in "$@"; do
    "$program" healthcheck --set "http.listen=$host:8080" 2>&1 | grep -q 'is not ready' && echo "$host answers" || echo "$host does not"
done
"#;

fn scene(prepare: &str, listen: &str, hosts: &[&str]) -> Vec<String> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", SCENE, "sh", prepare]);
    command.args([env!("CARGO_BIN_EXE_messagetrace-ecs"), listen]).args(hosts);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{prepare}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn the_default_is_found_by_either_family_of_addresses_wherever_there_is_one() {
    for (prepare, expected) in [
        ("", ["127.0.0.1 answers", "::1 answers"]),
        ("echo 1 > /proc/sys/net/ipv6/bindv6only", ["127.0.0.1 answers", "::1 answers"]),
        ("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6", ["127.0.0.1 answers", "::1 does not"]),
        ("ip address del 127.0.0.1/8 dev lo", ["127.0.0.1 does not", "::1 answers"]),
    ] {
        assert_eq!(scene(prepare, "[::]:8080", &["127.0.0.1", "::1"]), expected, "{prepare}");
    }
}

#[test]
fn an_address_of_one_family_is_that_alone() {
    assert_eq!(scene("", "0.0.0.0:8080", &["127.0.0.1", "::1"]), ["127.0.0.1 answers", "::1 does not"]);
    assert_eq!(scene("", "::1:8080", &["127.0.0.1", "::1"]), ["127.0.0.1 does not", "::1 answers"]);
}
