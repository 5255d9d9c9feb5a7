"""Do outside notices lead local alarms? On the public data sets; docs/outside_signals.md has the figures.

python benchmarks/study_outside.py DATA: DATA holds rasff_notifications, cpsc_recalls, fsis_recalls, cn_food_spotcheck,
neiss_youth_2011_2019, neiss_codebooks. Prints the share of notices matched, then one row per comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from ruamel.yaml import YAML
from scipy.stats import binom

from riskwatch.assessment.hazards import UNKNOWN, Classifier
from riskwatch.assessment.rules import HazardCatalogue
from riskwatch.outside.lead import Lead, lead
from riskwatch.outside.matching import match
from riskwatch.outside.rules import OutsideRules

ROOT = Path(__file__).resolve().parent.parent
YAML_ = YAML(typ="safe")
AHEAD = BEHIND = 6  # months: about 180 days
ALARM_P = 0.01


def _yaml(path: str) -> dict[str, object]:
    return dict(YAML_.load((ROOT / path).read_text("utf-8")))


def codes() -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the product list of the real profile, and name of a RASFF category -> its code."""
    products = pd.read_csv(ROOT / "config/dimensions/real_products.csv", dtype=str)
    own = products.loc[products["code"].str.startswith("rasff:")]
    names = dict(zip(own["name_en"].str.lower(), own["code"], strict=True))
    sources = _yaml("config/sources/real.yaml")["sources"]
    rasff = next(one for one in sources if one["name"] == "rasff")  # type: ignore[attr-defined]
    return products, {**names, **{name.lower(): code for name, code in rasff["codes"]["product"]["names"].items()}}


def notices(data: Path, names: dict[str, str]) -> pd.DataFrame:
    """Return all notices: system, product, title, distribution, hazard, hazard_class, origin, here (notifying country), month."""
    old = pd.read_parquet(data / "rasff_notifications/rasff_2020_2024.parquet")
    old = old.rename(
        columns={
            "date_of_case": "date", "product": "title", "product_category": "category", "hazard_substance": "hazard",
            "hazard_category": "hazard_class", "notification_from": "here", "country_origin": "origin",
        }
    )  # fmt: skip
    new = pd.read_parquet(data / "rasff_notifications/rasff_2024_2025_detailed.parquet")
    new = new.rename(columns={"subject": "title", "hazards": "hazard", "notifying_country": "here"})
    rasff = pd.concat([old, new]).drop_duplicates("reference", keep="first")
    rasff = rasff.assign(system="RASFF", product=rasff["category"].str.lower().map(names), distribution="")
    rasff["here"] = rasff["here"].str.replace(r"\s*\(.*\)$", "", regex=True)
    cpsc = pd.read_parquet(data / "cpsc_recalls/recalls.parquet")
    cpsc = cpsc.rename(columns={"recall_date": "date", "descriptions": "title", "hazards": "hazard", "product_types": "distribution"})
    cpsc = cpsc.assign(system="CPSC", product="recalls:cpsc-consumer")
    fsis = pd.read_parquet(data / "fsis_recalls/recalls.parquet").rename(columns={"start_date": "date", "reasons": "hazard"})
    fsis = fsis.assign(system="FSIS", product="recalls:fsis-meat", distribution="")
    columns = ["system", "product", "title", "distribution", "hazard", "hazard_class", "origin", "here", "date"]
    frame = pd.concat([one.reindex(columns=columns) for one in (rasff, cpsc, fsis)], ignore_index=True)
    frame["month"] = pd.to_datetime(frame["date"]).dt.to_period("M")
    return frame


def grid(frame: pd.DataFrame, cells: pd.MultiIndex, months: pd.PeriodIndex, by: list[str]) -> npt.NDArray[np.float64]:
    """Return counts, shape (cells, months)."""
    table = frame.groupby([*by, "month"]).size().unstack("month", fill_value=0)  # noqa: PD010 - a series of counts
    return table.reindex(index=cells, columns=months, fill_value=0).to_numpy(dtype=np.float64)


def injuries(data: Path, matched: pd.DataFrame) -> Lead:
    """CPSC recalls before excesses of the product's injuries (mechanical: the extract has no other) among people of 14 to 24."""
    rows = pd.read_parquet(data / "neiss_youth_2011_2019/injuries.parquet", columns=["treatment_date_est", "prod1", "prod2"])
    rows["month"] = pd.to_datetime(rows["treatment_date_est"]).dt.to_period("M")
    months = pd.period_range("2011-01", "2014-04", freq="M")  # recalls are known to October 2013: half a year more for what follows
    rows = rows.loc[rows["month"].isin(months)]
    recalls = matched.loc[(matched["system"] == "CPSC") & (matched["class"] == "mechanical") & (matched["month"] <= months[-1])]
    rows["product"] = "neiss:" + rows["prod1"].astype(int).astype(str)
    cells = pd.MultiIndex.from_arrays([sorted({*recalls["product"]} & {*rows["product"]})], names=["product"])
    counts = grid(rows, cells, months, ["product"])
    total = rows.groupby("month").size().reindex(months).to_numpy(dtype=np.float64)
    # The three months around the same month of the year before, both as shares of all injuries: exact conditional test.
    past = np.full_like(counts, np.nan)
    size = np.full(len(months), np.nan)
    for t in range(13, len(months)):
        past[:, t], size[t] = counts[:, t - 13 : t - 10].sum(axis=1), total[t - 13 : t - 10].sum()
    judged = np.isfinite(past) & (past + counts >= 5)
    p = binom.sf(counts - 1, counts + np.nan_to_num(past), np.broadcast_to(total / (total + np.nan_to_num(size, nan=1.0)), counts.shape))
    return lead(grid(recalls, cells, months, ["product"]) > 0, judged & (p < ALARM_P), judged, ahead=AHEAD, behind=BEHIND)


def checks(data: Path, matched: pd.DataFrame, products: pd.DataFrame, classifier: Classifier) -> Lead:
    """RASFF and FSIS notices before months in which Chinese checks of the product found the hazard."""
    rows = pd.read_parquet(data / "cn_food_spotcheck/samples.parquet")
    rows = rows.loc[rows["query_mode"] == "all"]
    names = dict(zip(products["name_zh"].str.replace("(", "（").str.replace(")", "）"), products["code"], strict=True))
    rows = rows.assign(product=rows["cat_l2"].map(names), month=pd.to_datetime(rows["publish_date"]).dt.to_period("M"))
    months = pd.period_range("2021-01", "2022-07", freq="M")
    samples = rows.drop_duplicates(["sample_id"])
    failing = rows.loc[rows["failed"]].rename(columns={"failing_item": "item"})
    failing = failing.assign(**{"class": classifier.of_items(failing)})
    failing = failing.drop_duplicates(["sample_id", "class"])
    foreign = matched.loc[matched["product"].str.startswith("cn-food:") & (matched["class"] != UNKNOWN)]
    pairs = foreign.loc[foreign["month"].between(months[0] - BEHIND, months[-1]), ["product", "class"]]
    found = failing.loc[failing["class"] != UNKNOWN, ["product", "class"]]
    cells = pd.MultiIndex.from_frame(pd.concat([pairs, found]).drop_duplicates().sort_values(["product", "class"]))
    cells = cells[cells.get_level_values(0).isin(set(samples["product"].dropna()))]
    long = pd.period_range(months[0] - BEHIND, months[-1], freq="M")
    inspected = grid(samples, pd.MultiIndex.from_arrays([cells.get_level_values(0)], names=["product"]), long, ["product"])
    judged = inspected >= 5
    alarms = judged & (grid(failing, cells, long, ["product", "class"]) > 0)
    return lead(grid(foreign, cells, long, ["product", "class"]) > 0, alarms, judged, ahead=AHEAD, behind=BEHIND)


def countries(frame: pd.DataFrame, *, surge: bool) -> Lead:
    """Notices of all other RASFF members before a member's own first notice in a year, on category x hazard class."""
    rows = frame.loc[(frame["system"] == "RASFF") & (frame["class"] != UNKNOWN) & frame["product"].notna()]
    homes = rows["here"].value_counts().head(15).index.tolist()
    months = pd.period_range("2020-01", "2025-07", freq="M")
    cells = pd.MultiIndex.from_frame(rows[["product", "class"]].drop_duplicates().sort_values(["product", "class"]))
    every = grid(rows, cells, months, ["product", "class"])
    blocks = []
    for home in homes:
        own = grid(rows.loc[rows["here"] == home], cells, months, ["product", "class"])
        others = every - own
        if surge:  # at least three within three months, and twice what two years before would lead to expect
            sums = np.concatenate([np.zeros((len(cells), 1)), others.cumsum(axis=1)], axis=1)
            at = np.arange(1, len(months) + 1)
            new, old = np.maximum(at - 3, 0), np.maximum(at - 27, 0)
            recent = sums[:, at] - sums[:, new]
            before = (sums[:, new] - sums[:, old]) / np.maximum(new - old, 1)
            before[:, :15] = np.inf  # less than a year to compare with
            signal = (recent >= 3) & (recent >= 2 * 3 * before)
        else:
            signal = others > 0
        silent = np.stack([own[:, max(0, t - 11) : t + 1].sum(axis=1) == 0 for t in range(len(months))], axis=1)
        silent[:, :12] = False
        blocks.append((signal, own > 0, silent))
    signal, alarms, silent = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    # Months in which a member is silent for a year are judged; its next notice is the alarm.
    groups = np.tile(np.arange(len(cells)), len(homes))
    return lead(signal, alarms, silent, ahead=AHEAD, behind=BEHIND, groups=groups)


def _row(name: str, one: Lead) -> str:
    def three(values: tuple[float, float, float]) -> str:
        return f"{values[0]:.2f} ({values[1]:.2f}-{values[2]:.2f})"

    return (
        f"| {name} | {one.cells:,} | {one.after_notice:,} | {one.share_after:.1%} | {one.otherwise:,} | {one.share_otherwise:.1%} |"
        f" {three(one.ratio)} | {three(one.within)} | {three(one.placebo)} |"
    )


def main(data: Path) -> None:
    """Print what is matched, and what follows."""
    rules = OutsideRules.model_validate(_yaml("config/outside.yaml"))
    classifier = Classifier(HazardCatalogue.model_validate(_yaml("config/hazards.yaml")))
    products, names = codes()
    labels = pd.read_parquet(data / "neiss_codebooks/product_codes.parquet", columns=["code"])["code"]
    goods = {f"neiss:{int(code)}" for code in labels} | {code for code in products["code"] if code.startswith("cn-food")}
    frame = notices(data, names)
    frame["class"] = classifier.of_notices(frame)
    found = match(frame, rules.matching, goods=goods)
    frame["matched"] = frame.index.isin(found["notice"])
    frame["named"] = frame["class"] != UNKNOWN
    share = frame.groupby("system").agg(notices=("matched", "size"), matched=("matched", "mean"), hazard_named=("named", "mean"))
    print(share.round(3).to_string())
    matched = frame.drop(columns="product").join(found.set_index("notice")[["product"]], how="inner")
    print("| comparison | cells | months after a notice | alarm follows | other months | alarm follows | ratio | within cells | placebo |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(_row("CPSC recalls, then US injuries", injuries(data, matched)), flush=True)
    print(_row("RASFF and FSIS, then Chinese checks", checks(data, matched, products, classifier)), flush=True)
    print(_row("other members' notices, then a member's own", countries(frame, surge=False)), flush=True)
    print(_row("a surge of other members', then a member's own", countries(frame, surge=True)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
