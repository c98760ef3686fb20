from __future__ import annotations

import bz2
import csv
import io
import json
import pickle
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from gensim.corpora import WikiCorpus
from gensim.test.utils import datapath
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import need
from w2vcli.errors import W2VError
from w2vcli.preprocessing import quoted_rows, records
from w2vcli.preprocessing.documents import Batch, ParquetReader, Reader, format_of, reader
from w2vcli.text import unicode_tokens

BOM = b"\xef\xbb\xbf"
WHOLE = 1 << 20


def cut(data: bytes, piece: int) -> Iterator[bytes]:
    return (data[start : start + piece] for start in range(0, len(data), piece))


def batches(reads: Reader, data: bytes, size: int = WHOLE, piece: int = WHOLE) -> list[Batch]:
    """Cut data into batches; they and the reader go to another process and back."""
    reads = pickle.loads(pickle.dumps(reads))
    return [pickle.loads(pickle.dumps(batch)) for batch in reads.batches(cut(data, piece), size, name="in")]


def read(reads: Reader, data: bytes, size: int = WHOLE, piece: int = WHOLE) -> tuple[list[str], dict[str, int]]:
    counts: Counter[str] = Counter()
    texts = [text for batch in batches(reads, data, size, piece) for text in reads.documents(batch, counts, name="in")]
    return texts, dict(counts)


def error(reads: Reader, data: bytes, size: int = WHOLE, piece: int = WHOLE) -> str:
    with pytest.raises(W2VError) as caught:
        read(reads, data, size, piece)
    return str(caught.value)


sizes = st.integers(1, 60)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jsonl", "jsonl"),
        ("a.ndjson.zst", "jsonl"),
        ("folder.csv/a.TSV.GZ", "tsv"),
        ("a.csv.xz", "csv"),
        ("a.parquet", "parquet"),
        ("enwiki-latest-pages-articles.xml.bz2", "wikipedia"),
        ("enwiki-20240101-pages-articles1.xml-p1p41242.bz2", "wikipedia"),
        ("https://host/a.jsonl.gz?version=2.csv#part", "jsonl"),
        ("s3://bucket/data.tsv", "tsv"),
        ("a.csv?b", "text"),
        ("a.txt", "text"),
        ("a.gz", "text"),
        ("jsonl", "text"),
        ("-", "text"),
    ],
)
def test_the_format_is_told_by_the_name(name: str, format: str) -> None:
    assert format_of(name) == format_of(name, "auto") == format
    assert format_of(name, "csv") == "csv"


@pytest.mark.parametrize("format", ["text", "parquet", "docx"])
def test_other_formats_have_no_reader_of_streams(format: str) -> None:
    with pytest.raises(ValueError, match=f"{format} is not read as a stream"):
        reader(format, "text")


@pytest.mark.parametrize(("format", "row"), [("jsonl", '{"text": "a"}\n'), ("csv", "a\n"), ("tsv", "a\n")])
def test_batches_come_before_the_source_is_read_to_its_end(format: str, row: str) -> None:
    given_out = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given_out
        for _ in range(100):
            given_out += 1
            yield row.encode() * 10

    found = reader(format, "1").batches(pieces(), 10 * len(row), name="in")
    assert next(found).data == row.encode() * 10
    assert given_out == 1
    assert sum(1 for _ in found) == 99


# ---------------------------------------------------------------- JSON Lines


@pytest.mark.parametrize(
    ("field", "line", "text"),
    [
        ("text", '{"text": "one\\ntwo", "id": 1}', "one\ntwo"),
        ("text", '{"text": ""}', ""),
        ("text", '{"text": ["one", "two"]}', "one\n\ntwo"),
        ("text", '{"text": ["one", null, "two"]}', "one\n\ntwo"),
        ("text", '{"text": "half \\ud800 of a pair, \\ud83d\\ude00"}', "half \ufffd of a pair, \U0001f600"),
        ("text", '{"text": "a\ttab"}', "a\ttab"),
        ("text", '\ufeff {"text": "appended"} \r', "appended"),
        ("text", '{"text": "a\u2028b"}', "a\u2028b"),
        ("text", '{"text": "a", "id": ' + "9" * 5000 + "}", "a"),
        ("user.bio", '{"user": {"bio": "nested"}}', "nested"),
        ("user.bio", '{"user": {"bio": "nested"}, "user.bio": "literal"}', "literal"),
        ("a.b.c", '{"a.b": {"c": "half literal"}}', "half literal"),
        ("posts.1.text", '{"posts": [{}, {"text": "second"}]}', "second"),
        ("1", '["first", "second"]', "second"),
    ],
)
def test_json_fields(field: str, line: str, text: str) -> None:
    assert read(reader("jsonl", field), f"{line}\n".encode()) == ([text], {})


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"text": null}',
        '{"text": 7}',
        '{"text": {"en": "a"}}',
        '{"text": ["a", 1]}',
        '"text"',
        "17",
        "null",
        '["text"]',
    ],
)
def test_json_without_text_is_counted(line: str) -> None:
    data = f'{line}\n\n \t\n{{"text": "here"}}\n'.encode()
    assert read(reader("jsonl", "text"), data) == (["here"], {"records_without_text": 1})


@pytest.mark.parametrize("field", ["posts.2", "posts.-1", "posts.x", "posts.99999999999999999999", "posts.0.x", "x.0"])
def test_paths_that_lead_nowhere(field: str) -> None:
    assert read(reader("jsonl", field), b'{"posts": ["a", "b"]}') == ([], {"records_without_text": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("plain text", "Expecting value at character 1"),
        ('{"text": "a"', "Expecting ',' delimiter at character 13"),
        ('{"text": "a"} {}', "Extra data at character 15"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
@pytest.mark.parametrize("size", [1, WHOLE])
def test_a_line_that_is_not_json_is_named(line: str, reason: str, size: int) -> None:
    data = f'{{"text": "a"}}\n\r\n{line}\n{{"text": "b"}}\n'.encode()
    assert error(reader("jsonl", "text"), data, size) == (
        f"in: line 3: not JSON: {reason}; a line must be JSON of its own; of an array, jq -c '.[]' makes such lines"
    )


def test_bytes_that_are_no_text_are_marked() -> None:
    assert read(reader("jsonl", "t"), b'{"t": "caf\xe9"}\n') == (["caf\ufffd"], {})
    assert read(reader("csv", "t"), b"t\ncaf\xe9\n") == (["caf\ufffd"], {})
    assert read(reader("tsv", "t"), b"t\ncaf\xe9\n") == (["caf\ufffd"], {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "a"]), inner, max_size=2),
    max_leaves=5,
)


@given(
    values=st.lists(st.fixed_dictionaries({"id": json_values}, optional={"text": json_values | texts}), max_size=8),
    ascii=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    size=sizes,
    piece=sizes,
)
def test_json_lines_are_what_json_reads(
    values: list[dict[str, Any]], ascii: bool, end: str, size: int, piece: int
) -> None:
    lines = [json.dumps(value, ensure_ascii=ascii) for value in values]
    data = end.join(lines).encode("utf-8", "surrogatepass")
    expected = []
    for line in data.decode("utf-8", "replace").split(end) if lines else []:
        value = json.loads(line).get("text")
        if isinstance(value, list) and all(part is None or isinstance(part, str) for part in value):
            value = "\n\n".join(filter(lambda part: part is not None, value))
        expected.append(value if isinstance(value, str) else None)
    found, counts = read(reader("jsonl", "text"), data, size, piece)
    assert found == [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in expected if text is not None]
    assert counts.get("records_without_text", 0) == expected.count(None)


# ---------------------------------------------------------------- CSV and TSV

CSV = 'id,"the ""text""",label\r\n1,"one, two",x\r\n\r\n2,"a ""quoted""\r\nline",y\r\n3\r\n4,it\'s 5" long,z'


@pytest.mark.parametrize("size", [1, 20, WHOLE])
@pytest.mark.parametrize("piece", [1, 7, WHOLE])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_csv_by_name(size: int, piece: int, mark: bytes) -> None:
    data = mark + CSV.encode()
    assert read(reader("csv", 'the "text"'), data, size, piece) == (
        ["one, two", 'a "quoted"\r\nline', "it's 5\" long"],
        {"rows_too_short": 1},
    )
    assert read(reader("csv", "id"), data, size, piece) == (["1", "2", "3", "4"], {})


@pytest.mark.parametrize("mark", [b"", BOM])
def test_a_column_by_number_has_no_header(mark: bytes) -> None:
    amazon = mark + b'"2","good","I liked it"\n"1","bad","I did not"\n'  # its first row has a 2 in it
    assert read(reader("csv", "2"), amazon) == (["good", "bad"], {})
    assert read(reader("csv", "1"), amazon, 1, 1) == (["2", "1"], {})
    assert read(reader("csv", "4"), amazon) == ([], {"rows_too_short": 2})
    assert read(reader("tsv", "2"), mark + b"a\tb\nc\n\nd\te\tf") == (["b", "e"], {"rows_too_short": 1})
    assert error(reader("csv", "0"), amazon) == "in: has no column 0; columns are counted from 1"


def test_tsv_has_quotes_as_they_are() -> None:
    data = b'\xef\xbb\xbf"id"\ttext \r\n1\t"Oh!" she said.\r\n2\t"never closed\r\n\r\n3\n4\ta\x00b\tx\n'
    for size, piece in [(1, 1), (WHOLE, WHOLE)]:
        assert read(reader("tsv", "text"), data, size, piece) == (
            ['"Oh!" she said.', '"never closed', "a\ufffdb"],
            {"rows_too_short": 1},
        )
        assert read(reader("tsv", "id"), data, size, piece) == (["1", "2", "3", "4"], {})


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_column_that_is_not_there(format: str) -> None:
    tab = "\t" if format == "tsv" else ","
    data = tab.join(["id", "Text", "the\x00n"]).encode()
    expected = "its columns are id, Text, the\ufffdn"
    assert error(reader(format, "text"), data) == f"in: has no column text; did you mean Text? {expected}"
    assert error(reader(format, "body"), data) == f"in: has no column body; {expected}"
    assert read(reader(format, "body"), b"\n\n") == ([], {})
    many = tab.join(f"c{number}" for number in range(50)).encode()
    assert error(reader(format, "none"), many).endswith("c18, c19, …")


@pytest.mark.parametrize("size", [1, WHOLE])
def test_rows_that_end_with_carriage_returns(size: int) -> None:
    assert read(reader("csv", "t"), b'\rn,t\r1,a\r2,"b\rc"\r', size, 1) == (["a", "b\rc"], {})
    assert read(reader("csv", "2"), b"1,a\r2,b\n3,c\r", size, 1) == (["a", "b", "c"], {})


def test_cells_of_any_length() -> None:
    long = "word " * 40_000
    assert read(reader("csv", "t"), f'n,t\n1,"{long}"\n2,{long}\n'.encode(), 100, 1000) == ([long, long], {})
    assert "has no column t; its columns are word word" in error(reader("csv", "t"), long.encode())


def test_nul_bytes_in_csv_are_marked() -> None:
    assert read(reader("csv", "t"), b't,u\na\0b,"\0"\n') == (["a\ufffdb"], {})


@pytest.mark.parametrize("size", [1, WHOLE])
@pytest.mark.parametrize("rest", ["", '"" still open\nand on', '""'])
def test_a_quote_that_is_never_closed_is_an_error(size: int, rest: str) -> None:
    data = f't,u\n"a\nb",c\n"d","open {rest}'.encode()
    for piece in (1, WHOLE):
        assert error(reader("csv", "t"), data, size, piece) == (
            "in: line 4: a quote that opens a cell is never closed; "
            "a quote at the start of a cell ends at the next that is not doubled: is one of them missing?"
        )


rows_of_texts = st.lists(st.lists(texts, min_size=2, max_size=4), max_size=6)


@given(
    rows=rows_of_texts,
    column=st.integers(0, 3),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    size=sizes,
    piece=sizes,
)
def test_csv_is_what_was_written(
    rows: list[list[str]], column: int, quoting: Any, end: str, size: int, piece: int
) -> None:
    header = ["a", "b", "c", "d"]
    if end == "\n":  # then csv writes carriage returns in a way that it does not read
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=quoting, lineterminator=end).writerows([header, *rows])
    found = read(reader("csv", header[column]), stream.getvalue().encode(), size, piece)
    short = sum(len(row) <= column for row in rows)
    assert found == ([row[column] for row in rows if len(row) > column], {"rows_too_short": short} if short else {})


@given(text=st.text(st.sampled_from('"",\n\r xé\ufeff'), max_size=40), size=sizes, piece=sizes, block=st.integers(1, 9))
@settings(max_examples=500)
def test_any_csv_is_what_csv_reads(text: str, size: int, piece: int, block: int) -> None:
    def rows(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text, newline="")))

    text = text.lstrip("\ufeff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quoted_rows, "_BLOCK", block)
        if rows(text + "\n@")[-1] == ["@"]:
            expected = [row[0] for row in rows(text) if row]
            assert read(reader("csv", "1"), text.encode(), size, piece) == (expected, {})
        else:
            assert "a quote that opens a cell is never closed" in error(reader("csv", "1"), text.encode(), size, piece)


@given(rows=rows_of_texts, column=st.integers(1, 4), size=sizes, piece=sizes)
def test_tsv_is_what_was_written(rows: list[list[str]], column: int, size: int, piece: int) -> None:
    rows = [[re.sub(r"[\t\r\n\ufeff]", "", cell) for cell in row] for row in rows]
    data = "".join("\t".join(row) + "\n" for row in rows).encode()
    found, counts = read(reader("tsv", str(column)), data, size, piece)
    assert found == [row[column - 1] for row in rows if len(row) >= column]
    assert counts.get("rows_too_short", 0) == sum(len(row) < column for row in rows)


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("piece", [1, WHOLE])
def test_records_that_do_not_end(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", 100)
    fits, longer = b"x" * 99 + b"\n", b"x" * 102 + b"\n"
    for format in ("csv", "tsv"):
        assert len(batches(reader(format, "1"), fits * 3, 1, piece)) == 3
        assert error(reader(format, "1"), fits + b"\n" + longer, 1, piece).startswith("in: line 3: longer than 0 kB; ")
        assert error(reader(format, "1"), fits + longer[:-1], 1, piece).startswith("in: line 2: longer than 0 kB; ")
    assert error(reader("jsonl", "text"), fits + b"[" + longer, 1, piece).startswith("in: line 2: longer than 0 kB; ")
    quoted = b'a,b\n1,"' + b"x\n" * 60
    assert error(reader("csv", "b"), b'"\n",b\n' + quoted, 1, piece).startswith("in: line 4: longer than 0 kB; ")
    page = b"<page>" + b"x" * 200 + b"</page>"
    assert error(reader("wikipedia", ""), b"<mediawiki>" + page, 1, piece) == (
        "in: page 1: longer than 0 kB; is it a MediaWiki dump?"
    )


# ---------------------------------------------------------------- Parquet


def parquet_file(columns: dict[str, Any], group: int = 1000, **types: Any) -> bytes:
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=group)
    return stream.getvalue()


def read_parquet(field: str, data: bytes, size: int = WHOLE) -> tuple[list[str], dict[str, int]]:
    reads = pickle.loads(pickle.dumps(ParquetReader(field)))
    counts: Counter[str] = Counter()
    found = []
    row = 1
    for group in range(reads.row_groups(io.BytesIO(data), name="in")):
        for batch in reads.batches_of(io.BytesIO(data), range(group, group + 1), size, name="in"):
            assert batch.first == row
            before = sum(counts.values())
            texts = list(reads.documents(pickle.loads(pickle.dumps(batch)), counts, name="in"))
            row += len(texts) + sum(counts.values()) - before
            found += texts
    return found, dict(counts)


def test_parquet_columns(tmp_path: Path) -> None:
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa

    people = [{"bio": "nested", "born": 1}, None, {"bio": None, "born": 2}]
    data = parquet_file(
        {
            "text": ["one", None, ""],
            "large": ["a", "b", "c"],
            "category": ["x", "x", None],
            "paragraphs": [["one", None, "two"], [], None],
            "user": people,
            "user.bio": ["literal", "wins", "here"],
            "n": [1, 2, 3],
        },
        large=pa.large_string(),
        category=pa.dictionary(pa.int8(), pa.string()),
    )
    for size in (1, WHOLE):
        assert read_parquet("text", data, size) == (["one", ""], {"records_without_text": 1})
        assert read_parquet("large", data, size) == (["a", "b", "c"], {})
        assert read_parquet("category", data, size) == (["x", "x"], {"records_without_text": 1})
        assert read_parquet("paragraphs", data, size) == (["one\n\ntwo", ""], {"records_without_text": 1})
        assert read_parquet("user.bio", data, size) == (["literal", "wins", "here"], {})
        assert read_parquet("user.bio", parquet_file({"user": people}), size) == (
            ["nested"],
            {"records_without_text": 2},
        )
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    for place in (path, str(path)):
        assert ParquetReader("text").row_groups(place, name="in") == 1
        assert len(list(ParquetReader("text").batches_of(place, range(1), 1, name="in"))) == 3


def test_parquet_with_bytes_that_are_no_text() -> None:
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa

    bytes_ = pa.array([b"caf\xe9"])
    broken = pa.StringArray.from_buffers(1, bytes_.buffers()[1], bytes_.buffers()[2])
    assert read_parquet("text", parquet_file({"text": broken})) == (["caf\ufffd"], {})


def test_what_is_wrong_with_a_parquet_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet_file({"text": ["a" * 100] * 9, "n": [1] * 9, "user": [{"bio": "b", "n": 1}] * 9, "l": [[1]] * 9})

    def message(field: str, data: bytes = data) -> str:
        with pytest.raises(W2VError) as caught:
            read_parquet(field, data)
        return str(caught.value)

    known = "its columns are text, n, user.bio, user.n, l"
    assert message("txt") == f"in: has no column txt; did you mean text? {known}"
    assert message("user.xyz") == f"in: has no column user.xyz; did you mean user.n? {known}"
    assert message("text.x").startswith("in: has no column text.x; did you mean text?")
    assert message("n") == "in: column n is of type int64; it must be strings, or lists of strings"
    assert message("user.n").startswith("in: column user.n is of type int64; ")
    assert "is of type list<" in message("l")
    assert message("user") == ("in: column user is of type struct<bio: string, n: int64>; name one of user.bio, user.n")
    assert message("text", b"no Parquet at all").startswith("in: cannot be read as Parquet: ")
    assert message("text", data[:-20]).startswith("in: cannot be read as Parquet: ")
    assert message("text", data[:4] + b"\xff" * 40 + data[44:]).startswith("in: cannot be read as Parquet: ")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert message("text") == "Parquet needs pyarrow: pip install 'w2vcli[parquet]'"


@given(
    values=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=20),
    lists=st.booleans(),
    group=st.integers(1, 7),
    size=sizes,
)
@settings(max_examples=60)
def test_parquet_is_what_was_written(values: list[str | None], lists: bool, group: int, size: int) -> None:
    need("pyarrow", "'w2vcli[parquet]'")
    import pyarrow as pa

    kind = pa.list_(pa.string()) if lists else pa.string()
    column = [None if value is None else value.split() for value in values] if lists else values
    data = parquet_file({"text": column}, group, text=kind)
    found, counts = read_parquet("text", data, size)
    assert found == ["\n\n".join(value.split()) if lists else value for value in values if value is not None]
    assert counts.get("records_without_text", 0) == values.count(None)


# ---------------------------------------------------------------- Wikipedia


def page(title: str, text: str | None, inside: str = "<ns>0</ns>", model: str = "wikitext") -> str:
    shown = "<text />" if text is None else f'<text xml:space="preserve">{escape(text)}</text>'
    return f"""  <page>
    <title>{escape(title)}</title>
    {inside}
    <id>1</id>
    <revision>
      <id>2</id>
      <model>{model}</model>
      {shown}
    </revision>
  </page>
"""


def dump(pages: list[str], files: str = "File", categories: str = "Category") -> bytes:
    return f"""<?xml version="1.0"?>
<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>A wiki</sitename>
    <namespaces>
      <namespace key="-1" case="first-letter">Special</namespace>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="6" case="first-letter">{files}</namespace>
      <namespace key="14" case="first-letter">{categories}</namespace>
    </namespaces>
  </siteinfo>
{"".join(pages)}</mediawiki>
""".encode()


def plain(markup: str, **names: str) -> str:
    (text,), _ = read(reader("wikipedia", ""), dump([page("A", markup)], **names))
    return text


ICE = """{{Infobox mineral
| name = Ice
| formula = {{chem|H|2|O}}
}}
[[File:Ice.jpg|thumb|upright=1.2|A block of ice]]
'''Ice''' is [[water]] in its [[Phase (matter)|solid state]].<ref>{{cite book|title=Water}} p. 7</ref>
It is ''cold''.<!-- why? -->

It floats, as [http://example.org/ice physics] tells &mdash; see [[#Kinds]].<ref name="a" />

== Kinds ==
* Snow, if <math>t < 0</math>
* [[Hail]], which hurts
## First

=== Density ===
{| class="wikitable"
! Name !! Density
|-
| Ice || 917
|-
| Water || 1000
|}
:Indented
; Term : meaning

[[Category:Water]]
[[Category:Cold|Ice]]
"""

PLAIN_ICE = """A block of ice
Ice is water in its solid state.
It is cold.

It floats, as physics tells — see #Kinds.

Kinds

Snow, if

Hail, which hurts

First

Density

Name

Density

Ice

917

Water

1000

Indented

Term : meaning"""

PAGES = [
    page("Ice", ICE),
    page("Icy", "#REDIRECT [[Ice]]", '<ns>0</ns><redirect title="Ice" />'),
    page("Talk:Ice", "Is it cold?", "<ns>1</ns>"),
    page("Eis", "#WEITERLEITUNG [[Ice]]", '<ns>0</ns><redirect title="Ice" />'),
    page("User:Ice", "I like ice.", "<ns>2</ns>"),
    page("Snow & <sleet>", "It <b>falls</b> &lt;softly&gt;.\n"),
    page("Q1", '{"item": 1}', model="wikibase-item"),
    page("Deleted", None),
    page("Talk: the film", "A film of 1999."),
]
COUNTS = {"articles": 4, "redirects": 2, "non_articles": 3, "records_without_text": 1}


@pytest.mark.parametrize("size", [1, 500, WHOLE])
@pytest.mark.parametrize("piece", [1, 1000, WHOLE])
def test_articles_of_a_dump(size: int, piece: int) -> None:
    found, counts = read(reader("wikipedia", ""), dump(PAGES), size, piece)
    assert found == [PLAIN_ICE, "It falls .", "A film of 1999."]
    assert counts == COUNTS
    made = batches(reader("wikipedia", ""), dump(PAGES), size, piece)
    after = [batch.first + batch.data.count(b"<page>") for batch in made]
    assert [1, *after] == [*(batch.first for batch in made), 10]
    assert len(made) == {1: 9, 500: 4, WHOLE: 2}[size]


def words(text: str, shortest: int = 1, longest: int = 1000, lower: bool = False) -> list[str]:
    return unicode_tokens(text)


def words_of_gensim(path: Path | str) -> dict[str, list[str]]:
    corpus = WikiCorpus(
        str(path), 1, dictionary={}, metadata=True, tokenizer_func=words, article_min_tokens=0, lower=False
    )
    return {title: found for found, (_, title) in corpus.get_texts()}


def test_the_words_are_those_of_gensim(tmp_path: Path) -> None:
    path = tmp_path / "wiki.xml.bz2"
    path.write_bytes(bz2.compress(dump(PAGES)))
    expected = words_of_gensim(path)
    found, _ = read(reader("wikipedia", ""), dump(PAGES))
    assert "Talk: the film" not in expected  # Gensim takes it for a talk page, whatever the dump says
    assert [unicode_tokens(text) for text in found[:2]] == [expected["Ice"], expected["Snow & <sleet>"]]
    assert len(expected["Ice"]) == 38


def test_the_words_of_real_articles_are_those_of_gensim() -> None:
    path = datapath("enwiki-table-markup.xml.bz2")
    expected = words_of_gensim(path)
    found, counts = read(reader("wikipedia", ""), bz2.decompress(Path(path).read_bytes()), 1000)
    assert counts == {"articles": 5}
    for text, known in zip(found, expected.values(), strict=True):
        left_out = "Main resource: State of Environment in Estonia on Threshold of XXI Century"
        known_but_for_a_note = " ".join(known).replace(" ".join(unicode_tokens(left_out)) + " ", "")
        assert unicode_tokens(text) == known_but_for_a_note.split()  # a <br/> in it, for Gensim, ends the note


def test_a_real_dump_in_another_language() -> None:
    data = bz2.decompress(Path(datapath("bgwiki-latest-pages-articles-shortened.xml.bz2")).read_bytes())
    found, counts = read(reader("wikipedia", ""), data.decode("utf-16").encode(), 10_000, 1000)
    assert counts == {"articles": 1, "non_articles": 2}
    assert found[0].startswith("Папа Григорий XIII\nВечният григориански календар от 15 октомври 1582\n")
    assert "\n\nГригорианският календар е възприет в различните страни" in found[0]
    assert "Категория" not in found[0]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("one<br>two<br />three", "one two three"),
        ("<p>one</p><p>two</p>", "one two"),
        ("__NOTOC__\none __KEIN_INHALT__ two_2__3", "one two_2__3"),
        ("'''''both''''' '''bold'''er ''it'' it's", "both bolder it it's"),
        ("'''Homère''' a écrit l'''Iliade'', ''L'Odyssée''", "Homère a écrit l'Iliade, L'Odyssée"),
        ("the ''Iliad'''s end", "the Iliad's end"),
        ("==  A  ==\none\n===B===\ntwo\n\n\n\nthree\n----\n", "A\n\none\n\nB\n\ntwo\n\nthree\n----"),
        ("<gallery>\nFile:a b.jpg|thumb|One [[cat]]\nImage:c.PNG\n</gallery>\nend", "One cat\n\nend"),
        ("[[Datei:x.jpg|mini|Ein [[Haus]]]] am See [[datei:y.png]]\n[[kategorie:Haus]]", "Ein Haus am See"),
        ("[[Category:A]][[Kategorie:A|B]]", ""),
        ("[[:Kategorie:A]] here", "Kategorie:A here"),
    ],
)
def test_what_gensim_leaves_of_the_markup(markup: str, text: str) -> None:
    assert plain(markup, files="Datei", categories="Kategorie") == text


def test_dumps_from_before_namespaces_and_redirects_were_marked() -> None:
    pages = [
        page("Ice", "Cold.", ""),
        page("Icy", " #redirect [[Ice]]", ""),
        page("Bild:Ice.jpg", "A picture.", ""),
        page("User:Ice", "I like ice.", ""),
        page("Ice: the film", "A film.", ""),
    ]
    assert read(reader("wikipedia", ""), dump(pages, files="Bild")) == (
        ["Cold.", "A film."],
        {"articles": 2, "redirects": 1, "non_articles": 2},
    )


@pytest.mark.parametrize("piece", [1, WHOLE])
def test_what_is_wrong_with_a_dump(piece: int) -> None:
    def message(data: bytes, size: int = 1) -> str:
        return error(reader("wikipedia", ""), data, size, piece)

    whole = dump(PAGES[:3])
    again = "the file is truncated; fetch it again"
    assert message(whole[: whole.rindex(b"Is it")]) == f"in: the dump breaks off after page 2; {again}"
    assert message(whole[: whole.rindex(b"</mediawiki")]) == f"in: the dump breaks off after page 3; {again}"
    assert message(whole[: whole.index(b"<page>")]) == f"in: the dump breaks off before its first page; {again}"
    for other in (b"<html>no dump</html>", b"", b"<page>a</page>"):
        assert message(other) == "in: not a MediaWiki dump; it must begin with <mediawiki \u2026>"
    assert read(reader("wikipedia", ""), dump([])) == ([], {})
    for size in (1, WHOLE):
        broken = message(whole.replace(b"<id>2</id>", b"<id>2</ix>"), size)
        assert broken.startswith("in: page 1: not as MediaWiki writes pages: mismatched tag: ")
        third = message(whole.replace(b"<title>Talk:Ice</title>", b""), size)
        assert third == "in: page 3: not as MediaWiki writes pages: a title, a text or a number is missing"
        assert "page 1: not as MediaWiki writes pages: http" in message(whole.replace(b"mediawiki.org", b"x.org"), size)
