"""Language: a guess from scripts and frequent small words, and a filter by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aidp.effect import Effect, keeping
from aidp.errors import AidpError, did_you_mean
from aidp.operators import operator
from aidp.schema import joined_texts

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

SCRIPTS: Mapping[str, str] = {
    "ar": r"\p{Arabic}",
    "el": r"\p{Greek}",
    "he": r"\p{Hebrew}",
    "hi": r"\p{Devanagari}",
    "ja": r"[\p{Hiragana}\p{Katakana}]",
    "ko": r"\p{Hangul}",
    "ru": r"\p{Cyrillic}",
    "th": r"\p{Thai}",
    "zh": r"\p{Han}",
}
SMALL_WORDS: Mapping[str, str] = {
    "de": "der die das und ist nicht ein eine mit auf den von zu dem sich auch wird",
    "en": "the and of to is in that it for was with as are this be on not what",
    "es": "el los las una que por con para del es como pero se su al",
    "fr": "le les une des est dans que pour pas sur avec qui au ce du et",
    "it": "il gli una che di non per con del della sono come ma anche",
    "nl": "het een van en dat niet met voor zijn op aan ook maar wordt",
    "pt": "os uma que para com por mais como mas ao seu na no do da em",
}
UNKNOWN = "unknown"


@operator(
    each_row=True,
    summed=("languages",),
    example='filter_by_language(data, column="prompt", languages=["en", "zh"])',
)
def filter_by_language(
    table: pa.Table,
    *,
    column: str | list[str] = "text",
    languages: list[str],
    unknown: bool = True,
) -> Effect:
    """Keep rows whose text looks like one of `languages`.

    A guess: the script decides where it can, and for Latin script the most frequent of some
    small words. It is meant to drop clear strangers; short texts are often `unknown`.

    Args:
        table: The rows.
        column: The text column or columns.
        languages: Two-letter codes, of ar de el en es fr he hi it ja ko nl pt ru th zh.
        unknown: Whether rows stay that no guess is made for.

    Raises:
        AidpError: A column is missing or holds no text, or a language is not known.
    """
    known = {*SCRIPTS, *SMALL_WORDS}
    for name in languages:
        if name not in known:
            raise AidpError(f"there is no language {name!r}; {did_you_mean(name, known)}")
    guesses = guess_language(joined_texts(table, column))
    wanted = [*languages, UNKNOWN] if unknown else languages
    counts = guesses.value_counts(sort=True)
    notes = {"languages": dict(counts.iter_rows())}
    return keeping(guesses.is_in(wanted).to_numpy(), "other language", notes=notes)


def guess_language(series: pl.Series) -> pl.Series:
    """A two-letter code per text, or `unknown`, shape (rows,)."""
    import polars as pl

    frame = pl.DataFrame({"text": series.str.to_lowercase()})
    text = pl.col("text")
    scripts = [text.str.count_matches(pattern).alias(code) for code, pattern in SCRIPTS.items()]
    words = [
        text.str.count_matches(rf"\b(?:{small.replace(' ', '|')})\b").alias(code)
        for code, small in SMALL_WORDS.items()
    ]
    letters = text.str.count_matches(r"\p{L}").alias("letters")
    counted = frame.select(letters, *scripts, *words)
    most_script = pl.max_horizontal(*SCRIPTS)
    most_words = pl.max_horizontal(*SMALL_WORDS)
    kana = (pl.col("ja") > 0) & (pl.col("ja") * 5 > pl.col("zh"))
    choice = (
        pl.when((most_script * 2 > pl.col("letters")) | (kana & (most_script > 0)))
        .then(pl.when(kana).then(pl.lit("ja")).otherwise(_argmax(SCRIPTS)))
        .when(most_words > 0)
        .then(_argmax(SMALL_WORDS))
        .otherwise(pl.lit(UNKNOWN))
    )
    return counted.select(choice.alias("language")).to_series()


def _argmax(codes: Mapping[str, str]) -> pl.Expr:
    """The first code with the highest count."""
    import polars as pl

    most = pl.max_horizontal(*codes)
    return pl.coalesce([pl.when(pl.col(code) == most).then(pl.lit(code)) for code in codes])
