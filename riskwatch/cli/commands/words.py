"""``riskwatch words``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table

_FEW = 5


def _count(number: int) -> str:
    return str(number) if number == 0 or number >= _FEW else f"<{_FEW}"


@app.command("words")
def words_command(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="A model with terms; default: all in force.")] = None,
    themes: Annotated[bool, typer.Option("--themes", help="Show themes (words that come together) and how they grew instead.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Rows printed, least likely chance first.")] = 15,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show words of narratives and product names that are in a larger share of the newest records than before.

    A product that has no code of its own yet shows in words first. Texts are scrubbed of names, numbers, schools, hospitals, firms and
    addresses before they are cut into words; a word that fewer than five records hold is not shown, nor is any text.

    now, before: records of the window and of the baseline that hold the word. log_odds: weighted log-odds ratio with its z (Monroe and
    others 2008). p: how often chance puts so many of the word's records into the window, words being as clustered in time as they are; q:
    false-discovery rate over all words. "alarm" marks words that also pass the model's floors; same_as names a stronger word of the same
    records. product is the deepest product node that holds most of the word's records.

    Example: riskwatch words

    Example: riskwatch words --themes --json
    """
    frame = open_project(context).words(model, themes=themes, as_of=day(as_of))
    if themes:
        shown = frame.assign(terms=[", ".join(terms) for terms in frame["terms"]])
    else:
        few = frame["records_now"] + frame["records_before"] < _FEW
        shown = frame.loc[~few.to_numpy(bool)]
        shown = shown.assign(records_now=shown["records_now"].map(_count), records_before=shown["records_before"].map(_count))
        # A share of a number that is not shown would tell it.
        shown = shown.drop(columns=["share_now", "share_before"])
    if as_json:
        print_json({"rows": plain_rows(shown)})
        return
    if shown.empty:
        sys.stdout.write("no words: no model in force has terms, or there are too few records\n")
        return
    head = shown.head(most)
    if themes:
        columns = ["model", "theme", "terms", "records_now", "records_before", "growth", "lower", "upper"]
        for name in ("growth", "lower", "upper"):
            head = head.assign(**{name: head[name].map("{:.2f}".format)})
        title = f"{len(shown)} themes, fastest growing first"
    else:
        columns = [
            "model", "term", "product", "product_zh", "product_en", "records_now", "records_before", "log_odds", "z", "p_value", "q_value",
            "alarm", "same_as",
        ]  # fmt: skip
        head = head.assign(
            log_odds=head["log_odds"].map("{:.2f}".format),
            z=head["z"].map("{:.1f}".format),
            p_value=head["p_value"].map("{:.2g}".format),
            q_value=head["q_value"].map("{:.3f}".format),
        )
        title = f"{int(shown['alarm'].sum())} emerging words among {len(shown):,}"
    print_table(columns, head[columns].to_numpy().tolist(), title=title)
