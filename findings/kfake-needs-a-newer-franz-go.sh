#!/bin/sh
# github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c, from the Go module proxy.
#
# Guess: `go get` of kfake brings a franz-go that it builds with.
#
# Seen: its go.mod asks for franz-go v1.21.7, which lacks what kfake calls (kversion's EachSupportedFeature), so a module that
# asks for kfake alone does not build. With franz-go v1.22.3 asked for beside it, it does.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
cat >main.go <<'GO'
package main

import "github.com/twmb/franz-go/pkg/kfake"

func main() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		panic(err)
	}
	cluster.Close()
}
GO
go mod init try >/dev/null 2>&1 || exit 99
go get github.com/twmb/franz-go/pkg/kfake@v0.0.0-20260918054303-01f206a7e32c >/dev/null 2>&1 || exit 99
alone=$(go build -o try . 2>&1)
echo "alone: $(echo "$alone" | grep -m 1 undefined)"
go get github.com/twmb/franz-go@v1.22.3 >/dev/null 2>&1 || exit 99
go build -o try . && ./try || exit 1
echo "with franz-go v1.22.3: builds and runs"
case $alone in *EachSupportedFeature*undefined* | *undefined*EachSupportedFeature*) exit 0 ;; esac
exit 1
