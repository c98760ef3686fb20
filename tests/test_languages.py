"""Samples of languages, with the sentences and tokens that a reader of each would expect.

Where that is more than rules without a dictionary can do, a comment says so.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.conftest import W2V, need
from w2vcli.preprocessing.rules import OwnTokenizer
from w2vcli.text import Rules, sentences_of

SAMPLES = {
    "German": (
        "Prof. Dr. Weiß kam am 3. Mai um 8.30 Uhr nach Köln-Mülheim. „Wie geht’s?“, fragte er. Die Straße war z. B.\n"
        "nachts leer; man sah ca. 20 Autos. Ein E‑Mail-Konto hat sie nicht! Im 18. Jahrhundert lebte hier J. Blum.\n",
        [
            "prof dr weiß kam am 3 mai um 8 30 uhr nach köln-mülheim",  # numbers are cut at points and commas
            "wie geht's fragte er",
            "die straße war z b nachts leer man sah ca 20 autos",  # as are abbreviations
            "ein e-mail-konto hat sie nicht",
            "im 18 jahrhundert lebte hier j blum",
        ],
    ),
    "Polish": (
        "Pani Zofia mieszka przy ul. Polnej, tj. w centrum Łodzi. „Dokąd idziesz?” – zapytał Jaś. W 2019 r. kupili\n"
        "żółty rower, m.in. dla Świętosława. Czyż to nie źdźbło?\n",
        [
            "pani zofia mieszka przy ul polnej tj w centrum łodzi",
            "dokąd idziesz zapytał jaś",
            "w 2019 r kupili żółty rower m in dla świętosława",
            "czyż to nie źdźbło",
        ],
    ),
    "Russian": (
        "Утром, в 7 ч., А. С. Петров вышел на ул. Садовую. «Куда ты?» — спросила Ольга. В 1999 г. здесь жило 2 тыс.\n"
        "человек, т.е. мало. Всё-таки ёлка кое-где растёт! Кто-нибудь знает?\n",
        [
            "утром в 7 ч а с петров вышел на ул садовую",
            "куда ты спросила ольга",
            "в 1999 г здесь жило 2 тыс человек т е мало",
            "всё-таки ёлка кое-где растёт",
            "кто-нибудь знает",
        ],
    ),
    "Hindi": (
        "मेरा नाम अनिता है। मैं दिल्ली में रहती हूँ, और डॉ. शर्मा मेरे पड़ोसी हैं। क्या आप १५ अगस्त को आएँगे? क़लम ज़रूर लाइए॥\n",
        [
            "मेरा नाम अनिता है",
            "मैं दिल्ली में रहती हूँ और डॉ शर्मा मेरे पड़ोसी हैं",
            "क्या आप १५ अगस्त को आएँगे",
            "क़लम ज़रूर लाइए",
        ],
    ),
    "Arabic": (
        "ذهبَ أحمدُ إلى المدرسة، ثم عاد إلى البيت. هل قرأتَ الكتاب؟ نعم، قرأتُ ٢٥ صفحةً منه!\n"
        "قال: «أنا بخير». وصل د. سمير.\n",
        [
            "ذهبَ أحمدُ إلى المدرسة ثم عاد إلى البيت",  # vowel signs stay, as does the article
            "هل قرأتَ الكتاب",
            "نعم قرأتُ ٢٥ صفحةً منه",
            "قال أنا بخير",
            "وصل د سمير",
        ],
    ),
    "Persian": (
        "من کتاب\u200cها را می\u200cخوانم. آیا شما هم می\u200cآیید؟ خانه\u200cی ما در خیابان ۱۲ است؛\n"
        "بچه\u200cها بازی می\u200cکنند!\n"
        "او گفت: «نمی\u200cدانم.»\n",
        [
            "من کتاب\u200cها را می\u200cخوانم",  # prefixes and endings are written with a joiner: one word
            "آیا شما هم می\u200cآیید",
            "خانه\u200cی ما در خیابان ۱۲ است بچه\u200cها بازی می\u200cکنند",
            "او گفت نمی\u200cدانم",
        ],
    ),
    "Greek": (
        "Ο κ. Παπαδόπουλος μένει στην Αθήνα. Τι κάνεις; Είμαι καλά, π.χ. σήμερα περπάτησα 5 χλμ. Ο ΟΔΥΣΣΕΑΣ είπε:\n"
        "«Φεύγουμε!» Ύστερα έφυγε· μόνος.\n",
        [
            "ο κ παπαδόπουλος μένει στην αθήνα",
            "τι κάνεις",
            "είμαι καλά π χ σήμερα περπάτησα 5 χλμ",
            "ο οδυσσεας είπε φεύγουμε",  # capitals are written without accents: another word than οδυσσέας
            "ύστερα έφυγε μόνος",
        ],
    ),
    "Turkish": (
        "İstanbul'da yağmur yağıyor. IŞIK söndü mü? Dr. Çiğdem Hanım’ın kedisi 3. katta uyuyor. Ilık süt iç, dedi!\n",
        [
            # Lower case is Unicode's, the same for all languages: İ becomes i and a dot above, and I becomes i.
            # A Turkish reader expects istanbul'da, ışık and ılık; lowercase: false leaves letters as they are.
            "i\u0307stanbul'da yağmur yağıyor",
            "işik söndü mü",
            "dr çiğdem hanım'ın kedisi 3 katta uyuyor",
            "ilık süt iç dedi",
        ],
    ),
    "Thai": (
        "ฉันชอบกินข้าวผัดกับเพื่อน วันนี้อากาศดีมาก\n",
        ["ฉันชอบกินข้าวผัดกับเพื่อน วันนี้อากาศดีมาก"],  # words need a tokenizer that knows them: see below
    ),
    "Japanese": (
        "今日は雨です。「行きますか？」と彼は聞いた。「いいえ！」彼女は笑った。３．５キロ走った。\n",
        # likewise; but quotations that go on are not cut
        ["今日は雨です", "行きますか と彼は聞いた", "いいえ", "彼女は笑った", "３ ５キロ走った"],
    ),
}


@pytest.mark.parametrize("language", SAMPLES)
def test_sentences_and_tokens(language: str) -> None:
    text, expected = SAMPLES[language]
    expected = [unicodedata.normalize("NFC", sentence) for sentence in expected]
    assert [" ".join(tokens) for tokens in sentences_of(text, Rules(), "paragraph")] == expected


def test_tweets() -> None:
    text = (
        "omg 😂😂 can't believe it!!! Check https://t.co/AbC123 @jane_doe #MondayMotivation ❤️\n"
        "So proud of my team 👩🏽‍💻👨‍💻 We shipped v2.0 🚀🚀\n"
        "RT @bob: u ok?? 🤷🏾‍♀️ I'm fine... 🇧🇷 won 3️⃣:1️⃣!!\n"
    )
    assert [" ".join(tokens) for tokens in sentences_of(text, Rules(urls="placeholder"))] == [
        "omg 😂 😂 can't believe it",
        "check <url> jane doe mondaymotivation ❤️",  # names are cut at underscores; the signs before them go
        "so proud of my team 👩🏽‍💻 👨‍💻 we shipped v2 0 🚀 🚀",
        "rt bob u ok 🤷🏾‍♀️",
        "i'm fine 🇧🇷 won 3️⃣ 1️⃣",  # after three dots lower case goes on
    ]


def test_turkish_with_its_letters_left_alone() -> None:
    text, _ = SAMPLES["Turkish"]
    assert sentences_of(text, Rules(lowercase=False))[0] == ["İstanbul'da", "yağmur", "yağıyor"]
    assert sentences_of(text, Rules(strip_accents=True))[0] == ["istanbul'da", "yagmur", "yagıyor"]  # ı has no accent


CHINESE = (
    "我们昨天去了北京大学。天气很好，大家都很高兴！你喜欢吃苹果吗？“我喜欢。”他说。她有12个朋友😀。",
    [
        "我们 昨天 去 了 北京大学",
        "天气 很 好 大家 都 很 高兴",
        "你 喜欢 吃 苹果 吗",
        "我 喜欢",  # nothing tells that the sentence goes on after the quotation
        "他 说",
        "她 有 12 个 朋友 😀",
    ],
)
THAI = (
    "ฉันชอบกินข้าวผัดกับเพื่อน วันนี้อากาศดีมาก\nพรุ่งนี้เราจะไปเที่ยวทะเล! คุณมีหนังสือกี่เล่ม? ผมมี 12 เล่ม 😀\n",
    [
        # Thai has no full stops: without other marks a line, or whatever the unit is, is one sentence.
        "ฉัน ชอบ กิน ข้าวผัด กับ เพื่อน วันนี้ อากาศ ดีมาก",
        "พรุ่งนี้ เรา จะ ไปเที่ยว ทะเล",
        "คุณ มี หนังสือ กี่ เล่ม",
        "ผม มี 12 เล่ม 😀",
    ],
)


@pytest.mark.parametrize(
    ("module", "function", "text", "expected"),
    [("rjieba", "rjieba:cut", *CHINESE), ("pythainlp", "pythainlp.tokenize:word_tokenize", *THAI)],
)
def test_words_without_spaces(
    module: str, function: str, text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(module, module)
    monkeypatch.setenv("PYTHAINLP_DATA", str(tmp_path))  # where it makes a folder
    rules = Rules(tokenizer=OwnTokenizer(function))
    assert [" ".join(tokens) for tokens in sentences_of(text, rules)] == expected


def test_thai_by_the_command(w2v: W2V, tmp_path: Path) -> None:
    need("pythainlp", "pythainlp")
    text, expected = THAI
    (tmp_path / "thai.txt").write_text(text)
    arguments = ("preprocess", "thai.txt", "-o", "words.txt")
    setting = "preprocess.tokenizer=pythainlp.tokenize:word_tokenize"
    result = w2v(*arguments, "--set", setting, cwd=tmp_path, PYTHAINLP_DATA=str(tmp_path), PYTHAINLP_OFFLINE="1")
    assert result.code == 0, result.err
    assert (tmp_path / "words.txt").read_text().splitlines() == expected
