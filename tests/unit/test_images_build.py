"""images/build.py: what is built, in which order, and when it is left alone. No Docker Engine: a stub answers in its place."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import stat
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "images"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """Return images/build.py as a module."""
    spec = importlib.util.spec_from_file_location("images_build", IMAGES / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let build.py work on a folder of three images: root ← middle ← top."""
    monkeypatch.setattr(build, "IMAGES", tmp_path)
    (tmp_path / "images.json").write_text(
        json.dumps({"top": "lab/top:1", "middle": "lab/middle:2", "root": "lab/root:3"}), encoding="utf-8"
    )
    for name in ("top", "middle", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "mmdebstrap.args").write_text("trixie\n", encoding="utf-8")
    (tmp_path / "middle" / "Dockerfile").write_text("FROM lab/root:3\nCOPY run.sh /\n", encoding="utf-8")
    (tmp_path / "middle" / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "top" / "Dockerfile").write_text("FROM lab/middle:2 AS first\nFROM lab/middle:2\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of PATH for stubs."""
    path = tmp_path_factory.mktemp("tools")
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{os.environ['PATH']}")
    return path


def stub(folder: Path, name: str, script: str) -> None:
    """Put an executable there."""
    (folder / name).write_text(f"#!/bin/bash\n{script}", encoding="utf-8")
    (folder / name).chmod(0o755)


def digests(build: ModuleType) -> dict[str, str]:
    """Return the inputs digest of every image."""
    table = build.read_table()
    return {name: build.inputs_digest(name, table) for name in table}


def changed(build: ModuleType, before: dict[str, str]) -> set[str]:
    """Return the names whose digest differs."""
    return {name for name, digest in digests(build).items() if digest != before[name]}


# --- order ----------------------------------------------------------------------------------------------------------------------


def test_images_come_after_what_they_are_built_on(build: ModuleType, folder: Path) -> None:
    table = build.read_table()
    assert build.in_build_order(list(table), table) == ["root", "middle", "top"]
    assert build.in_build_order(["middle"], table) == ["root", "middle"]


def test_unknown_name_is_refused_with_the_known_ones(build: ModuleType, folder: Path) -> None:
    table = build.read_table()
    with pytest.raises(build.BuildError, match="unknown image tpo; known: top, middle, root"):
        build.in_build_order(["tpo"], table)


def test_image_outside_the_table_cannot_be_a_parent(build: ModuleType, folder: Path) -> None:
    (folder / "top" / "Dockerfile").write_text("FROM debian:13\n", encoding="utf-8")
    with pytest.raises(build.BuildError, match=r"top: the first FROM .* must name an image of images\.json"):
        build.in_build_order(["top"], build.read_table())


def test_circle_is_named(build: ModuleType, folder: Path) -> None:
    (folder / "middle" / "Dockerfile").write_text("FROM lab/top:1\n", encoding="utf-8")
    with pytest.raises(build.BuildError, match="top → middle → top"):
        build.in_build_order(["top"], build.read_table())


def test_image_without_recipe_is_named(build: ModuleType, folder: Path) -> None:
    (folder / "top" / "Dockerfile").unlink()
    with pytest.raises(build.BuildError, match=r"top: .* neither Dockerfile nor mmdebstrap\.args"):
        build.in_build_order(["top"], build.read_table())


# --- digests --------------------------------------------------------------------------------------------------------------------


def test_change_reaches_the_image_and_all_built_on_it(build: ModuleType, folder: Path) -> None:
    before = digests(build)
    (folder / "middle" / "run.sh").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert changed(build, before) == {"middle", "top"}


@pytest.mark.parametrize("change", ["content", "executable", "name", "new file", "removed file", "lock"])
def test_every_kind_of_input_counts(build: ModuleType, folder: Path, change: str) -> None:
    before = digests(build)
    script = folder / "middle" / "run.sh"
    match change:
        case "content":
            script.write_text("#!/bin/bash\n", encoding="utf-8")
        case "executable":
            script.chmod(0o755)
        case "name":
            script.rename(script.with_name("start.sh"))
        case "new file":
            (folder / "middle" / "more").touch()
        case "removed file":
            script.unlink()
        case "lock":
            (folder / "middle" / "npm.lock").write_text("{}", encoding="utf-8")
    assert "middle" in changed(build, before)


def test_a_link_counts_and_is_copied_as_what_it_points_to(build: ModuleType, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("one", encoding="utf-8")
    (folder / "middle" / "link").symlink_to(elsewhere)
    before = digests(build)
    elsewhere.write_text("two", encoding="utf-8")
    assert changed(build, before) == {"middle", "top"}
    build.copy_context(folder / "middle", tmp_path / "context")
    assert not (tmp_path / "context" / "link").is_symlink()
    assert (tmp_path / "context" / "link").read_text(encoding="utf-8") == "two"


def test_no_link_leads_nowhere() -> None:
    """It would be left out without a word."""
    assert [path for path in IMAGES.rglob("*") if path.is_symlink() and not path.exists()] == []


def test_what_a_checkout_decides_does_not_count(build: ModuleType, folder: Path) -> None:
    before = digests(build)
    script = folder / "middle" / "run.sh"
    script.chmod(0o600)
    os.utime(script, (0, 0))
    (folder / "middle" / "__pycache__").mkdir()
    (folder / "middle" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert changed(build, before) == set()


def test_moved_bytes_between_files_count(build: ModuleType, folder: Path) -> None:
    """Two files whose contents joined are the same must not be taken for each other."""
    (folder / "middle" / "a").write_text("12", encoding="utf-8")
    (folder / "middle" / "b").write_text("3", encoding="utf-8")
    before = digests(build)
    (folder / "middle" / "a").write_text("1", encoding="utf-8")
    (folder / "middle" / "b").write_text("23", encoding="utf-8")
    assert "middle" in changed(build, before)


# --- building -------------------------------------------------------------------------------------------------------------------

# Answers `image inspect` from files named like the image, and records every other call; a build "succeeds" by writing that file.
DOCKER = """
state={state}
if [ "$1 $2" = "image inspect" ]; then
  file=$state/${{@: -1}}; file=${{file//:/_}}
  [ -e "$file" ] || {{ echo "Error response from daemon: No such image" >&2; exit 1; }}
  cat "$file"; exit
fi
echo "$*" >>$state/calls
{build}
"""
BUILD = """
while [ $# -gt 0 ]; do
  case $1 in --label) label=${2#*=}; shift ;; --tag) tag=$2; shift ;; --change=LABEL*) label=$(cut -d'"' -f2 <<<"$1") ;; esac
  last=$1; shift
done
file=$state/${tag:-$last}; file=${file//:/_}
mkdir -p "$(dirname "$file")"; echo "$label" >"$file"
"""


@pytest.fixture
def lab(build: ModuleType, folder: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let stubs stand in for the tools; return the folder of the stub's state."""
    state = tmp_path_factory.mktemp("state")
    monkeypatch.setattr(build, "CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(build, "SUDO", [])
    # The keyring is looked for by path; the tools by name.
    monkeypatch.setattr(build, "need", lambda tool, package: None)
    stub(tools, "docker", DOCKER.format(state=state, build=BUILD))
    stub(tools, "mmdebstrap", "")
    return state


def calls(state: Path) -> list[str]:
    """Return the recorded calls of docker, as their first word each, and forget them."""
    record = state / "calls"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    record.unlink(missing_ok=True)
    return [line.split()[0] for line in lines]


def test_only_what_changed_is_built(build: ModuleType, lab: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main([]) == 0
    assert calls(lab) == ["import", "build", "build"]
    capsys.readouterr()

    assert build.main([]) == 0
    assert calls(lab) == []
    assert capsys.readouterr().out.splitlines() == [
        "root is current (lab/root:3)",
        "middle is current (lab/middle:2)",
        "top is current (lab/top:1)",
    ]

    (folder / "top" / "new").touch()
    assert build.main([]) == 0
    assert calls(lab) == ["build"]
    assert "building top as lab/top:1 (inputs changed)" in capsys.readouterr().out


def test_refresh_builds_what_is_current(build: ModuleType, lab: Path) -> None:
    assert build.main(["middle"]) == 0
    calls(lab)
    assert build.main(["--refresh", "middle"]) == 0
    assert calls(lab) == ["import", "build"]


def test_list_builds_nothing(build: ModuleType, lab: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.main(["middle"])
    (folder / "middle" / "new").touch()
    calls(lab)
    capsys.readouterr()
    assert build.main(["--list"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["top", "lab/top:1", "missing"],
        ["middle", "lab/middle:2", "stale"],
        ["root", "lab/root:3", "current"],
    ]
    assert calls(lab) == []


def test_failure_shows_the_output_and_stops(build: ModuleType, lab: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["root"]) == 0
    calls(lab)
    stub(tools, "docker", DOCKER.format(state=lab, build="echo 'E: no space'; exit 3"))
    assert build.main([]) == 1
    error = capsys.readouterr().err
    assert "docker build failed with exit code 3" in error
    assert "| E: no space" in error
    assert "middle.log" in error
    assert calls(lab) == ["build"], "what is built on a failed image must not be tried"


def test_engine_that_does_not_answer_is_said(build: ModuleType, lab: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub(tools, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert build.main([]) == 1
    assert "Docker Engine does not answer (Cannot connect to the Docker daemon)" in capsys.readouterr().err


def test_missing_engine_is_said(build: ModuleType, lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(lab))
    assert build.main(["--list"]) == 1
    assert "docker is missing: `make demo` installs Docker Engine" in capsys.readouterr().err


# Records what it is asked to do as root, and does it.
SUDO = """
echo "$2" >>{state}/as-root
shift; exec "$@"
"""


def test_docker_and_mmdebstrap_go_through_sudo(build: ModuleType, lab: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SUDO", ["sudo", "-n"])
    stub(tools, "sudo", SUDO.format(state=lab))
    assert build.main(["middle"]) == 0
    assert (lab / "as-root").read_text(encoding="utf-8").split() == ["docker", "mmdebstrap", "docker", "docker", "docker"]


def test_next_run_goes_on_after_a_killed_one(build: ModuleType, lab: Path, tools: Path) -> None:
    """A killed build leaves its scratch folder, and no image with our label: both are made good."""
    stub(tools, "mmdebstrap", "echo half >${@: -1}; kill -9 $PPID")
    killed = os.fork()
    if killed == 0:
        os._exit(build.main(["root"]))
    assert os.WTERMSIG(os.waitpid(killed, 0)[1]) == signal.SIGKILL
    assert len(list(build.CACHE.glob("scratch-*"))) == 1
    stub(tools, "mmdebstrap", "")
    assert build.main(["root"]) == 0
    assert calls(lab) == ["import"]
    assert not list(build.CACHE.glob("scratch-*"))


def test_interrupt_ends_without_a_traceback(build: ModuleType, lab: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub(tools, "mmdebstrap", "kill -INT $PPID; sleep 1")
    # A shell starts background jobs with INT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert build.main(["root"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted" in capsys.readouterr().err


def test_context_is_readable_whatever_the_umask(build: ModuleType, folder: Path, tmp_path: Path) -> None:
    (folder / "middle" / "run.sh").chmod(0o700)
    (folder / "middle" / "Dockerfile").chmod(0o600)
    (folder / "middle" / "sub").mkdir(mode=0o700)
    (folder / "middle" / "sub" / "file").touch(0o600)
    context = tmp_path / "context"
    context.mkdir(mode=0o700)
    build.copy_context(folder / "middle", context)
    modes = {path.relative_to(context).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in context.rglob("*")}
    assert modes == {"Dockerfile": 0o644, "run.sh": 0o755, "sub": 0o755, "sub/file": 0o644}
    assert stat.S_IMODE(context.stat().st_mode) == 0o755


# --- fetching -------------------------------------------------------------------------------------------------------------------


def npm_lock(build: ModuleType, lab: Path, folder: Path, content: str) -> None:
    """Lock one package whose archive, as locked, has `content`."""
    sample = lab / "sample"
    sample.write_text(content, encoding="utf-8")
    pin = {"@scope/viewer": {"version": "1.2.3", "integrity": build.integrity_of(sample)}}
    (folder / "middle" / "npm.lock").write_text(json.dumps(pin), encoding="utf-8")


# npm pack --silent --pack-destination DIR SPEC
NPM = 'echo "$5" >>{state}/calls; printf good >"$4/scope-viewer-1.2.3.tgz"'


def test_npm_package_is_fetched_once_and_put_into_the_context(build: ModuleType, lab: Path, folder: Path, tools: Path) -> None:
    npm_lock(build, lab, folder, "good")
    stub(tools, "npm", NPM.format(state=lab))
    log = build.Log(lab / "log", verbose=False)
    for _ in range(2):
        (kept,) = build.fetched("middle", log)
        assert kept.name == "npm"
        assert [path.name for path in kept.iterdir()] == ["scope-viewer-1.2.3.tgz"]
    assert calls(lab) == ["@scope/viewer@1.2.3"]


def test_npm_package_with_another_content_is_refused(build: ModuleType, lab: Path, folder: Path, tools: Path) -> None:
    npm_lock(build, lab, folder, "as locked")
    stub(tools, "npm", NPM.format(state=lab))
    log = build.Log(lab / "log", verbose=False)
    for _ in range(2):
        with pytest.raises(build.BuildError, match=r"@scope/viewer@1\.2\.3 has integrity sha512-.*do not use it"):
            build.fetched("middle", log)
    assert calls(lab) == ["@scope/viewer@1.2.3"] * 2, "what was refused must not be kept"


# mvn --batch-mode --quiet --file POM dependency:copy --global-settings SETTINGS
MAVEN = 'cat "$4" >{state}/pom; cat "$7" >{state}/settings; echo "$5" >>{state}/calls; printf good >"$(dirname "$4")/engine-1.2.3.jar"'


@pytest.mark.parametrize(("content", "kept"), [("good", True), ("as locked", False)])
def test_jar_is_fetched_by_maven_and_refused_with_another_content(
    build: ModuleType, lab: Path, folder: Path, tools: Path, content: str, kept: bool
) -> None:
    pin = {"org.example:engine": {"version": "1.2.3", "sha256": hashlib.sha256(content.encode()).hexdigest()}}
    (folder / "middle" / "maven.lock").write_text(json.dumps(pin), encoding="utf-8")
    stub(tools, "mvn", MAVEN.format(state=lab))
    log = build.Log(lab / "log", verbose=False)
    for _ in range(2):
        if kept:
            (jars,) = build.fetched("middle", log)
            assert [path.name for path in jars.iterdir()] == ["engine-1.2.3.jar"]
        else:
            with pytest.raises(build.BuildError, match=r"org\.example:engine:1\.2\.3 has SHA-256 .*do not use it"):
                build.fetched("middle", log)
    assert calls(lab) == ["dependency:copy"] * (1 if kept else 2), "what was refused must not be kept"
    assert "<groupId>org.example</groupId><artifactId>engine</artifactId><version>1.2.3</version>" in (lab / "pom").read_text(
        encoding="utf-8"
    )


def test_maven_is_told_of_the_proxy_that_it_would_not_look_up(
    build: ModuleType, lab: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in build.PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://lab%40x:a%26b@proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "localhost, .example.org")
    lock = tmp_path / "maven.lock"
    lock.write_text("{}", encoding="utf-8")
    stub(tools, "mvn", MAVEN.format(state=lab))
    build.fetch_maven(lock, lab, build.Log(lab / "log", verbose=False))
    settings = ElementTree.fromstring((lab / "settings").read_text(encoding="utf-8"))
    assert {element.tag: element.text for element in settings.findall("proxies/proxy/*")} == {
        "id": "https",
        "protocol": "https",
        "host": "proxy.example.org",
        "port": "3128",
        "username": "lab@x",
        "password": "a&b",
        "nonProxyHosts": "localhost|*.localhost|*.example.org",
    }
    assert not (lab / "settings.xml").exists(), "its password stays behind"


def test_missing_tool_is_installed_through_sudo(build: ModuleType, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(build, "SUDO", ["sudo", "-n"])
    stub(tools, "sudo", SUDO.format(state=tmp_path))
    stub(tools, "apt-get", f'echo "$*" >>{tmp_path}/calls; touch {tmp_path}/its-tool')
    build.need(str(tmp_path / "its-tool"), "its-package")
    assert (tmp_path / "as-root").read_text(encoding="utf-8").split() == ["apt-get"] * 2
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines()[-1].endswith("its-package")


def test_missing_tool_is_named_with_its_package(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(build, "SUDO", [])
    with pytest.raises(build.BuildError, match=r"no-such-tool is missing: .*apt-get install its-package"):
        build.need("no-such-tool", "its-package")


# --- this repository ------------------------------------------------------------------------------------------------------------


def test_every_listed_image_can_be_ordered(build: ModuleType) -> None:
    table = build.read_table()
    assert build.in_build_order(list(table), table)[0] == "base"
    assert len(set(table.values())) == len(table)


def test_labs_table_of_images_names_the_same_builds(build: ModuleType) -> None:
    rows = yaml.safe_load((REPOSITORY / "roles/lab/defaults/main/images.yml").read_text(encoding="utf-8"))["lab_images"]
    built = {role: row["built"] for role, row in rows.items() if "built" in row}
    # What no service runs: the bases, the EMR's stand-in and its database.
    apart = ("base", "base-bookworm", "mariadb", "openemr")
    tags = dict(tag.split(":") for name, tag in build.read_table().items() if name not in apart)
    assert sorted(built.values()) == sorted(tags)
    for role, repository in built.items():
        defaults = yaml.safe_load((REPOSITORY / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8"))
        assert tags[repository] in str(defaults[f"{role}_tag"])


def test_it_needs_the_standard_library_only() -> None:
    """It runs with the system's Python of a fresh machine."""
    source = (IMAGES / "build.py").read_text(encoding="utf-8")
    imported = {line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)
