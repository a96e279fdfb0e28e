#!/bin/sh
# github.com/prometheus/common v0.66.1, Go's parser of the text format 0.0.4 (expfmt.TextParser).
#
# Guess: a text parser that meets OpenMetrics text takes what it knows and leaves the rest.
#
# Seen: one family of type `info` anywhere refuses the whole text ("unknown metric type"), the families before and behind it
# included in the loss. Without it the text is taken, and a counter that OpenMetrics declares as `seen` and samples as
# `seen_total` becomes an untyped family seen_total, beside nothing called seen: who asks for counters finds none, and no error.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func parse(text string) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		fmt.Println("error:", strings.Contains(err.Error(), "unknown metric type"))
		return
	}
	for _, family := range families {
		fmt.Println(family.GetName(), family.GetType())
	}
}

func main() {
	seen := "# TYPE seen counter\nseen_total 7\n"
	parse("# TYPE build info\nbuild_info{version=\"1\"} 1\n" + seen + "# EOF\n")
	parse(seen + "# EOF\n")
}
GO
go mod init try >/dev/null 2>&1 || exit 99
go get github.com/prometheus/common@v0.66.1 >/dev/null 2>&1 || exit 99
go mod tidy >/dev/null 2>&1
go build -o try . || exit 99
said=$(./try)
echo "$said"
[ "$said" = "error: true
seen_total UNTYPED" ]
