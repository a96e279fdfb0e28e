# What the scripts share: see what is missing, install it on Debian and its kin, say it elsewhere.
# shellcheck shell=sh

missing_packages=""

# need PACKAGE TEST...: notes Debian's package when the test fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing_packages="$missing_packages $package"
}

# librdkafka is built from source, which asks for a C++ compiler too. OpenSSL is the system's: from source it takes longer to
# build than everything else. Only where its headers are no package of ours to install it is built as well, with Perl's modules.
need_build_tools() {
    need_cargo
    need gcc cc --version
    need g++ c++ --version
    need make make --version
    if command -v apt-get >/dev/null; then
        need pkg-config pkg-config --version
        need libssl-dev has_openssl
    elif ! has_openssl; then
        need perl perl -MIPC::Cmd -MFindBin -e 1
    fi
}

# The image and the releases, which are built without these scripts, carry an OpenSSL of their own.
has_openssl() {
    pkg-config --atleast-version=3 openssl 2>/dev/null
}

use_system_openssl() {
    if has_openssl; then
        OPENSSL_NO_VENDOR=1
        export OPENSSL_NO_VENDOR
    fi
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

# Instructions are counted by it.
need_valgrind() {
    need valgrind valgrind --version
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
