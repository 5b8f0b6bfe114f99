#!/usr/bin/env python3
"""Build the self-built images of this folder, only those whose inputs changed.

images.json names them. A folder holds a Dockerfile (its first FROM is the image it is built on) or, for a root image, the
arguments of mmdebstrap, one a line. What comes from outside Debian is locked in the folder and fetched on this machine, because a
build container may reach nothing but Debian: `requirements.txt` (pip, with hashes), `npm.lock` (package → version, integrity) and
`maven.lock` (group:artifact → version, sha256).
Needs Python 3.11 and the standard library only.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

IMAGES = Path(__file__).resolve().parent
CACHE = IMAGES.parent / ".cache" / "images"
LABEL = "pacs-emr.inputs"
# Python of Debian 13, for which wheels are downloaded.
IMAGE_PYTHON = "3.13"
# Prefix of temporary folders below CACHE.
SCRATCH = "scratch-"
BOOTSTRAP = "mmdebstrap.args"
PIP_LOCK = "requirements.txt"
NPM_LOCK = "npm.lock"
MAVEN_LOCK = "maven.lock"
# What goes in front of commands that need root, Docker's among them: nothing as root, or sudo with options (the Makefile decides).
SUDO = os.environ.get("SUDO", "").split()
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class BuildError(Exception):
    """Something that the operator can mend; the text says how."""


# --- what is to be built: names, order, digests (no Docker Engine needed) ------------------------------------------------------


def read_table() -> dict[str, str]:
    """Return image name → repository:tag."""
    table: dict[str, str] = json.loads((IMAGES / "images.json").read_text(encoding="utf-8"))
    return table


def parent_of(name: str, table: dict[str, str]) -> str | None:
    """Return the name of the image that `name` is built on, None for a root image.

    Raises BuildError when there is no recipe, or when the first FROM names no image of the table: another could only be pulled.
    """
    if (IMAGES / name / BOOTSTRAP).is_file():
        return None
    dockerfile = IMAGES / name / "Dockerfile"
    if not dockerfile.is_file():
        raise BuildError(f"{name}: images.json lists it, but {IMAGES / name} holds neither Dockerfile nor {BOOTSTRAP}")
    match = re.search(r"^FROM\s+(\S+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    for candidate, tag in table.items():
        if match and match[1] == tag:
            return candidate
    raise BuildError(f"{name}: the first FROM of {dockerfile} must name an image of images.json")


def in_build_order(names: list[str], table: dict[str, str]) -> list[str]:
    """Return `names` and all that they are built on, each after its parent. Raises BuildError on unknown names and circles."""
    order: list[str] = []

    def add(name: str, path: tuple[str, ...]) -> None:
        if name not in table:
            raise BuildError(f"unknown image {name}; known: {', '.join(table)}")
        if name in path:
            raise BuildError(f"images are built on each other in a circle: {' → '.join((*path, name))}")
        if name in order:
            return
        parent = parent_of(name, table)
        if parent:
            add(parent, (*path, name))
        order.append(name)

    for name in names:
        add(name, ())
    return order


def folder_files(folder: Path) -> list[Path]:
    """Return the files of an image folder that count as input, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not {"__pycache__", ".mypy_cache"} & set(path.parts))


def is_executable(path: Path) -> bool:
    """Return the one mode bit that git keeps; the others depend on the umask of the checkout."""
    return bool(path.stat().st_mode & 0o100)


def inputs_digest(name: str, table: dict[str, str]) -> str:
    """Return the hex SHA-256 over the image's folder (paths, executable bits, contents) and its parent's inputs."""
    digest = hashlib.sha256()
    parent = parent_of(name, table)
    digest.update((inputs_digest(parent, table) if parent else "root").encode())
    for path in folder_files(IMAGES / name):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        line = f"\0{path.relative_to(IMAGES / name).as_posix()}\0{is_executable(path):d}\0{content}"
        digest.update(line.encode())
    return digest.hexdigest()


# --- this machine ---------------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(text, flush=True)


def need(tool: str, package: str) -> None:
    """Make sure that `tool` (a command, or a file with its path) is here: on Debian or Ubuntu root, or sudo, installs its package.

    Raises BuildError with the package's name otherwise.
    """

    def present() -> bool:
        return Path(tool).exists() if "/" in tool else shutil.which(tool) is not None

    if present():
        return
    if not (SUDO or os.geteuid() == 0) or not shutil.which("apt-get"):
        raise BuildError(f"{tool} is missing: install it (Debian, Ubuntu: apt-get install {package})")
    say(f"{tool} is missing: installing {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package]):
        done = subprocess.run([*SUDO, *command], env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise BuildError(f"{' '.join(command)} failed:\n{done.stdout}")
    if not present():
        raise BuildError(f"{tool} is missing even though {package} is installed")


def image_label(tag: str) -> str | None:
    """Return the inputs digest that the image carries, "" without one, None when there is no such image."""
    template = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    command = [*SUDO, "docker", "image", "inspect", "--format", template, tag]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError("docker is missing: `make demo` installs Docker Engine, so does the role docker") from error
    if done.returncode == 0:
        return done.stdout.strip()
    if "no such image" in done.stderr.lower():
        return None
    raise BuildError(f"Docker Engine does not answer ({done.stderr.strip()}): start it, or install it with the role docker")


def state_of(tag: str, wanted: str) -> str:
    """Return current, stale or missing."""
    label = image_label(tag)
    if label is None:
        return "missing"
    return "current" if label == wanted else "stale"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of this checkout, and clear away what a killed run left; a second run waits for the first."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of this checkout to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in CACHE.glob(f"{SCRATCH}*"):
            shutil.rmtree(left)
        yield


class Log:
    """The output of one image's build: kept in a file, shown while it runs when `verbose`, and when it fails in any case."""

    def __init__(self, path: Path, verbose: bool) -> None:
        self.path = path
        self.verbose = verbose
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def run(self, command: list[str], what: str, env: dict[str, str] | None = None) -> None:
        """Run `command`. Raises BuildError with the end of its output and the log's path when it fails."""
        out, err = subprocess.PIPE, subprocess.STDOUT
        with (
            self.path.open("a", encoding="utf-8") as log,
            subprocess.Popen(command, env=env, stdout=out, stderr=err, text=True, errors="replace") as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                if self.verbose:
                    print(line, end="", flush=True)
        if process.returncode:
            raise BuildError(f"{what} failed with exit code {process.returncode}:\n{self.tail()}\nwhole output: {self.path}")

    def tail(self, lines: int = 30) -> str:
        """Return the last lines, indented."""
        return "\n".join(f"  | {line}" for line in self.path.read_text(encoding="utf-8").splitlines()[-lines:])


# --- fetching -------------------------------------------------------------------------------------------------------------------


def integrity_of(path: Path) -> str:
    """Return a file's sha512 in the form of npm's lock files."""
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fetch_wheels(lock: Path, into: Path, log: Log) -> None:
    """Download the locked wheels for the image's Python; pip checks the hashes."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        need("pip3", "python3-pip")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--python-version", IMAGE_PYTHON, "--dest", str(into), "--requirement", str(lock)]
    log.run(command, f"fetching what {lock} locks")


def fetch_npm(lock: Path, into: Path, log: Log) -> None:
    """Download the locked npm packages and check their integrity. Raises BuildError when one differs."""
    need("npm", "npm")
    for package, pin in json.loads(lock.read_text(encoding="utf-8")).items():
        spec = f"{package}@{pin['version']}"
        log.run(["npm", "pack", "--silent", "--pack-destination", str(into), spec], f"fetching {spec}")
        archive = into / f"{package.lstrip('@').replace('/', '-')}-{pin['version']}.tgz"
        if (found := integrity_of(archive)) != pin["integrity"]:
            raise BuildError(f"{spec} has integrity {found}, {lock} wants {pin['integrity']}: do not use it")


# What Maven is asked: these jars, without what they depend on.
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>lab</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
<build><plugins><plugin><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version>
<configuration><outputDirectory>{into}</outputDirectory><artifactItems>{items}</artifactItems></configuration>
</plugin></plugins></build></project>
"""
POM_ITEM = "<artifactItem><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></artifactItem>"


def maven_settings() -> str:
    """Return Maven's settings with the proxies of the environment, which it does not read itself."""
    proxies = urllib.request.getproxies_environment()
    spared = [name.strip() for name in proxies.get("no", "").split(",") if name.strip()]
    # A name stands for those below it too.
    direct = "|".join(f"*{name}" if name.startswith(".") else name if name == "*" else f"{name}|*.{name}" for name in spared)
    items = ""
    for scheme in ("http", "https"):
        if scheme in proxies:
            address = proxies[scheme]
            where = urlsplit(address if "://" in address else f"http://{address}")
            fields = {"protocol": scheme, "host": where.hostname, "port": where.port or 80, "nonProxyHosts": direct}
            fields |= {"username": unquote(where.username or ""), "password": unquote(where.password or "")}
            items += f"<proxy><id>{scheme}</id>{''.join(f'<{key}>{escape(str(value))}</{key}>' for key, value in fields.items())}</proxy>"
    return f"<settings><proxies>{items}</proxies></settings>"


def fetch_maven(lock: Path, into: Path, log: Log) -> None:
    """Download the locked jars and check their SHA-256. Raises BuildError when one differs."""
    need("mvn", "maven")
    pins = json.loads(lock.read_text(encoding="utf-8"))
    items = "".join(POM_ITEM.format(*name.split(":"), pin["version"]) for name, pin in pins.items())
    pom = into / "pom.xml"
    pom.write_text(POM.format(into=into, items=items), encoding="utf-8")
    # The user's own settings go first.
    settings = into / "settings.xml"
    settings.touch(0o600)
    settings.write_text(maven_settings(), encoding="utf-8")
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(pom), "dependency:copy", "--global-settings", str(settings)]
    log.run(command, f"fetching what {lock} locks")
    settings.unlink()
    pom.unlink()
    for name, pin in pins.items():
        jar = into / f"{name.split(':')[1]}-{pin['version']}.jar"
        if (found := hashlib.sha256(jar.read_bytes()).hexdigest()) != pin["sha256"]:
            raise BuildError(f"{name}:{pin['version']} has SHA-256 {found}, {lock} wants {pin['sha256']}: do not use it")


def fetched(name: str, log: Log) -> list[Path]:
    """Return the folders (`wheels`, `npm`, `jars`) to be copied into the build context, downloaded once per state of their lock."""
    folders = []
    for lock_name, folder, fetch in ((PIP_LOCK, "wheels", fetch_wheels), (NPM_LOCK, "npm", fetch_npm), (MAVEN_LOCK, "jars", fetch_maven)):
        lock = IMAGES / name / lock_name
        if not lock.is_file():
            continue
        kept = CACHE / name / hashlib.sha256(lock.read_bytes()).hexdigest()[:16] / folder
        if not kept.is_dir():
            say(f"fetching what images/{name}/{lock_name} locks")
            unfinished = kept.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            fetch(lock, unfinished, log)
            unfinished.rename(kept)
        folders.append(kept)
    return folders


# --- building -------------------------------------------------------------------------------------------------------------------


def bootstrap(name: str, tag: str, digest: str, log: Log) -> None:
    """Make a root image by mmdebstrap. The tag is given last, so a failure leaves none."""
    need("mmdebstrap", "mmdebstrap")
    need("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring")
    arguments = (IMAGES / name / BOOTSTRAP).read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=SCRATCH) as scratch:
        archive = f"{scratch}/{name}.tar"
        log.run([*SUDO, "mmdebstrap", *arguments, archive], "mmdebstrap")
        changes = [f'LABEL {LABEL}="{digest}"', 'CMD ["bash"]']
        log.run([*SUDO, "docker", "import", *(f"--change={change}" for change in changes), archive, tag], "docker import")


def copy_context(folder: Path, into: Path) -> None:
    """Copy an image folder with modes that do not depend on the checkout's umask."""
    for path in folder_files(folder):
        target = into / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if is_executable(path) else 0o644)
    for directory in (into, *(path for path in into.rglob("*") if path.is_dir())):
        directory.chmod(0o755)


def docker_build(name: str, tag: str, digest: str, log: Log, *, refresh: bool) -> None:
    """Build from a Dockerfile. Docker Engine gives the tag only to a finished build."""
    downloads = fetched(name, log)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=SCRATCH) as scratch:
        context = Path(scratch)
        copy_context(IMAGES / name, context)
        for folder in downloads:
            shutil.copytree(folder, context / folder.name)
        command = [*SUDO, "docker", "build", "--force-rm", "--label", f"{LABEL}={digest}", "--tag", tag]
        command += [f"--build-arg={variable}" for variable in PROXY_VARIABLES if variable in os.environ]
        command += ["--no-cache"] if refresh else []
        # The classic builder: Debian's docker.io comes without buildx.
        log.run([*command, scratch], "docker build", env={**os.environ, "DOCKER_BUILDKIT": "0"})


def build(name: str, table: dict[str, str], *, verbose: bool, refresh: bool) -> None:
    """Bring one image up to date; its parent is current already. Raises BuildError."""
    tag, digest = table[name], inputs_digest(name, table)
    state = state_of(tag, digest)
    if state == "current" and not refresh:
        say(f"{name} is current ({tag})")
        return
    reason = {"current": "refreshed on demand", "stale": "inputs changed", "missing": "not there yet"}[state]
    say(f"building {name} as {tag} ({reason})")
    began = time.monotonic()
    log = Log(CACHE / f"{name}.log", verbose)
    if parent_of(name, table):
        docker_build(name, tag, digest, log, refresh=refresh)
    else:
        bootstrap(name, tag, digest, log)
    say(f"built {name} in {time.monotonic() - began:.0f} s")


def show(table: dict[str, str]) -> None:
    """Print name, tag and state of every image."""
    for name, tag in table.items():
        print(f"{name:<10}{tag:<32}{state_of(tag, inputs_digest(name, table))}")


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 with the reason on stderr, or 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="images/build.py", description="Build the self-built images whose inputs changed.")
    parser.add_argument("names", nargs="*", metavar="name", help="only these and what they are built on (default: all)")
    parser.add_argument("--list", action="store_true", help="print name, tag and state (current, stale, missing), build nothing")
    parser.add_argument("--refresh", action="store_true", help="build also what is current, without cache: takes Debian's updates")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the output of the builds while they run")
    options = parser.parse_args(arguments)
    try:
        table = read_table()
        order = in_build_order(options.names or list(table), table)
        if options.list:
            show({name: table[name] for name in table if name in order})
            return 0
        with one_at_a_time():
            for name in order:
                build(name, table, verbose=options.verbose, refresh=options.refresh)
    except BuildError as error:
        print(f"images/build.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("images/build.py: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
