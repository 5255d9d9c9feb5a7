"""Named format adapters: the only place where one data set's layout is spelt out in code.

An adapter takes a table of text and gives one back. It reshapes (packed cells, coded ages), it does not judge: what it does
not understand it passes on, for the record checks to refuse with row and value. One that makes several rows of one adds the
column ``_row`` with the 0-based position of the row that they came from.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.errors import SourceError
from riskwatch.sources.rasff import classes_of_hazards, country_name, full_reference, hazard_classes, hazard_names

__all__ = ["ADAPTERS", "ROW", "Adapter", "adapt"]

ROW = "_row"

_Text = str | None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A format adapter: its function, and the options that it knows with their defaults."""

    run: Callable[[pa.Table, Mapping[str, str]], pa.Table]
    options: Mapping[str, str] = field(default_factory=dict)


def adapt(table: pa.Table, name: str, options: Mapping[str, str]) -> pa.Table:
    """Apply the adapter called `name`.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of text.
    name : str
        A key of :data:`ADAPTERS`.
    options : mapping
        Its options; the others keep their defaults.

    Raises
    ------
    SourceError
        If there is no such adapter or option, or the table lacks a column that the adapter reads.
    """
    adapter = ADAPTERS.get(name)
    if adapter is None:
        raise SourceError(f'there is no adapter "{name}"', hint=f"there are {', '.join(sorted(ADAPTERS))}")
    unknown = sorted(set(options) - set(adapter.options))
    if unknown:
        known = ", ".join(sorted(adapter.options)) or "none"
        raise SourceError(f'adapter "{name}" has no option "{unknown[0]}"', hint=f"its options: {known}")
    return adapter.run(table, {**adapter.options, **options})


# --- helpers ---------------------------------------------------------------------------------------------------------


def _require(table: pa.Table, header: str, adapter: str) -> None:
    if header not in table.column_names:
        raise SourceError(
            f'adapter "{adapter}" reads column "{header}", which is missing; there are {", ".join(table.column_names)}',
            hint="has the layout changed? see adapter_options",
        )


def _mapped(column: pa.ChunkedArray, function: Callable[[str], _Text]) -> pa.ChunkedArray:
    """Apply `function` to each distinct text of a column."""
    coded = pc.dictionary_encode(column).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # an empty column has no chunk to combine into
        coded = pa.array([], pa.string()).dictionary_encode()
    values = pa.array([None if text is None else function(text) for text in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([pc.take(values, coded.indices)], pa.string())


def _put(table: pa.Table, header: str, column: pa.ChunkedArray) -> pa.Table:
    if header in table.column_names:
        return table.set_column(table.column_names.index(header), header, column)
    return table.append_column(header, column)


def _exploded(table: pa.Table, rows: Sequence[int], new: Mapping[str, Sequence[_Text]]) -> pa.Table:
    """Repeat the rows of `table` as given, add the new columns and ``_row``."""
    repeated = table.take(pa.array(rows, pa.int64()))
    for header, values in new.items():
        repeated = _put(repeated, header, pa.chunked_array([pa.array(values, pa.string())]))
    return _put(repeated, ROW, pa.chunked_array([pa.array([str(row) for row in rows], pa.string())]))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# --- Chinese food sampling lists --------------------------------------------------------------------------------------

_PACK = "║"
_BETWEEN_ITEMS = re.compile(r"[；;\n]")
_PARTIES = re.compile(
    r"^\s*委托(?:方|单位|商)[:：]\s*(?P<client>.+?)\s*[；;，,\n]\s*(?:受托|被委托)(?:方|单位|商)[:：]\s*(?P<maker>.+?)\s*$", re.DOTALL
)


def unpack_items(cell: str, width: int = 3) -> list[tuple[_Text, ...]]:
    """Split a packed cell into its items.

    Each item has `width` parts joined by ``║``; items are joined by a semicolon or a line end. Results may hold semicolons
    themselves (one value per sub-sample), so the cell is cut at ``║`` first: only the last semicolon before the next item's
    name separates items. A cell that does not add up is one item, unsplit.

    Examples
    --------
    >>> unpack_items("菌落总数║10；20║≤100；铅║0.9║≤0.5")
    [('菌落总数', '10；20', '≤100'), ('铅', '0.9', '≤0.5')]
    """
    parts = cell.split(_PACK)
    if (len(parts) - 1) % (width - 1):
        return [(cell.strip(), *[None] * (width - 1))]
    count = (len(parts) - 1) // (width - 1)
    if count == 0:
        return [(text.strip(), *[None] * (width - 1)) for text in _BETWEEN_ITEMS.split(cell) if text.strip()]
    items: list[tuple[_Text, ...]] = []
    name = parts[0]
    for number in range(count):
        middle = parts[number * (width - 1) + 1 : (number + 1) * (width - 1)]
        final = parts[(number + 1) * (width - 1)]
        following = ""
        if number < count - 1:
            cuts = [match.start() for match in _BETWEEN_ITEMS.finditer(final)]
            if not cuts:
                return [(cell.strip(), *[None] * (width - 1))]
            final, following = final[: cuts[-1]], final[cuts[-1] + 1 :]
        items.append(tuple(text.strip().rstrip("；;") or None for text in (name, *middle, final)))
        name = following
    return items


def _cn_food_packed_items(table: pa.Table, options: Mapping[str, str]) -> pa.Table:
    """Unpack the published lists of the Chinese food sampling programme (食品安全监督抽检).

    The column ``items`` (default 不合格项目║检验结果║标准值) becomes one row per item, its parts under the names that the
    header itself packs. A producer cell 委托方：…；受托方：… gives the columns 委托方 and 受托方; 实际生产企业 is who made it:
    the 受托方, or the producer as it stands.
    """
    header, producer = options["items"], options["producer"]
    _require(table, header, "cn-food-packed-items")
    names = [name.strip() for name in header.split(_PACK)]
    if len(names) < 2:
        names = ["不合格项目", "检验结果", "标准值"]
    rows: list[int] = []
    parts: list[list[_Text]] = [[] for _ in names]
    for row, cell in enumerate(table.column(header).to_pylist()):
        items = unpack_items(cell, len(names)) if cell is not None else []
        for item in items or [(None,) * len(names)]:
            rows.append(row)
            for column, value in zip(parts, item, strict=True):
                column.append(value)
    if producer in table.column_names:
        cells = table.column(producer)
        for name, group in (("委托方", "client"), ("受托方", "maker")):
            table = _put(table, name, _mapped(cells, lambda text, group=group: _party(text, group)))  # type: ignore[misc]
        table = _put(table, "实际生产企业", pc.coalesce(table.column("受托方"), cells))
    return _exploded(table, rows, dict(zip(names, parts, strict=True)))


def _party(text: str, group: str) -> _Text:
    match = _PARTIES.match(text)
    return match.group(group) if match else None


# --- NEISS ------------------------------------------------------------------------------------------------------------

# The public files of the US Consumer Product Safety Commission have had these headers since 2019.
_NEISS_HEADERS = {
    "CPSC_Case_Number": "case_id",
    "Treatment_Date": "treatment_date",
    "Age": "age_raw",
    "Sex": "sex",
    "Race": "race",
    "Other_Race": "race_other",
    "Hispanic": "hispanic",
    "Body_Part": "body_part",
    "Diagnosis": "diagnosis",
    "Other_Diagnosis": "diagnosis_other",
    "Body_Part_2": "body_part_2",
    "Diagnosis_2": "diagnosis_2",
    "Other_Diagnosis_2": "diagnosis_2_other",
    "Disposition": "disposition",
    "Location": "location",
    "Fire_Involvement": "fire",
    "Alcohol": "alcohol",
    "Drug": "drug",
    "Product_1": "prod1",
    "Product_2": "prod2",
    "Product_3": "prod3",
    "Narrative": "narrative",
    "Narrative_1": "narrative",
    "Stratum": "stratum",
    "PSU": "psu",
    "Weight": "weight",
}
_SEXES = {"1": "male", "2": "female", "M": "male", "F": "female", "0": "unknown", "3": "unknown"}


def neiss_age(text: str) -> _Text:
    """Return a coded NEISS age in years: 201 to 223 are months, 0 is unknown, others are years.

    Examples
    --------
    >>> neiss_age("206"), neiss_age("54"), neiss_age("0")
    ('0.5', '54', None)
    """
    if not text.isdigit():
        return text
    age = int(text)
    if age == 0:
        return None
    return _years(age - 200) if 201 <= age <= 223 else str(age)


def _years(months: int) -> str:
    return f"{months / 12:.4f}".rstrip("0").rstrip(".")


def _cpsc_neiss(table: pa.Table, options: Mapping[str, str]) -> pa.Table:
    """Decode case files of the US National Electronic Injury Surveillance System, in the layout of its publisher.

    Takes the original headers (CPSC_Case_Number, Treatment_Date, Product_1 …) or the short ones (case_id, treatment_date,
    prod1 …) and gives the short ones. ``age_years`` is made from the coded age, or from ``age_months``; product 0 becomes
    missing; sex 1 and 2 become male and female. Republished files without case numbers get ``case_id`` from a digest of the
    narrative, which is personal and too long for a key.
    """
    del options
    names = table.column_names
    renamed = [_NEISS_HEADERS.get(name, name) for name in names]
    twice = {name for name in renamed if renamed.count(name) > 1}
    if twice:
        raise SourceError(f'adapter "cpsc-neiss": two columns mean "{min(twice)}"', hint="remove one of them")
    table = table.rename_columns(renamed)
    if "age_raw" in renamed:
        table = _put(table, "age_years", _mapped(table.column("age_raw"), neiss_age))
    elif "age_months" in renamed:
        months = _mapped(table.column("age_months"), lambda text: _years(int(text)) if text.isdigit() else text)
        table = _put(table, "age_years", months)
    for header in ("prod1", "prod2", "prod3"):
        if header in renamed:
            table = _put(table, header, _mapped(table.column(header), lambda text: None if text.strip("0") == "" else text))
    if "case_id" not in renamed and "narrative" in renamed:
        digests = _mapped(table.column("narrative"), lambda text: hashlib.sha256(text.encode()).hexdigest()[:16])
        table = _put(table, "case_id", digests)
    if "sex" in renamed:
        table = _put(table, "sex", _mapped(table.column("sex"), lambda text: _SEXES.get(text, text)))
    return table


# --- Chicago food inspections -----------------------------------------------------------------------------------------


def slug(text: str) -> _Text:
    """Return text as a code: lower case, letters and digits joined by single hyphens.

    Examples
    --------
    >>> slug("GROCERY STORE/ RESTAURANT")
    'grocery-store-restaurant'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") or None


def violation_class(item: str) -> _Text:
    """Return the class of a violated item of the Chicago form in force until mid-2018.

    Items 1 to 14 are critical, 15 to 29 serious, 30 to 44 and 70 minor.
    """
    if not item.isdigit():
        return None
    number = int(item)
    if 1 <= number <= 14:
        return "critical"
    if 15 <= number <= 29:
        return "serious"
    return "minor" if 30 <= number <= 44 or number == 70 else None


def _chicago_violations(table: pa.Table, options: Mapping[str, str]) -> pa.Table:
    """Unpack inspection lists of the City of Chicago whose ``violations`` cell packs the numbers of violated items ("18,41").

    One row per item, in the columns ``violation_item``, ``violation_class`` (critical, serious, minor),
    ``violation_safety`` (true for critical) and ``violation_verdict`` (fail); an inspection without one keeps one row. The
    facility type, which inspectors type freely, gives ``facility_slug``.
    """
    header, facility = options["violations"], options["facility"]
    _require(table, header, "chicago-violations")
    rows: list[int] = []
    items: list[_Text] = []
    for row, cell in enumerate(table.column(header).to_pylist()):
        found = list(dict.fromkeys(_listed(cell))) if cell is not None else []
        for item in [*found] or (None,):
            rows.append(row)
            items.append(item)
    classes = [violation_class(item) if item is not None else None for item in items]
    if facility in table.column_names:
        table = _put(table, "facility_slug", _mapped(table.column(facility), slug))
    return _exploded(
        table,
        rows,
        {
            "violation_item": items,
            "violation_class": classes,
            "violation_safety": [None if name is None else str(name == "critical").lower() for name in classes],
            "violation_verdict": [None if item is None else "fail" for item in items],
        },
    )


# --- RASFF ------------------------------------------------------------------------------------------------------------


def _rasff(table: pa.Table, options: Mapping[str, str]) -> pa.Table:
    """Clean notices of the EU Rapid Alert System for Food and Feed, as two public extracts write them.

    In the columns named by the options (those that are there): countries lose their code, and are missing where there are
    several; hazards, hazard categories and product categories are lower case and distinct; references get back the zeros
    that were lost; times become days.
    """
    changes: tuple[tuple[str, Callable[[str], _Text]], ...] = (
        ("countries", country_name),
        ("hazards", hazard_names),
        ("hazard_classes", hazard_classes),
        ("categories", lambda text: " ".join(text.casefold().split())),
        ("references", full_reference),
        ("dates", lambda text: text[:10] if re.match(r"\d{4}-\d\d-\d\dT", text) else text),
    )
    for option, change in changes:
        for header in _listed(options[option]):
            if header in table.column_names:
                table = _put(table, header, _mapped(table.column(header), change))
    given, named = _listed(options["hazard_classes"]), [header for header in _listed(options["hazards"]) if header in table.column_names]
    if given and named and not any(header in table.column_names for header in given):
        table = _put(table, given[0], _mapped(table.column(named[0]), classes_of_hazards))
    return table


ADAPTERS: Mapping[str, Adapter] = {
    "cn-food-packed-items": Adapter(_cn_food_packed_items, {"items": "不合格项目║检验结果║标准值", "producer": "标称生产企业名称"}),
    "cpsc-neiss": Adapter(_cpsc_neiss),
    "chicago-violations": Adapter(_chicago_violations, {"violations": "violations", "facility": "facility_type"}),
    "rasff": Adapter(
        _rasff,
        {
            "countries": "notification_from,notifying_country,country_origin,origin",
            "hazards": "hazard_substance,hazards",
            "hazard_classes": "hazard_category",
            "categories": "product_category,category",
            "references": "reference",
            "dates": "date_of_case,date",
        },
    ),
}
