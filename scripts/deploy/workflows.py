"""The GitHub workflows, judged without GitHub: actionlint on their syntax and scripts, and whether each action is pinned."""

import re

import tools

WORKFLOWS = tools.ROOT / ".github" / "workflows"

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"

# A commit, and which version it was for whoever reads it; or a workflow of our own.
PINNED = re.compile(r"uses: (\./\S+|[\w./-]+@[0-9a-f]{40} # v\d\S*)$")


def actionlint():
    def install(folder):
        tools.run(["go", "install", ACTIONLINT], env=tools.os.environ | {"GOBIN": str(folder)})

    return tools.once("actionlint", ACTIONLINT, install) / "actionlint"


def check():
    findings = []
    files = sorted(WORKFLOWS.glob("*.yml"))
    try:
        tools.run([actionlint(), "-no-color", *files])
    except tools.Missing as said:
        findings.append(str(said))
    for file in files:
        text = file.read_text()
        for line in text.splitlines():
            if "uses:" in line and not PINNED.search(line.strip().removeprefix("- ")):
                findings.append(f"{file.name}: not pinned by a commit: {line.strip()}")
        if not re.search(r"^permissions:\n  contents: read\n", text, re.MULTILINE):
            findings.append(f"{file.name}: more than reading is allowed to every job")
    return findings
