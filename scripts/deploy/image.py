"""The image, built from docker/Dockerfile by buildah and run as a cluster would, without an engine and without a registry.

The bases are made here out of Debian's packages and this machine's Rust, and given as build arguments: for the build what rust:…
has, for running what distroless has, the C library and certificates alone. Then the root of the image is made read-only and the
program started in it as uid 65532, without any privilege: the demo, and real work against a real Kafka. At last the compose
file's broker with a login, the image's size and its bill of materials. Needs root, Linux and about fifteen minutes.
"""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import live
import rehearsal
import tools

NAME = "localhost/messagetrace-ecs:check"
RUNTIME_BASE = "localhost/messagetrace-ecs-runtime-base"
DEBIAN = "bookworm"
BUILD_PACKAGES = "ca-certificates,g++,gcc,libc6-dev,make,perl"
BUILD_BASE = f"localhost/messagetrace-ecs-build-base:{DEBIAN}-{BUILD_PACKAGES.replace(',', '-').replace('+', 'x')}"
RUNTIME_PACKAGES = ("libc6", "libgcc-s1")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROGRAM = "/usr/bin/messagetrace-ecs"
USER = 65532
RECORDS = 100_000

# A root that nobody may write to, with the devices that every container has, and the program in it without any privilege.
CONTAINED = """
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"
mount -t tmpfs -o size=64k tmpfs "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 && mknod -m 444 "$0/dev/urandom" c 1 9
mount -t proc proc "$0/proc"
exec setpriv --no-new-privs chroot --userspec=%d:%d "$0" "$@"
""" % (USER, USER)


def buildah(*arguments, quiet=True):
    command = ["buildah", *map(str, arguments)]
    if quiet:
        return tools.run(command).strip()
    subprocess.run(command, check=True, cwd=tools.ROOT)
    return ""


def debian():
    """A small Debian with a compiler."""

    def install(folder):
        sites = tools.run(["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {DEBIAN}", "Created-By: Packages"])
        mirror = sites.split("\n")[0]
        tools.run(["debootstrap", "--variant=minbase", f"--include={BUILD_PACKAGES}", DEBIAN, folder / "root", mirror])

    return tools.once("debian", BUILD_PACKAGES, install) / "root"


def build_base(root):
    if buildah("images", "--quiet", "--filter", f"reference={BUILD_BASE}"):
        # Made anew it would be another one to buildah, which would build the dependencies again.
        return
    container = buildah("from", "scratch")
    buildah("copy", "--quiet", container, root, "/")
    # Rust itself is lent by this machine while the image is built, so it has to look for it there.
    environment = {"PATH": "/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin", "CARGO_HOME": "/opt/cargo", "SSL_CERT_FILE": CERTIFICATES}
    buildah("config", *(f"--env={name}={value}" for name, value in environment.items()), container)
    buildah("commit", "--quiet", "--rm", container, BUILD_BASE)


def runtime_base(root):
    """Like Debian's distroless images: no shell, no package manager, but the packages' records for whoever makes an inventory."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("usr/lib", "usr/lib64", "etc/ssl/certs", "var/lib/dpkg/status.d", "proc", "dev", "tmp"):
            (base / name).mkdir(parents=True)
        for name in ("lib", "lib64"):
            (base / name).symlink_to(f"usr/{name}")
        (base / "tmp").chmod(0o1777)
        records = (root / "var/lib/dpkg/status").read_text().split("\n\n")
        for package in RUNTIME_PACKAGES:
            (record,) = [one for one in records if one.startswith(f"Package: {package}\n")]
            (base / "var/lib/dpkg/status.d" / package).write_text(record + "\n")
            (listing,) = (root / "var/lib/dpkg/info").glob(f"{package}:*.list")
            for line in listing.read_text().splitlines():
                source = root / line.lstrip("/")
                if line.startswith(("/lib", "/usr/lib")) and not source.is_dir():
                    target = base / line.lstrip("/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target, follow_symlinks=False)
        # Whoever makes an inventory asks it whose packages these are.
        for file in (CERTIFICATES, Path("/etc/os-release")):
            shutil.copy(root / file.relative_to("/"), base / file.relative_to("/"))
        (base / "etc/passwd").write_text(f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n")
        (base / "etc/group").write_text(f"root:x:0:\nnonroot:x:{USER}:\n")
        container = buildah("from", "scratch")
        buildah("copy", "--quiet", container, base, "/")
        buildah("commit", "--quiet", "--rm", container, RUNTIME_BASE)


def build():
    rust = tools.run(["rustc", "--print", "sysroot"]).strip()
    options = ["--isolation", "chroot", "--network", "host", "--format", "docker", "--layers", "--tag", NAME]
    # What lies between this machine and the package registry is this machine's business.
    options += [f"--volume={rust}:/opt/rust:ro", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"]
    options += [f"--build-arg=BUILD_BASE={BUILD_BASE}", f"--build-arg=RUNTIME_BASE={RUNTIME_BASE}", "--pull-never"]
    docker = tools.ROOT / "docker"
    options += ["--ignorefile", docker / "Dockerfile.dockerignore", "--file", docker / "Dockerfile", tools.ROOT]
    buildah("build", *options, quiet=False)


def judge_settings(findings):
    settings = json.loads(buildah("inspect", "--type", "image", NAME))["Docker"]["config"]
    expected = {
        "User": f"{USER}:{USER}",
        "Entrypoint": [PROGRAM],
        "Cmd": ["run"],
        "ExposedPorts": {"8080/tcp": {}},
    }
    findings += [f"the image's {key} is {settings.get(key)}" for key, value in expected.items() if settings.get(key) != value]
    if settings.get("Healthcheck", {}).get("Test") != ["CMD", PROGRAM, "healthcheck"]:
        findings.append(f"the image's health check is {settings.get('Healthcheck')}")
    for label in ("title", "description", "licenses", "version", "revision"):
        if not settings["Labels"].get(f"org.opencontainers.image.{label}"):
            findings.append(f"the image has no label {label}")


def judge_files(root, findings):
    """What a distroless image must not have."""
    for file in root.rglob("*"):
        name = file.relative_to(root)
        if file.is_symlink() or not file.is_file():
            continue
        mode = file.stat().st_mode
        if mode & 0o6000:
            findings.append(f"{name} changes its user")
        if mode & 0o002 or file.stat().st_uid == USER:
            findings.append(f"{name} may be written by the program's user")
        if file.name in ("sh", "bash", "dash", "busybox", "apt", "dpkg", "perl", "python3"):
            findings.append(f"{name} has no business in the image")
    programs = [name for folder in ("bin", "sbin", "usr/bin", "usr/sbin") for name in (root / folder).glob("*")]
    print(f"programs in the image: {', '.join(str(name.relative_to(root)) for name in programs)}")


def contained(root):
    """The words before the program's arguments that start it in the image's root."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "sh", "-euc", CONTAINED, root, PROGRAM]


def work(program, findings):
    """Real work on a real Kafka, by the program in the image alone."""
    with tempfile.TemporaryDirectory() as folder:
        scene = live.Scene(Path(folder), program)
        try:
            scene.broker(topics=())
            call = lambda *words: tools.run([*scene.program, *words], env=scene.environment)  # noqa: E731
            print(call("topics", "--create").splitlines()[-1])
            listen = ["--set", f"http.listen=127.0.0.1:{scene.http}"]
            service = scene.serve("service", scene.http)
            print(call("healthcheck", *listen).strip())
            print(call("demo", "feed", "--records", RECORDS))
            live.until("all is sealed", 120, lambda: live.sealed(scene))
            print(call("audit", "--content").splitlines()[-1])
            judge_process(service, findings)
            children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
            os.kill(int(children[0]), 15)
            if service.wait(60) != 0:
                findings.append("the service in the image did not end well")
        finally:
            scene.end()


def judge_process(service, findings):
    """Who it is and what it may, as the kernel sees it."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{children[0]}/status").read_text().splitlines() if ":\t" in line)
    told = {name: " ".join(fields[name].split()) for name in ("Uid", "Gid", "CapEff", "NoNewPrivs", "VmHWM")}
    print("the running service:", ", ".join(f"{name} {value}" for name, value in told.items()))
    if set(told["Uid"].split()) != {str(USER)} or int(told["CapEff"], 16) or told["NoNewPrivs"] != "1":
        findings.append(f"the service runs as {told}")


def size(root):
    layers = json.loads(buildah("inspect", "--type", "image", NAME))["OCIv1"]["rootfs"]["diff_ids"]
    total = sum(file.lstat().st_size for file in root.rglob("*") if not file.is_dir())
    program = (root / PROGRAM.lstrip("/")).stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        buildah("push", "--quiet", NAME, f"oci-archive:{archive}")
        packed = archive.stat().st_size
    print(f"size: {total / 1e6:.1f} MB in {len(layers)} layers, of that the program {program / 1e6:.1f} MB; packed {packed / 1e6:.1f} MB")


def inventory(root, findings):
    """The bill of materials: the image's packages, and the crates out of the lock file that the program was built from."""
    syft = tools.environment("syft") / "syft"
    file = tools.ROOT / "target" / "messagetrace-ecs.cdx.json"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "image"
        shutil.copytree(root, source, symlinks=True, ignore=shutil.ignore_patterns("dev", "proc"))
        shutil.copy(tools.ROOT / "Cargo.lock", source)
        options = ["--quiet", "--source-name", "messagetrace-ecs", "--output", f"cyclonedx-json={file}"]
        tools.run([syft, "scan", f"dir:{source}", *options], env=os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"})
    components = json.loads(file.read_text())["components"]
    kinds = {}
    for one in components:
        kind = one.get("purl", "").split("/")[0].removeprefix("pkg:") or one["type"]
        kinds.setdefault(kind, []).append(one["name"])
    print(f"bill of materials: {file.relative_to(tools.ROOT)},", ", ".join(f"{len(names)} {kind}" for kind, names in sorted(kinds.items())))
    for kind, names in (("cargo", ("rdkafka-sys", "openssl-src", "messagetrace-ecs")), ("deb", RUNTIME_PACKAGES)):
        findings += [f"the bill of materials lacks {name}" for name in names if name not in kinds.get(kind, [])]


def check():
    if os.geteuid() != 0:
        raise SystemExit("the image is built from a root of its own: call this as root")
    findings = []
    root = debian()
    build_base(root)
    runtime_base(root)
    build()
    judge_settings(findings)
    container = buildah("from", "--pull-never", NAME)
    try:
        root = Path(buildah("mount", container))
        judge_files(root, findings)
        print(tools.run([*contained(root), "--version"]).strip())
        print(tools.run([*contained(root), "demo", "--records", RECORDS]).splitlines()[-2])
        work(contained(root), findings)
        findings += rehearsal.check([root / PROGRAM.lstrip("/")])
        size(root)
        inventory(root, findings)
    finally:
        buildah("rm", container)
    return findings
