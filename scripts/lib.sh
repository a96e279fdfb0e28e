# What the scripts share: see what is missing, install it on Debian and its kin, say it elsewhere.
# shellcheck shell=sh

missing_packages=""

# need PACKAGE TEST...: notes Debian's package when the test fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing_packages="$missing_packages $package"
}

# librdkafka and OpenSSL are built from source: the first asks for a C++ compiler too, the second for Perl's modules.
need_build_tools() {
    need_cargo
    need gcc cc --version
    need g++ c++ --version
    need make make --version
    need perl perl -MIPC::Cmd -MFindBin -e 1
}

# The tests start a real Apache Kafka, which Maven brings.
need_kafka() {
    need default-jre-headless java_17
    need maven mvn --version
}

# The pages of dlq serve are tried in a browser.
need_browser() {
    need chromium chromium --version
    need chromium-driver chromedriver --version
}

# The service is tried in networks of every kind.
need_namespaces() {
    need iproute2 ip -V
    need util-linux unshare --version
}

# The completions are tried in the shells that they are for.
need_shells() {
    need bash bash --version
    need fish fish --version
    need zsh zsh --version
}

need_cargo() {
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: get it as https://rustup.rs says, then call this again" >&2
        exit 1
    fi
}

java_17() {
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ]
}

install_missing() {
    [ -n "$missing_packages" ] || return 0
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
        echo "missing (by Debian's names):$missing_packages; install them, then call this again" >&2
        exit 1
    fi
    echo "installing:$missing_packages" >&2
    $as_root apt-get update -q
    # shellcheck disable=SC2086 # the names are words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing_packages
}
