"""`read_declared`: every fault of all files at its line, nothing that runs, multiplies or shows a secret."""

import json
from pathlib import Path

import pytest
from shared.tests.cli.declared_text import faults, read
from shared.tests.cli.fake_gateway import NOW

from clearline.cli.declared.reader import chosen, read_declared
from clearline.cli.declared.references import References, literal
from clearline.cli.declared.tree import scalar
from clearline.cli.ends import WrongUseError
from clearline.cli.surroundings import Surroundings

TCP = "{name: %s, environment: staging, kind: tcp, config: {host: db.example.com, port: 5432}%s}"


def test_an_item_has_every_default_filled_in(around: Surroundings) -> None:
    [item] = read("connections:\n  - " + TCP % ("a", ""), around)
    assert (item.label, item.kind.name, item.owner, item.active) == ("staging/a", "tcp", None, None)
    assert (item.beat.interval_seconds, item.beat.timeout_seconds) == (30, 10)
    assert item.config == {"host": "db.example.com", "port": 5432}
    assert str(item.place) == "standard input:2"


def test_files_folders_documents_and_json_are_read_in_order_and_once(around: Surroundings, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.yml").write_text(TCP % ("b", "") + "\n---\n" + TCP % ("c", "") + "\n---\n")
    (folder / "a.json").write_text(
        json.dumps({"$schema": "x", "connections": [read(TCP % ("a", ""), around)[0].node.plain()]})
    )
    (folder / "z.schema.json").write_text("{}")
    (folder / "notes.txt").write_text("{")
    (folder / "deeper" / "d.yaml").write_text("{")
    (tmp_path / "last.yaml").write_text(TCP % ("z", ""))
    items = read_declared(["folder", "last.yaml", "folder/b.yml"], around)
    assert [(item.name, item.file) for item in items] == [
        ("a", "folder/a.json"),
        ("b", "folder/b.yml"),
        ("c", "folder/b.yml"),
        ("z", "last.yaml"),
    ]


def test_all_faults_of_all_items_are_told_at_once_with_line_and_pointer(around: Surroundings) -> None:
    text = """\
connections:
  - name: a
    environment: prod
    kind: tcp
    config:
      hst: db
      port: 99999
    beat: {interval_seconds: 1}
    active: yes
    colour: red
  - name: b
    environment: staging
    kind: tpc
  - environment: staging
    kind: tcp
    owner: two words
    config: {host: a, port: 1}
    credentials: {password: 5}
"""
    assert [fault[:3] for fault in faults(text, around)] == [
        (3, "/environment", "ENVIRONMENT_UNKNOWN"),
        (5, "/config/host", "FIELD_REQUIRED"),
        (6, "/config/hst", "FIELD_UNKNOWN"),
        (7, "/config/port", "PORT_OUT_OF_RANGE"),
        (8, "/beat/interval_seconds", "FIELD_RANGE"),
        (9, "/active", "FIELD_TYPE"),
        (10, "/colour", "FIELD_UNKNOWN"),
        (13, "/kind", "KIND_UNKNOWN"),
        (14, "/name", "FIELD_REQUIRED"),
        (16, "/owner", "FIELD_FORMAT"),
        (18, "/credentials/password", "FIELD_UNKNOWN"),
        (18, "/credentials/password", "FIELD_TYPE"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TCP % ("a", ", onwer: x"), "Did you mean owner?"),
        ("{name: a, environment: staging, kind: tcp, config: {host: a, prot: 1, port: 2}}", "Did you mean port?"),
        ("{name: a, environment: staging, kind: tpc}", "Did you mean tcp?"),
        ("{connections: [], conections: []}", "Did you mean connections?"),
        ("connection:\n  - {name: a}\n", "Did you mean connections, not connection?"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_known_one(around: Surroundings, text: str, told: str) -> None:
    assert told in " ".join(fault[3] for fault in faults(text, around))


def test_a_fault_deep_in_a_config_is_told_at_its_own_line(around: Surroundings) -> None:
    text = (
        "name: bus\nenvironment: staging\nkind: kafka\nconfig:\n  host: k\n  topic_permissions:\n"
        "    - topic: orders\n    - topic: other\n      hots: 1\n"
    )
    [(line, pointer, code, told)] = faults(text, around)
    assert (line, pointer, code) == (9, "/config/topic_permissions/1/hots", "FIELD_UNKNOWN")
    assert "Did you mean host" not in told


def test_two_connections_of_one_name_are_told_with_both_lines(around: Surroundings) -> None:
    text = "connections:\n  - " + TCP % ("caf\u00e9", "") + "\n  - " + TCP % ("cafe\u0301", "")
    [(line, pointer, code, told)] = faults(text, around)
    assert (line, pointer, code) == (3, "/name", "NAME_REPEATED")
    assert "standard input:2" in told


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("name: a\nkind: b\nname: c", 3, "The field name stands twice; first on line 1."),
        ("name: !!python/object/apply:os.system [id]", 1, "Tags"),
        ("name: !!str a", 1, "Tags"),
        ("a: {b: c}\nd:\n  <<: {b: c}", 3, "`<<` is not taken"),
        ("{name: [", 1, "neither YAML nor JSON"),
        ("name: a\ncredentials: {password: ${env:P}}", 2, "without quotes"),
        ("name: a\nkind: *b", 2, "no anchor"),
        ("a: &a [*a]", 1, "no anchor"),
        ("? [a]\n: b", 1, "A field's name must be a plain text."),
        ("[" * 100_000, 1, "nests deeper"),
        ("- " * 100 + "a", 1, "nests deeper"),
        ("a: b\x00", 1, "neither YAML nor JSON"),
        ("x: " + "y" * 1_048_576, 1, "larger than"),
        ("[" + "a," * 60_000 + "]", 1, "more than 50000 values"),
        ("- just text", 1, "This is no connection"),
        ("connections: {a: b}", 1, "must be a list"),
        ("connections: [a]", 1, "A connection is an object"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(around: Surroundings, text: str, line: int, told: str) -> None:
    found = faults(text, around)
    assert any(fault[0] == line and told in fault[3] for fault in found), found


def test_what_aliases_repeat_counts_anew(around: Surroundings) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for before, after in zip("abcde", "bcdef", strict=False):
        bomb += f"{after}: &{after} [{','.join([f'*{before}'] * 10)}]\n"
    [(line, _, _, told)] = faults(bomb, around)
    assert (line, "more than 50000" in told) == (5, True)


def test_anchors_serve_for_what_connections_share(around: Surroundings) -> None:
    text = "x-slow: &slow {interval_seconds: 300}\nconnections:\n  - " + TCP % ("a", ", beat: *slow")
    assert read(text, around)[0].beat.interval_seconds == 300


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("true", True),
        ("0777", 777),
        ("1e3", 1000.0),
        ("12:30:00", "12:30:00"),
        ("2026-11-22", "2026-11-22"),
    ],
)
def test_plain_values_are_read_as_editors_read_them(text: str, value: object) -> None:
    assert scalar(text) == value


def test_json_with_tabs_and_surrogate_pairs_is_read(around: Surroundings) -> None:
    text = (
        '{\n\t"name": "\\ud83d\\ude00",\n\t"environment": "staging", "kind": "tcp", "config": {"host": "a", "port": 1}}'
    )
    assert read(text, around)[0].name == "😀"


def test_credentials_after_is_a_past_moment_with_its_offset(around: Surroundings) -> None:
    for text in ("tomorrow", "2026-11-01", "2026-11-22T12:00:01Z"):
        assert faults(TCP % ("a", f", credentials_after: '{text}'"), around)[0][1] == "/credentials_after"
    [item] = read(TCP % ("a", ", credentials_after: 2026-11-22T12:00:00Z"), around)
    assert item.credentials_after == NOW


def test_a_text_can_be_written_so_that_it_is_read_as_itself(tmp_path: Path) -> None:
    for text in ("${env:A}", "$${x", "$", "a$${${", "plain"):
        assert References({}, tmp_path).expanded(literal(text)) == text


def test_only_chooses_by_label_or_bare_name(around: Surroundings) -> None:
    items = read(TCP % ("a", "") + "\n---\n" + TCP % ("b", ""), around)
    assert [item.name for item in chosen(items, ["staging/b"])] == ["b"]
    assert [item.name for item in chosen(items, [])] == ["a", "b"]
    with pytest.raises(WrongUseError, match="no connection c"):
        chosen(items, ["c"])


@pytest.mark.parametrize("given", [["-", "-"], ["not-there.yaml"], ["empty"], ["empty.yaml"]])
def test_files_that_cannot_be_used_are_wrong_use(around: Surroundings, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(WrongUseError):
        read_declared(given, around)
