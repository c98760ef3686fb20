from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.sentences import ENDS, End, Start, describe, end_of, sentences, split_unspaced, start_of

# A bar stands where a sentence ends. Punctuation on its own goes with what was before it.
ENGLISH = [
    "Mr. and Mrs. Smith met Dr. Jones at St. Paul's. | They spoke.",
    "He spoke to Prof. Lee, Rev. Hale, Capt. Ames and the Hon. Mary Lee. | Nobody came.",
    "Bring fruit, e.g. Spanish oranges, i.e. The good ones, etc. | Mary paid.",
    "It was Smith vs. Jones, cf. Miller.",
    "He lives at No. 5 now. | She asked him. | No. | He said no. | She left.",
    "See pp. 3 and 4, vol. 2, fig. 5 and p. 9. | Then go on.",
    "This is modern art. | Critics hate art. 5 of the law.",
    "The U.S. Senate met in the U.S. | It was late.",
    "He lives in the U.S. | Mr. Lee does not.",
    "At 5 p.m. Tuesday we met; at 6 a.m. GMT we left. | At 7 p.m. | The others came.",
    "J. R. R. Tolkien and J.R.R. Tolkien wrote. | C. S. Lewis read.",
    "It was I. | Nobody came. | I. A. Richards knew.",
    "We chose plan B. | The plan failed.",
    "He has a Ph.D. | She has none. | Jones Co. sold Smith Inc. | The price rose.",
    "It cost 3.50 dollars or 1,000.75 yen. | 20 men came. | $5 was left.",
    "He was 21. | Mary was 19. | The year was 1912. | Nobody knew.",
    "Wait... what? | Really?! | Yes.",
    "He left… | Then she came. | He went . . . away.",
    "“Go!” he said. | “Now!” | Then he went.",
    "“What?” he said. | “What?” I asked. | “What?” | “Nothing.”",
    '"Is it?" I said. | "It is." | I left.',
    "(He ran.) | She sat. | [It rained.] | He wrote “home.” | She read ‘it’. | It was 'Yes!' | Nobody moved.",
    "He stopped.— | Then he ran. | He cried!— | And she? — | Yes.",
    "“You fool!” — he laughed. | “You fool!” — | He laughed.",
    "He ran . | She sat . | Why ? | Because !",
    "_No!_ | *Never.* | He meant it.",
    "John Smith, Jr. ran. | Mr. Smith Sr. stayed. | Messrs. Wood sold.",
    "It came in Jan. 1999 and on Feb. 3. | It went in Dec. | Nobody saw it.",
    "Henry VIII. | The king.",
    "Said he, “See Mr. Dombey's (i.e.) house.”",
    "It was cold.[5] | Then it snowed.[6][a] | Yes [7] and no [8].",
    "See Lee et al. | The paper is good. | Nos. 5 and 6. | He met Ms. Lee about an MS. | The MS. was old.",
    "Don't go! | I'll go. | I'm here.",
    "Yahoo! is a firm. | Is it? yes.",
    "Great! 😀 | We won. 🎉🎉 | Now rest.",
]
GERMAN = [
    "Das gilt z. B. Hunden, d. h. allen, bzw. Katzen usw. | Dann kam er.",
    "Das gilt z.B. Hunden, d.h. Tieren, u.a. Katzen.",
    "Er wohnt in Nr. 5. | Dr. Müller wohnt bei Prof. Schmidt. | Hr. Meier nicht.",
    "Am 3. Oktober kam er, im 19. Jahrhundert, im 2. Weltkrieg, im XX. Jahrhundert. | Danach nicht.",
    "Es war am 3. 10. 1990. | Wir waren 12. | Dann gingen wir.",
    "Er sagte: „Komm!“ | Sie kam. | „Warum?“ fragte er. | »Nein.« | Er ging.",
    "Es war 44 v. Chr. | Die Stadt fiel. | Er starb 12 n. Chr. in Rom.",
    "Ärger gab es nicht. | Übrigens: Öl auch nicht.",
]
FRENCH = [
    "M. Dupont et Mme. Durand, Mlle. Petit et le Dr. Blanc. | Ils parlent.",
    "« Quoi ! » dit-il. « | Rien ? » | Elle rit.",
    "Des fruits, p. ex. des pommes, etc. | Il mange. | Voir p. 5 et chap. 3.",
    "J.-C. Leroy est là. | Étienne aussi.",
]
SPANISH = [
    "El Sr. García y la Sra. López vieron a la Dra. Ruiz. | ¿Qué dijo? | ¡Nada! | Él salió.",
    "Vive en EE. UU. | El presidente también. | ¡Hola! dijo ella. | ¿Usted? | «Sí.» | Ana no.",
    "La pág. 5 y el núm. 3. | Ud. Lo sabe.",
]
ITALIAN_AND_PORTUGUESE = [
    "Il sig. Rossi e il dott. Bianchi sono qui, ecc. | Che cosa c'è? | È tardi.",
    "O Sr. Silva e a Profa. Lima, na Av. Paulista. | Não vieram. | Às cinco, talvez.",
]
DUTCH_AND_NORDIC = [
    "Dhr. Jansen en mevr. Smit hebben bijv. Appels, o.a. Elstar, enz. | Het is laat.",
    "Han kom t.ex. Måndag, dvs. i går. | Hon kom inte. | Ett, två osv. | Åsa log.",
    "Den 3. maj kom han, jf. Loven. | Øst er øst.",
]
POLISH_AND_CZECH = [
    "Owoce, np. Jabłka, m.in. Renety, itd. | Ania je lubi.",
    "Prof. Nowak mieszka na ul. Długiej, tzn. w mieście. | Żona też. | Urodził się w 1990 r. | Potem wyjechał.",
    "Např. Praha, tj. Město, sv. Václav atd. | Šel domů.",
]
RUSSIAN_AND_GREEK = [
    "А. С. Пушкин родился в г. Москве. | Он жил на ул. Арбат, т. е. в центре. | Там и т. д. | Москва ждала.",
    "Он купил хлеб, молоко и т.д. | Анна ушла. | «Куда?» спросил он. — | Домой! — сказала она. — | Да.",
    "В 1812 г. Наполеон вошёл. | Это было в 1812 г. | Он ушёл. | См. рис. 5.",
    "Τι κάνεις; | Καλά. | Ο κ. Παπάς ήρθε; | «Ναι;» | Έφυγε.",
    "Նա եկավ։ | Հետո գնաց։",
    "ის მოვიდა. | მერე წავიდა. | რატომ? | არ ვიცი.",
]
CASELESS = [
    "هل هذا صحيح؟ | نعم هو۔ | جيد. | د. أحمد هنا.",
    "یہ ہے۔ | وہ ہے۔ | کیا؟ | ہاں!",
    "यह है। | वह है॥ | क्या? | डॉ. राम आए।",
    "यह है। | iPhone है।",
    "זה נכון. | א. ב. יהושע כתב. | מה?",
    "네. | 알겠습니다. | 정말요? | 네!",
    "ሰላም። | ደህና ነኝ። | እንዴት፧ | ጥሩ።",
    "ကောင်းတယ်။ | သွားမယ်။",
    "ខ្ញុំទៅ។ | គាត់មក៕ | ហើយ",
]


@pytest.mark.parametrize(
    "marked",
    [
        *ENGLISH,
        *GERMAN,
        *FRENCH,
        *SPANISH,
        *ITALIAN_AND_PORTUGUESE,
        *DUTCH_AND_NORDIC,
        *POLISH_AND_CZECH,
        *RUSSIAN_AND_GREEK,
        *CASELESS,
    ],
)
def test_where_sentences_end(marked: str) -> None:
    found = [" ".join(sentence) for sentence in sentences(marked.replace("|", "").split())]
    assert found == marked.split(" | ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は。明日も！「はい。」終わり", ["今日は。", "明日も！", "「はい。」", "終わり"]),
        ("「はい。」と言った。『何？』って聞く", ["「はい。」と言った。", "『何？』って聞く"]),
        ("「彼は『え！？』と言った。」って。2018年", ["「彼は『え！？』と言った。」って。", "2018年"]),
        ("「『え！？』」と「はい！？」", ["「『え！？』」と「はい！？」"]),
        ("（終わり。）次は？！はい｡次", ["（終わり。）", "次は？！", "はい｡", "次"]),
        ("他说：“走吧。”我们走了。很好", ["他说：“走吧。”", "我们走了。", "很好"]),
        ("“走吧！”，他说。圆周率是３．１４。好", ["“走吧！”，他说。", "圆周率是３．１４。", "好"]),
        ("这是iPhone。iPad也是。OK", ["这是iPhone。", "iPad也是。", "OK"]),
        ("यह है।वह है।। फिर", ["यह है।", "वह है।।", "फिर"]),
        ("صحيح؟نعم", ["صحيح؟", "نعم"]),
        ("me...I said", ["me...I said"]),
    ],
)
def test_stops_without_a_space(text: str, expected: list[str]) -> None:
    assert [" ".join(sentence) for sentence in sentences(text.split())] == expected


@pytest.mark.parametrize(
    ("chunk", "end"),
    [
        ("", End.NONE),
        ("word", End.NONE),
        ("end.,", End.NONE),
        ("MR.", End.NONE),
        ("(e.g.)", End.NONE),
        ("“Mrs.”", End.NONE),
        ("word—Mr.", End.NONE),
        ("Lieut.-Col.", End.NONE),
        ("end.”", End.FULL),
        ("U.S.”", End.FULL),
        ("etc.!", End.FULL),
        ("o't.", End.FULL),
        ("$5.", End.FULL),
        ("7.45.", End.FULL),
        ("1912.", End.FULL),
        ("No.”", End.FULL),
        ("end...", End.FULL),
        ("end...”", End.QUOTED),
        ("?!»", End.QUOTED),
        ("走。", End.CERTAIN),
        ("3.", End.BEFORE_DATE),
        ("XIX.", End.BEFORE_DATE),
        ("P.M.", End.BEFORE_DATE),
        ("No.", End.BEFORE_NUMBER),
        ("Mar.", End.BEFORE_NUMBER),
        ("mar.", End.FULL),
        ("(c.", End.BEFORE_NUMBER),
        ("Ph.D.", End.PERHAPS),
        ("Å.", End.PERHAPS),
        ("네.", End.FULL),
    ],
)
def test_ends(chunk: str, end: End) -> None:
    assert end_of(chunk) is end


@pytest.mark.parametrize(
    ("chunk", "start"),
    [
        ("", Start.UNKNOWN),
        ("—…😀", Start.UNKNOWN),
        ("“it", Start.LOWER),
        ("école", Start.LOWER),
        ("ის", Start.OTHER),
        ("“20", Start.NUMBER),
        ("½", Start.NUMBER),
        ("J.", Start.INITIAL),
        ("J.R.R.", Start.INITIAL),
        ("März", Start.DATE),
        ("Jan.", Start.DATE),
        ("I", Start.THE_WORD_I),
        ("I’ve", Start.THE_WORD_I),
        ("“I", Start.STARTER),
        ("«Анна", Start.STARTER),
        ("THE", Start.STARTER),
        ("It’s", Start.STARTER),
        ("Mr.", Start.STARTER),
        ("(He", Start.STARTER),
        ("Theodore", Start.OTHER),
        ("(Mary", Start.OTHER),
        ("東京", Start.OTHER),
    ],
)
def test_starts(chunk: str, start: Start) -> None:
    assert start_of(chunk) is start


def test_the_table() -> None:
    assert [len(row) for row in ENDS] == [len(Start)] * len(End)
    assert not any(ENDS[End.NONE])
    assert not any(row[Start.UNKNOWN] for row in ENDS)
    assert [end for end in End if ENDS[end][Start.LOWER]] == [End.CERTAIN]
    assert all(row[Start.STARTER] for row in ENDS[1:])


LETTERS = "abemIMNSTVXzéßÄŐомГд가今אدहკΑω"
CHUNKS = st.text(st.sampled_from(LETTERS + "0159٣½.…!?;,:\"'“”„«»()[]-—_*。！？」と؟।։😀&$"), max_size=9)
KNOWN = st.sampled_from(
    ["Mr", "No", "etc", "p.m", "U.S", "The", "It's", "I'm", "Jan", "prof", "XVI", "т.е", "Сам", "3"]
)


@given(st.lists(st.one_of(CHUNKS, st.builds("{}{}{}".format, CHUNKS, KNOWN, CHUNKS))))
def test_describe_is_the_two_functions_chunk_by_chunk(chunks: list[str]) -> None:
    starts, ends = describe(chunks)
    assert list(starts) == [start_of(chunk) for chunk in chunks]
    assert list(ends) == [end_of(chunk) for chunk in chunks]


@given(st.one_of(CHUNKS, st.text()))
def test_split_unspaced_loses_nothing(chunk: str) -> None:
    parts = split_unspaced(chunk)
    assert "".join(parts) == chunk
    assert parts == [chunk] or all(parts)


@given(st.lists(CHUNKS.filter(bool)))
def test_sentences_lose_nothing(chunks: list[str]) -> None:
    found = sentences(chunks)
    assert "".join(chunk for sentence in found for chunk in sentence) == "".join(chunks)
    assert all(found)
