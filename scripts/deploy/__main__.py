"""The checks by name; see scripts/check-deploy."""

import argparse
import sys
import time

sys.path.insert(0, __file__.rpartition("/")[0])

import chart  # noqa: E402
import exposition  # noqa: E402
import index_template  # noqa: E402
import readme  # noqa: E402
import rules  # noqa: E402


def quick(regenerate):
    return chart.check(regenerate) + rules.check(regenerate) + index_template.check(regenerate) + readme.check(regenerate) + exposition.check()


def full():
    import containers
    import manifests
    import workflows

    return manifests.check() + containers.check() + workflows.check()


def main():
    parser = argparse.ArgumentParser(prog="scripts/check-deploy", description="Checks the chart, its alerts and its dashboard.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the part that every change has to pass")
    which.add_argument("--live", action="store_true", help="evaluate every query on a Prometheus that scraped a working service")
    which.add_argument("--image", action="store_true", help="build the image, run it as a cluster would, and say what is in it")
    which.add_argument("--index", action="store_true", help="index events in a real OpenSearch and search for each field")
    which.add_argument("--connect", action="store_true", help="run the documented Kafka Connect with a file in place of the index")
    which.add_argument("--regenerate", action="store_true", help="write golden renders, values schema and dashboard anew")
    options = parser.parse_args()
    started = time.monotonic()
    if options.live:
        import live

        findings = live.check()
    elif options.index:
        import index

        findings = index.check()
    elif options.connect:
        import connect

        findings = connect.check()
    elif options.image:
        import image

        findings = image.check()
    else:
        findings = quick(options.regenerate)
        if not (options.quick or options.regenerate):
            findings += full()
    for finding in findings:
        print(f"WRONG: {finding}", file=sys.stderr)
    print(f"{len(findings)} findings, {time.monotonic() - started:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
