"""Where sentences end, in any language. Pure: only strings.

Text is looked at in chunks: runs without white space. Each chunk says two things, whatever stands around it: what kind
of end it may be (`End`) and what kind of start (`Start`). A sentence ends between two chunks when the pair stands in
`ENDS`. The three stages of a decision:

1. Most chunks end in a letter or a comma. Nothing ends there.
2. A stop, with the quotation marks, brackets and dashes that follow it, is an end unless the next word begins in lower
   case: capitals tell a sentence's start from an abbreviation or an exclamation within one.
3. A single "." can belong to a word. What is known of such words says which starts may follow it within a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter


class Start(IntEnum):
    """What a chunk says about whether a sentence begins with it."""

    UNKNOWN = 0
    """Nothing but punctuation and symbols: the next chunk decides. “—”, “»”"""
    LOWER = 1
    """Begins in lower case. “and”, “(or”"""
    NUMBER = 2
    """Begins with a digit. “5”, “$20”"""
    INITIAL = 3
    """One capital letter and its stop. “J.”, “R.R.”"""
    DATE = 4
    """What follows an ordinal or an hour within a sentence. “Oktober”, “Jahrhundert”, “GMT”"""
    THE_WORD_I = 5
    """The English word, a capital wherever it stands. “I”, “I'm”"""
    STARTER = 6
    """A word that begins sentences but hardly any name, or a capital after a quotation mark. “The”, “Он”, “"Mary”"""
    OTHER = 7
    """Any other capital, or a letter of a script that has none. “Mary”, “東京”"""


class End(IntEnum):
    """What a chunk says about whether a sentence ends with it."""

    NONE = 0
    """It does not: no stop, or that of an abbreviation that stands before something. “word,”, “Mr.”, “e.g.”"""
    CERTAIN = 1
    """A stop of a script without capitals. “走。”, “है।”"""
    FULL = 2
    """A stop. “end.”, “end!”, “etc.”, “end...”"""
    QUOTED = 3
    """An exclamation, a question or a pause in quotation marks: “What?” he said, and so may “I”. “What?"”"""
    BEFORE_DATE = 4
    """An ordinal or an hour: 3. Oktober, 5 p.m. GMT. “3.”, “XX.”, “p.m.”"""
    BEFORE_NUMBER = 5
    """No. 5, but also: No. He said so. Lower-case letters too: p. 5, z. B. “No.”, “fig.”, “p.”, “I.”"""
    PERHAPS = 6
    """An abbreviation or initial that stands before names and can also be the last word. “U.S.”, “J.”, “St.”, “Co.”"""


_STARTS_AFTER: Mapping[End, set[Start]] = {
    End.NONE: set(),
    End.CERTAIN: set(Start) - {Start.UNKNOWN},
    End.FULL: set(Start) - {Start.UNKNOWN, Start.LOWER},
    End.QUOTED: set(Start) - {Start.UNKNOWN, Start.LOWER, Start.THE_WORD_I},
    End.BEFORE_DATE: set(Start) - {Start.UNKNOWN, Start.LOWER, Start.NUMBER, Start.DATE},
    End.BEFORE_NUMBER: set(Start) - {Start.UNKNOWN, Start.LOWER, Start.NUMBER, Start.INITIAL},
    End.PERHAPS: {Start.STARTER, Start.THE_WORD_I},
}

ENDS: tuple[tuple[bool, ...], ...] = tuple(tuple(start in _STARTS_AFTER[end] for start in Start) for end in End)
"""ENDS[end][start]: whether a sentence ends between two chunks of these kinds."""


# ---------------------------------------------------------------- punctuation

_CASED_STOPS = ".!?\u2026\u203c\u203d\u2047\u2048\u2049\u037e"  # the last one is Greek and looks like a semicolon
_CJK_STOPS = "\u3002\uff01\uff1f\uff61\uff0e"
_OTHER_STOPS = (
    "\u061f\u06d4"  # Arabic question mark, Urdu full stop
    "\u0964\u0965"  # danda and double danda, of Hindi, Bengali and many more
    "\u0589"  # Armenian
    "\u1362\u1367"  # Ethiopic full stop and question mark
    "\u104b"  # Burmese
    "\u17d4\u17d5"  # Khmer
    "\u0f0d\u0f0e"  # Tibetan
    "\u1803\u1809"  # Mongolian
    "\u1c7e\u1c7f"  # Santali
    "\uabeb"  # Meetei
)
_CASELESS_STOPS = frozenset(_CJK_STOPS + _OTHER_STOPS) - {"\u0589"}  # Armenian has capitals
_STOPS = frozenset(_CASED_STOPS + _CJK_STOPS + _OTHER_STOPS)

# An opening mark of one language closes in another: „German“, »Danish«.
_QUOTATION_MARKS = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb"
_CLOSING_BRACKETS = ")]}>\u300d\u300f\uff09\uff3d\u3011\u300b\u3009\u3015\u3017"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015"
_MARKUP = "_*~|"
_TAIL = "".join(_STOPS) + _QUOTATION_MARKS + _CLOSING_BRACKETS + _DASHES + _MARKUP
ASCII_TAIL = "".join(sorted(filter(str.isascii, _TAIL)))
"""What may stand after a word's last letter."""
ASCII_QUOTATION_MARKS = "".join(filter(str.isascii, _QUOTATION_MARKS))
_BEFORE_A_WORD = _QUOTATION_MARKS + _MARKUP + "([{<\u00a1\u00bf"
_BETWEEN_WORDS = re.compile(rf"[{re.escape(_DASHES + _MARKUP)}/([{{\u2026]")

_CJK_CLOSING = "\u300d\u300f\u201d\u2019\uff09\uff3d\u3011\u300b\u3009\u3015\u3017"
_ANY_STOP, _UNSPACED = "".join(sorted(_STOPS)), _CJK_STOPS + _OTHER_STOPS
_UNSPACED_STOP = re.compile(  # a run of stops is taken whole or not at all, which is also what keeps it fast
    rf"(?<![{_ANY_STOP}])[{_CASED_STOPS}]*[{_UNSPACED}][{_ANY_STOP}]*(?![{_ANY_STOP}])"
    rf"(?:[{_CJK_CLOSING}]+(?![{_CJK_CLOSING}\u3068]|\u3063\u3066)|(?![{_CJK_CLOSING}]))"  # 「はい。」と: said so
    r"(?![\u3001\uff0c,]|(?<=[.\uff0e\u06d4\u0589])\d)"  # a comma after the quotation, or ３．５
)
_MAY_BE_CUT = re.compile(rf"[{_CJK_STOPS}{_OTHER_STOPS}\ufeff]")


def lines_that_may_be_cut(text: str) -> list[int]:
    """Return the numbers of the lines with anything in them after which `split_unspaced` may cut, or a byte-order mark.

    >>> lines_that_may_be_cut("one\\n\u4eca\u65e5\u306f\u3002\\ntwo")
    [1]
    """
    numbers: list[int] = []
    number = place = 0
    for match in _MAY_BE_CUT.finditer(text):
        new = text.count("\n", place, match.start())
        number, place = number + new, match.start()
        if new or not numbers:
            numbers.append(number)
    return numbers


def split_unspaced(chunk: str) -> list[str]:
    """Cut a chunk after the stops that no space need follow, and their closing marks; nearly all are left whole.

    >>> split_unspaced("\u4eca\u65e5\u306f\u3002\u300c\u306f\u3044\uff01\u300d\u7d42\u308f\u308a")
    ['\u4eca\u65e5\u306f\u3002', '\u300c\u306f\u3044\uff01\u300d', '\u7d42\u308f\u308a']
    >>> split_unspaced("me...I")
    ['me...I']
    """
    if chunk.isascii():
        return [chunk]
    cuts = [0, *(match.end() for match in _UNSPACED_STOP.finditer(chunk) if match.end() < len(chunk)), len(chunk)]
    return [chunk[first:last] for first, last in pairwise(cuts)]


# ---------------------------------------------------------------- starts

_FIRST_WORDS: Mapping[Start, str] = {
    Start.DATE: (
        # English and German: only these write months and days with a capital
        "january february march april may june july august september october november december "
        "jan feb mar apr jun jul aug sept sep oct nov dec "
        "monday tuesday wednesday thursday friday saturday sunday "
        "januar jänner februar märz mai juni juli oktober dezember "
        "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag "
        # German nouns that ordinals stand before
        "jahrhundert jahrhunderts jahrhunderte jahrtausend jahrtausends weltkrieg weltkriegs weltkrieges "
        "lebensjahr lebensjahres geburtstag jahrestag tag tage tages mal platz stock etage klasse auflage kapitel band "
        "teil akt szene bezirk armee division semester spieltag runde minute bundesliga sinfonie symphonie "
        # zones of time
        "gmt utc est edt et cst cdt ct pst pdt pt bst cet mez"
    ),
    Start.STARTER: (
        # English
        "the a an he she it we you they this that these those there then when where while what who whom whose why how "
        "which but and or nor so if as at in on of for from to with without within by after before although though "
        "because since until unless his her its our my your their him them me us not no yes some many most all both "
        "each every either neither only even still yet now here once one two three such is was are were did have has "
        "had can could would should let perhaps however oh ah well meanwhile thus nothing nobody something somebody "
        "someone everything everybody everyone anything another other others under over upon among between during "
        "despite according finally suddenly later soon through against into it's he's she's that's there's what's "
        "we're they're you're don't didn't mr mrs ms "
        # German
        "der die das dem den ein eine einer einem einen er sie es wir ihr ich und aber oder doch im am an auf aus bei "
        "beim mit nach zu zum zur als wenn weil dann dort hier heute so wie was wer wo warum nicht kein keine auch nur "
        "noch schon man sein seine seinen ihre ihren mein meine dieser diese dieses diesen diesem jeder jede für um "
        "über unter vor durch gegen seit während trotz bis denn nun damals dabei dazu nachdem obwohl "
        # French
        "les un une il elle on nous vous ils elles je ce cet cette ces et mais dans pour avec sans sur par quand si "
        "qui que comme son sa ses leur leurs mon ma mes notre votre tout puis alors après avant depuis c'est c'était "
        "j'ai j'avais "
        # Spanish
        "el una en y pero con por para se su sus ella ellos yo cuando como es este esta esto ese esa también después "
        # Italian
        "lo gli è ma per non nel nella nei questo questa quando come che lui lei io anche dopo "
        # Portuguese
        "o os as um uma ele ela eles eu mas em na nos nas com não isso isto quando foi "
        # Dutch
        "het een hij zij ze wij ik en maar op voor na toen dat dit deze er niet ook als "
        # Swedish, Danish, Norwegian
        "han hon hun det ett jag jeg vi på men och og när när då da hans hennes "
        # Polish, Czech
        "ona ono oni ten ta nie w z po ale jak gdy kiedy czy już od jego jej był była było tak v ve je byl byla "
        # Turkish
        "bu bir ve ama "
        # Russian, Ukrainian
        "он она оно они я ты мы вы это этот эта эти тот та те то в во на с со к ко по за от из у о об и а но да не ни "
        "как когда если что кто где так там тут тогда потом затем его её ее их мой все всё для при до после уже только "
        "був вона він вони це ці та але що коли й і є "
        # Greek
        "ο η οι τα και αλλά στο στη στην με για από δεν αυτό αυτός αυτή όταν "
    ),
}
START_OF = {word: kind for kind, words in _FIRST_WORDS.items() for word in words.split()}
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*\.?")


def start_of(chunk: str) -> Start:
    """Say what the first letter or digit of a chunk, and the word it begins, tell of a sentence's start.

    >>> [start_of(chunk).name for chunk in ("\u2014", "end", "20", "J.", "May", "I'm", "The", '"Mary', "Mary")]
    ['UNKNOWN', 'LOWER', 'NUMBER', 'INITIAL', 'DATE', 'THE_WORD_I', 'STARTER', 'STARTER', 'OTHER']
    """
    match = _LETTER_OR_DIGIT.search(chunk)
    if not match:
        return Start.UNKNOWN
    first, place = match.group(), match.start()
    if first.islower() and not _is_georgian(first):
        return Start.LOWER
    if not first.isalpha():
        return Start.NUMBER
    if place and chunk[place - 1] in _QUOTATION_MARKS:
        return Start.STARTER
    return _start_of_word(chunk, place)


def _start_of_word(chunk: str, place: int) -> Start:
    match = _FIRST_WORD.match(chunk, place)
    assert match  # it is a letter
    word = match.group()
    if len(word) == 2 and word[1] == "." and word[0].isupper():
        return Start.INITIAL
    word = word.lower().replace("\u2019", "'")
    if place == 0 and (word == "i" or word.startswith("i'")):
        return Start.THE_WORD_I
    return START_OF.get(word) or START_OF.get(word.rstrip("."), Start.OTHER)


def _is_georgian(letter: str) -> bool:
    """Return whether this is a Georgian letter: lower case by name, but no sentence begins with a capital."""
    return "\u10d0" <= letter <= "\u10ff"


# ---------------------------------------------------------------- ends

# Written with a capital: only so. Otherwise in any case. What ends sentences as freely as other words is not listed.
_ENDS_OF_WORDS: Mapping[End, str] = {
    End.NONE: (
        # English
        "mr mrs Ms mx messrs dr drs prof rev Hon Gen Col Maj Capt Cpt Lt Sgt Cpl Adm Cmdr Gov Sen Rep Pres Supt Insp "
        "Msgr Lieut Mons Mdlle Sta Sto Ft mt wm chas thos geo jas jos "
        "e.g i.e eg ie viz vs v cf pp vols chs eds approx "
        # German
        "Hr Hrn Fr Frl Hl z.b d.h bzw bzgl vgl nr sog inkl evtl ggf dipl Ing Bd Abb Kap Tab Hrsg Gebr geb "
        # French
        "mme mmes mlle mlles MM Mgr ste "
        # Spanish and Portuguese
        "sra sras srta srs srta dra dras profa exmo exma ud uds pág págs núm "
        # Italian
        "sig dott avv pag egr "
        # Dutch
        "dhr mevr mw bijv bv blz mej "
        # Swedish, Danish, Norwegian, Finnish
        "t.ex bl.a f.eks jf esim "
        # Polish, Czech
        "np m.in tzn tzw ul św ks inż mgr godz str zob např tzv tj sv nám mudr judr "
        # Romanian, Hungarian, Turkish, Indonesian
        "dl pl bkz Sn hlm "
        # Russian, Ukrainian, Bulgarian
        "ул им проф акад ген гос св ср стр рис табл напр т.е т.к т.н вул див "
        # Greek
        "κ κα δρ π.χ "
        # Hindi
        "डॉ प्रो पं"
    ),
    End.FULL: (
        # "and so on", written with inner stops
        "т.д т.п o.s.v m.m m.fl i.t.d d.v.s"
    ),
    End.BEFORE_DATE: "a.m p.m",
    End.BEFORE_NUMBER: (
        # English and Romance languages; Polish "ok. 5" and Hungarian "kb. 5": about 5
        "no nos art fig figs ch chap cap sec op para env ok kb Jan Feb Mar Apr Jun Jul Aug Sept Sep Oct Nov Dec"
    ),
    End.PERHAPS: (
        # English
        "st co inc ltd corp bros jr jun jnr sr snr esq bart ave blvd rd MS MSS vol ed ex p al ca "
        # German
        "Chr n.chr v.chr Jh Jhd Str Mio Mrd n "
        # Spanish, French, Italian
        "av avda EE ltda cía éd "
        # Russian
        "г о р гг гр см"
    ),
}
ABBREVIATIONS = {word: kind for kind, words in _ENDS_OF_WORDS.items() for word in words.split()}
_LONGEST = max(map(len, ABBREVIATIONS))
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_FOOTNOTES = re.compile(r"(?:\[\w{1,3}\]){1,20}$")  # without a bound it would take quadratic time
_ROMAN = re.compile("[IVX]{2,}")


def end_of(chunk: str) -> End:
    """Say what the stop at the end of a chunk, if there is one, tells of a sentence's end.

    >>> [end_of(chunk).name for chunk in ("end,", "Mr.", "end.", "end.)", 'What?"', "p.m.", "No.", "U.S.", "J.")]
    ['NONE', 'NONE', 'FULL', 'FULL', 'QUOTED', 'BEFORE_DATE', 'BEFORE_NUMBER', 'PERHAPS', 'PERHAPS']
    """
    if chunk[-1:] == "]":
        chunk = _FOOTNOTES.sub("", chunk)
    stem = chunk.rstrip(ASCII_TAIL if chunk.isascii() else _TAIL)
    tail = chunk[len(stem) :]
    end, by_word = end_of_tail(tail)
    if by_word:
        kind = _end_of_abbreviation(stem)
        return kind if tail == "." or kind is End.NONE else End.FULL
    return end or (End.FULL if _is_greek_question(chunk) else End.NONE)


@lru_cache(maxsize=1000)
def end_of_tail(tail: str) -> tuple[End, bool]:
    """Say what stops tell, with the closing marks among them; and whether the word before may make it another end.

    >>> end_of_tail('."'), end_of_tail('?"')
    ((<End.FULL: 2>, True), (<End.QUOTED: 3>, False))
    """
    if _STOPS.isdisjoint(tail):
        return End.NONE, False
    if not _CASELESS_STOPS.isdisjoint(tail):
        return End.CERTAIN, False
    pause = any(mark != "." for mark in tail if mark in _STOPS) or ".." in tail
    if pause and tail[0] in _STOPS and tail[-1] in _QUOTATION_MARKS:
        return End.QUOTED, False
    return End.FULL, tail[0] == "." and _STOPS.isdisjoint(tail[1:])


def _end_of_abbreviation(stem: str) -> End:
    """Say what a word tells of the single stop after it.

    >>> [_end_of_abbreviation(word).name for word in ("Mr", "word", "(c", "see\u2014fig", "3")]
    ['NONE', 'FULL', 'BEFORE_NUMBER', 'BEFORE_NUMBER', 'BEFORE_DATE']
    """
    word = stem if stem.isalpha() else _BETWEEN_WORDS.split(stem.lstrip(_BEFORE_A_WORD))[-1]
    if len(word) == 1:
        return _end_of_letter(word)
    if len(word) <= _LONGEST:
        kind = ABBREVIATIONS.get(word)
        if kind is None:
            kind = ABBREVIATIONS.get(word.lower())
        if kind is not None:
            return kind
        if (len(word) == 2 and word.isdecimal()) or _ROMAN.fullmatch(word):
            return End.BEFORE_DATE
    return End.PERHAPS if "." in word and _DOTTED.fullmatch(word) else End.FULL


def _end_of_letter(letter: str) -> End:
    if letter in ABBREVIATIONS:
        return ABBREVIATIONS[letter]
    if letter.isdecimal():
        return End.BEFORE_DATE
    if letter == "I" or (letter.islower() and not _is_georgian(letter)):
        return End.BEFORE_NUMBER
    # Hebrew and Arabic initials have no capitals; a single letter of other such scripts is a word
    return End.PERHAPS if letter.isupper() or "\u05d0" <= letter <= "\u06ff" else End.FULL


def _is_greek_question(chunk: str) -> bool:
    """Return whether the semicolon at the end of a chunk is the question mark of Greek."""
    stem = chunk.rstrip(_QUOTATION_MARKS + _CLOSING_BRACKETS)
    return stem[-1:] == ";" and ("\u0370" <= stem[-2:-1] <= "\u03ff" or "\u1f00" <= stem[-2:-1] <= "\u1fff")


# ---------------------------------------------------------------- many chunks


_UNDECIDED = 255


class _Memo(dict[str, int]):
    """What a few characters say of every chunk that has them, worked out once; _UNDECIDED where more must be seen."""

    def __init__(self, look: Callable[[str], int]) -> None:
        self.look = look

    def __missing__(self, characters: str) -> int:
        kind = self.look(characters)
        if len(self) < 100_000:  # scripts of many thousand characters would fill the memory
            self[characters] = kind
        return kind


def _start_by_three(first: str) -> int:
    """Return `start_of` of all chunks that begin with these three characters."""
    start = start_of(first)
    quoted = first != "" and first[0] in _QUOTATION_MARKS and first[1:2].isupper()
    unlisted = start is Start.OTHER and first.isalpha() and first.lower() not in _FIRST_THREE
    return int(start) if start in (Start.LOWER, Start.NUMBER) or quoted or unlisted else _UNDECIDED


def _end_by_three(last: str) -> int:
    """Return `end_of` of all chunks that end with these three characters."""
    stem = last.rstrip(_TAIL)
    dot = last[len(stem) : len(stem) + 1] == "."
    greek = ";" in last and not last.isascii()
    return _UNDECIDED if not stem or dot or greek or "]" in last else int(end_of(last))


def _end_by_four(last: str) -> int:
    """Return `end_of` of all chunks that end with these: three letters that end no abbreviation, and a dot."""
    letters = last[:-1]
    unlisted = len(letters) == 3 and letters.isalpha() and letters.islower() and letters not in _LAST_THREE
    return int(End.FULL) if unlisted and last[-1] == "." else _UNDECIDED


_FIRST_THREE = {word[:3] for word in START_OF}
_LAST_THREE = {word[-3:] for word in ABBREVIATIONS}
_starts_by_three, _ends_by_three, _ends_by_four = _Memo(_start_by_three), _Memo(_end_by_three), _Memo(_end_by_four)


def describe(chunks: Sequence[str]) -> tuple[bytes, bytes]:
    """Return `start_of` and `end_of` of many chunks, a byte each; a few characters nearly always decide.

    >>> describe(["The", "end."])
    (b'\\x06\\x01', b'\\x00\\x02')
    """
    starts = bytearray(map(_starts_by_three.__getitem__, map(itemgetter(slice(3)), chunks)))
    for place in _undecided(starts):
        chunk = chunks[place]
        is_word = chunk.isalpha() and chunk != "I"
        starts[place] = START_OF.get(chunk.lower(), Start.OTHER) if is_word else start_of(chunk)
    ends = bytearray(map(_ends_by_three.__getitem__, map(itemgetter(slice(-3, None)), chunks)))
    for place in _undecided(ends):
        chunk = chunks[place]
        end = _ends_by_four[chunk[-4:]]
        if end == _UNDECIDED:
            word = chunk[:-1]
            end = _end_of_abbreviation(word) if chunk[-1:] == "." and word.isalpha() else end_of(chunk)
        ends[place] = end
    return bytes(starts), bytes(ends)


def _undecided(kinds: bytearray) -> Iterator[int]:
    place = kinds.find(_UNDECIDED)
    while place >= 0:
        yield place
        place = kinds.find(_UNDECIDED, place + 1)


def sentences(chunks: Iterable[str]) -> list[list[str]]:
    """Group chunks into sentences.

    >>> text = "He met Dr. No. \u201cWhat?\u201d he said. Then he left."
    >>> [" ".join(sentence) for sentence in sentences(text.split())]
    ['He met Dr. No.', '\u201cWhat?\u201d he said.', 'Then he left.']
    """
    found: list[list[str]] = []
    sentence: list[str] = []
    pending = End.NONE
    for chunk in _pieces(chunks):
        start = start_of(chunk)
        if pending and start is not Start.UNKNOWN:
            if ENDS[pending][start]:
                found.append(sentence)
                sentence = []
            pending = End.NONE
        sentence.append(chunk)
        pending = end_of(chunk) or pending
    return [*found, sentence] if sentence else found


def _pieces(chunks: Iterable[str]) -> Iterator[str]:
    for chunk in chunks:
        yield from split_unspaced(chunk)
