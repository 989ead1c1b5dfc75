"""What of a commit we parse ourselves: bounded in size, depth, expansion, count and time; never a traceback."""

from pathlib import Path

import pytest

from infraaudit_domain.delivery.dockerfile import images_read, without_syntax
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.projects import Environment, Paths, Project
from infraaudit_domain.reporting.owners import owners_of, parse_owners
from resources.engine.junit_report import read_report
from resources.manifests.files import render_release
from resources.prometheus import render_prometheus
from tests.hostile.limited import said

MB = 1 << 20
GROWING = "ARG A0=aaaaaaaaaa\n" + "".join(f"ARG A{n}={f'$A{n - 1}' * 10}\n" for n in range(1, 20)) + "FROM $A19\n"
DOCKERFILES = {
    "ARGs that multiply": (GROWING, "'?'"),
    "5,000 mounts in a RUN": ("FROM a\nRUN " + "--mount=type=cache " * 5000 + "make", "('a',)"),
    "50,000 mounts from an image": ("FROM a\nRUN " + "--mount=from=b " * 50_000 + "make", "('a', 'b')"),
    "a line that goes on 300,000 times": ("FROM a\nRUN x \\\n" + "y \\\n" * 200_000, "('a',)"),
    "comments and nothing else": ("#\n" * 400_000 + "FROM a", "('a',)"),
    "an ARG of unclosed braces": ("ARG X=" + "${A:-" * 200_000 + "\nFROM $X", "'?'"),
    "a FROM of a megabyte": ("FROM a" + " " * 900_000 + "b", "'?'"),
    "100,000 ARGs": ("".join(f"ARG A{n}=x\n" for n in range(80_000)) + "FROM ${A79999}", "'?'"),
    "a second mount, quoted": ('FROM a\nRUN --mount=from=b --mount="type=bind,from=c" x', "('a', 'b', 'c')"),
    "an image of ONBUILD": ("FROM a\nONBUILD COPY --from=b / /", "('a', 'b')"),
}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile(name: str) -> None:
    text, expected = DOCKERFILES[name]
    assert expected in said(lambda: (images_read(text, {}), without_syntax(text))[0])


def bomb(levels: int, merge: str) -> str:
    levels_of = (f"a{n}: &a{n} {merge % ', '.join([f'*a{n - 1}'] * 9)}\n" for n in range(1, levels))
    return "a0: &a0 {x: 1}\n" + "".join(levels_of)


PROMETHEUS = {
    "merge keys that multiply": (bomb(9, "{<<: [%s]}"), "more than 20000 values"),
    "aliases that multiply": (bomb(9, "[%s]"), "more than 20000 values"),
    "an alias of itself": ("global: &g {a: *g}", "inside of"),
    "a number of 5,000 digits": ("global: {scrape_interval: " + "9" * 5000 + "}", "a number of 5000 characters"),
    "a number to the base of 16": ("global: {scrape_interval: 0x" + "f" * 5000 + "}", "a number of 5002 characters"),
    "5,000 levels": ("global: " + "[" * 5000, "nested deeper"),
    "a date that is none": ("global: {evaluation_interval: 2024-02-30}", "2024-02-30"),
    "101 jobs": ("scrape_configs:\n" + "- {job_name: a}\n" * 101, "101 scrape_configs"),
    "two megabytes": ("a: " + "b" * 2 * MB, "longer than"),
    "a key that is a list": ("? [a]\n: b", "a key must be a plain value"),
    "half of a pair of surrogates": ("\ud800: a", "no YAML"),
    "an object of Python": ("!!python/object/apply:os.system [id]", "is not allowed"),
    "an alias that is honest": ("x: &j {job_name: a}\nscrape_configs: [*j]", "job_name: a"),
}


@pytest.mark.parametrize("name", PROMETHEUS)
def test_a_prometheus_yml(name: str) -> None:
    text, expected = PROMETHEUS[name]
    assert expected in said(lambda: render_prometheus("shop", text, ["a:1"]).text)


def suites(inner: bytes) -> bytes:
    return b"<testsuites>" + inner + b"</testsuites>"


REPORTS = {
    "31 MB of empty suites": (lambda: suites(b"<testsuite/>" * (31 * MB // 12)), "more than 1000000 elements"),
    "31 MB inside each other": (lambda: suites(b"<a>" * (10 * MB)), "50 inside each other"),
    "one attribute of 31 MB": (lambda: b"<testsuites a='" + b"a" * 31 * MB + b"'/>", "a tag of more than 2 MB"),
    "two million attributes": (
        lambda: b"<testsuites " + b" ".join(b"a%d=''" % n for n in range(2_000_000)) + b"/>", "a tag of more than",
    ),
    "a message of 31 MB": (
        lambda: suites(b"<testcase><failure>" + b"a" * 31 * MB + b"</failure></testcase>"), "FAILED",
    ),
    "100,001 tests": (lambda: suites(b"<testcase/>" * 100_001), "more than 100000 tests"),
    "an entity that multiplies": (lambda: b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    "a declaration of 31 MB": (lambda: b"<?xml" + b" " * 31 * MB + b"?><a/>", "a tag of more than"),
    "a time of 5,000 digits": (lambda: suites(b"<testcase time='" + b"9" * 5000 + b"'/>"), "seconds=0.0"),
}  # fmt: skip


@pytest.mark.e2e  # Reports of 31 MB take seconds of a processor.
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_tests(name: str) -> None:
    make, expected = REPORTS[name]
    content = make()
    assert expected in said(lambda: read_report(content))


MANIFEST = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: {containers: %s}}}\n"
ONE = "[{name: a, image: b}]"
MANIFESTS = {
    "a first document of a list's kind": ("kind: [a]\n---\n" + MANIFEST % ("a", ONE), "is no Kubernetes object"),
    "capabilities that are lists": (
        MANIFEST % ("a", "[{name: a, image: b, securityContext: {capabilities: {add: [[a]]}}}]"),
        "capabilities.add",
    ),
    "a name that leads elsewhere": (MANIFEST % ("../../other/configmaps/x", ONE), "metadata.name"),
    "a name with a question": (MANIFEST % ("x?force=true", ONE), "metadata.name"),
    "a name of 5,000 letters": (MANIFEST % ("x" * 5000, ONE), "metadata.name"),
    "aliases": (MANIFEST % ("a", ONE) + "x: &x [a]\ny: *x", "aliases are not allowed"),
    "a number of 5,000 digits": (MANIFEST % ("a", ONE) + "x: " + "9" * 5000, "a number of 5000 characters"),
    "5,000 levels": (MANIFEST % ("a", ONE) + "x: " + "{a: " * 5000, "nested deeper"),
    "200,000 values": (MANIFEST % ("a", ONE) + "x:\n" + "- a\n" * 200_000, "more than 100000 values"),
    "a key twice": (MANIFEST % ("a", ONE) + "kind: Service", "the key kind is given twice"),
    "a set": (MANIFEST % ("a", ONE) + "x: !!set {a}", "is not allowed"),
    "a document that is a number": ("7\n---\n" + MANIFEST % ("a", ONE), "is no Kubernetes object"),
    "a file name that is no text": (MANIFEST % ("a", "7"), "must be a list"),
}


def rendered(folder: Path) -> str:
    project = Project("shop", "/x", paths=Paths(manifests=("k8s",)))
    return render_release(folder, project, Environment(), "a" * 40, "i:1", ManifestPolicy())


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest(name: str, tmp_path: Path) -> None:
    text, expected = MANIFESTS[name]
    (tmp_path / "k8s").mkdir()
    file = b"k8s/\xff.yaml" if "file name" in name else b"k8s/a.yaml"
    Path(str(tmp_path), file.decode("utf-8", "surrogateescape")).write_text(text)
    answer = said(lambda: rendered(tmp_path))
    assert answer.startswith("ManifestError") and expected in answer
    answer.encode()


def test_a_folder_of_10_000_manifests_and_one_of_many_megabytes(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    for number in range(600):
        (tmp_path / f"k8s/{number}.yaml").write_text("a: " + "b" * 20_000)
    assert "more than the 500" in said(lambda: rendered(tmp_path))
    for number in range(200):
        (tmp_path / f"k8s/{number}.yaml").unlink()
    (tmp_path / "k8s/300.yaml").write_text("a: " + "b" * 2 * MB)
    assert "are the most that is read" in said(lambda: rendered(tmp_path))


KUSTOMIZATIONS = {
    "a name that no file can have": ("resources: [" + "a" * 400 + "]", "only files of the commit"),
    "100,000 resources": ("resources:\n" + "- a.yaml\n" * 90_000, "90000 files"),
    "an alias": ("a: &a [x]\nresources: *a", "aliases are not allowed"),
    "a generator that runs": ("generators: [x]", "uses generators"),
}


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_a_kustomization(name: str, tmp_path: Path) -> None:
    text, expected = KUSTOMIZATIONS[name]
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/kustomization.yaml").write_text(text)
    assert expected in said(lambda: rendered(tmp_path))


CODEOWNERS = {
    "2,000 rules for 100,000 files": ("/a/**/b*c*d @x\n" * 2000, [f"a/b/{n}" for n in range(100_000)]),
    "stars in every folder": ("**/*a/**/*a/**/*a/**/*a*b @x\n" * 2000, ["/".join(["a" * 250] * 16)] * 1000),
    "a pattern of 60 KB": ("*a" * 30_000 + " @x", ["a" * 250] * 1000),
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", CODEOWNERS)
def test_code_owners(name: str) -> None:
    text, paths = CODEOWNERS[name]
    assert said(lambda: owners_of(parse_owners(text), paths), seconds=15) == "()"
