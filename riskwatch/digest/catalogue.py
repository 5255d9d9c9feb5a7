"""Coverage of the key-product catalogue in a digest: from the summary to the model, and from the model to one paragraph."""

from __future__ import annotations

from riskwatch.coverage import CoverageSummary
from riskwatch.digest.blocks import Para
from riskwatch.digest.cards import bilingual
from riskwatch.digest.model import CatalogueCoverage, CatalogueGap, Digest, Place
from riskwatch.digest.names import Namer
from riskwatch.digest.numbers import amount, percent, significant
from riskwatch.digest.sentences import Speaker

__all__ = ["catalogue_coverage", "catalogue_line"]

GAPS = 3


def catalogue_coverage(summary: CoverageSummary | None, namer: Namer, jurisdiction: str) -> CatalogueCoverage | None:
    """Return the summary as the digest keeps it; gaps outside the jurisdiction never enter."""
    if summary is None:
        return None
    return CatalogueCoverage(
        version=summary.catalogue,
        verified=summary.verified,
        window_days=summary.window_days,
        level=summary.level,
        cells=summary.cells,
        covered=summary.covered,
        thin=summary.thin,
        gaps=summary.gaps,
        population_share=significant(summary.population_share),
        top=tuple(
            CatalogueGap(
                product=gap.product,
                product_name=bilingual(gap.product_name),
                place=namer.place(gap.region, jurisdiction) or Place(code=gap.region, name=namer.region(gap.region), relation="inside"),
                weight=gap.weight,
                higher_level=gap.higher_level,
            )
            for gap in summary.top
            if namer.relation(gap.region, jurisdiction) == "inside"
        ),
    )


def catalogue_line(digest: Digest, say: Speaker) -> list[Para]:
    """Return the paragraph on the catalogue; none where the digest has no such part."""
    item, t = digest.catalogue, say.t
    if item is None:
        return []
    counted = t(
        "catalogue",
        days=item.window_days,
        level=t.code("catalogue.level", item.level),
        cells=item.cells,
        covered=amount(item.covered),
        share=percent(item.covered, item.cells),
        people="" if item.population_share is None else t("catalogue.people", share=percent(item.population_share, 1.0)),
        thin=amount(item.thin),
        gaps=amount(item.gaps),
        doubt="" if item.verified else t("catalogue.unverified"),
    )
    if not item.top:
        return [Para(counted)]
    named = [t("catalogue.gap", product=say.of(gap.product_name), place=say.place(gap.place)) for gap in item.top[:GAPS]]
    heaviest = t("catalogue.top", gaps=t.join(named))
    return [Para(f"{counted}{'' if say.language == 'zh' else ' '}{heaviest}")]
