"""The vocabulary of RASFF notices: countries, hazards, hazard categories, references.

Two public extracts of the EU Rapid Alert System for Food and Feed write the same things differently, and the newer one gives no
hazard category. Without one, a series "mycotoxins in nuts" would end where the newer extract begins.
"""

from __future__ import annotations

import re

__all__ = ["classes_of_hazards", "country_name", "full_reference", "hazard_classes", "hazard_names"]

_COUNTRY_CODE = re.compile(r"\s*\([A-Z]{2}\)$")
_SEVERAL = re.compile(r"[;,]")
# Not between digits: "1,3-dichloropropanol" is one substance.
_HAZARD_BREAK = re.compile(r";|(?<!\d),|,(?!\d)")
_RENAMED = {
    "metals": "heavy metals",
    "genetically modified food or feed": "genetically modified",
    "not determined / other": "not determined (other)",
}
_UNKNOWN = frozenset({"unknown origin", "unknown", "n/a", "not determined"})
_AFLATOXIN = re.compile(r"aflatoxins?(?: (?:b1|total))?")
_SEROVAR = re.compile(r"^salmonella enterica ser\. ")
_UNAUTHORISED = re.compile(r"^unauthorised substance (?=\w)")


def country_name(text: str) -> str | None:
    """Return one country's name without its code; None where there are several, or it is unknown.

    Several origins are in alphabetical order, so taking the first would favour Belgium.

    Examples
    --------
    >>> country_name("Portugal (PT)"), country_name("Italy; Slovakia")
    ('Portugal', None)
    """
    parts = {_COUNTRY_CODE.sub("", part.strip()) for part in _SEVERAL.split(text)} - {""}
    name = parts.pop() if len(parts) == 1 else ""
    return None if name.casefold() in _UNKNOWN or not name else name


def hazard_names(text: str) -> str | None:
    """Return the distinct hazards of a notice: lower case, without qualifiers and category, joined by "; ".

    In October 2020 RASFF changed how it writes hazards. What was one hazard before and after comes under one name, or a new spelling would
    look like a new hazard: aflatoxins (two limits, B1 and total, that one notice often names together), serovars of Salmonella, and
    substances that used to have "unauthorised substance" before their name.

    Examples
    --------
    >>> hazard_names("Aflatoxin B1 - mycotoxins; Aflatoxin total - mycotoxins"), hazard_names("phosmet  unauthorised substance,prochloraz")
    ('aflatoxins', 'phosmet; prochloraz')
    >>> hazard_names("Salmonella enterica ser. Enteritidis"), hazard_names("unauthorised substance ethylene oxide")
    ('salmonella enteritidis', 'ethylene oxide')
    """
    # The older file writes "substance - qualifier - category", the newer one sets the qualifier off by two spaces.
    parts = (re.split(r"\s{2,}", part.strip().split(" - ")[0])[0].strip().casefold() for part in _HAZARD_BREAK.split(_restored(text)))
    names = dict.fromkeys(_one_spelling(part) for part in parts if part and part not in _UNKNOWN)
    return "; ".join(names) or None


def _one_spelling(name: str) -> str:
    """Return a hazard under the name that stands for its spellings of before and after October 2020."""
    if _AFLATOXIN.fullmatch(name):
        return "aflatoxins"
    return _SEROVAR.sub("salmonella ", _UNAUTHORISED.sub("", name))


def _restored(text: str) -> str:
    """Keep an additive's number with its name: "E 200 - sorbic acid" is one substance."""
    return re.sub(r"\b(E ?\d{3,4}[a-z]?) - ", r"\1 ", text)


def hazard_classes(text: str) -> str | None:
    """Return the distinct hazard categories of a notice, lower case, joined by "; ".

    Categories that RASFF renamed come under one name.
    """
    names = (part.strip().casefold() for part in text.split(";"))
    distinct = dict.fromkeys(_RENAMED.get(name, name) for name in names if name and name not in _UNKNOWN)
    return "; ".join(distinct) or None


def full_reference(text: str) -> str:
    """Return a notice's reference with its four-digit number; the newer file lost trailing zeros to a float.

    Examples
    --------
    >>> full_reference("2024.964")
    '2024.9640'
    """
    year, mark, number = text.partition(".")
    return f"{year}.{number.ljust(4, '0')}" if mark and number.isdigit() else text


# Categories as RASFF names them, by words in a hazard's name; the first that fits counts. Only what names tell reliably is here: how
# often the result agrees with the category that RASFF itself gave is measured in the tests.
_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "pathogenic micro-organisms",
            (
                r"salmonella|listeria monocytogenes|escherichia coli|norovirus|campylobacter|bacillus cereus|hepatitis|vibrio|clostridium"
                r"|cronobacter|staphylococc|shigella|yersinia|enterohaem"
            ),
        ),
        (
            "mycotoxins",
            r"aflatoxin|ochratoxin|fumonisin|patulin|deoxynivalenol|alternariol|zearalenone|tenuazonic|citrinin|\bt-2\b|ergot alkaloid",
        ),
        (
            "allergens",
            r"undeclared|gluten|lactoprotein|milk ingredient|^(milk|egg|soya|peanut|mustard|celery|sesame|almond|hazelnut|pistachio)\b",
        ),
        ("foreign bodies", r"foreign bod|fragment|glass|particles|metal pieces|metal wire|stones|larvae|insects"),
        ("parasitic infestation", r"anisakis|parasit|nematode|trichinella"),
        (
            "residues of veterinary medicinal products",
            (
                r"nitrofuran|chloramphenicol|malachite|cycline|floxacin|antibiotic|veterinary|furazolidon|sulfa(dia|metho|dimi)|tulathromycin"
                r"|metronidazole|fipronil sulfone|crystal violet"
            ),
        ),
        (
            "industrial contaminants",
            r"mineral oil|acrylamide|monochlor-1,2|glycidyl|dioxin|polycyclic|benzo\(a\)pyrene|\bpah\b|perchlorate|polychlorobi|perfluor",
        ),
        ("migration", r"migration|primary aromatic amine|formaldehyde|melamine|phthalate|bisphenol|volatile organic constituent"),
        ("novel food", r"novel food|cannabidiol|hexahydrocannabinol"),
        ("genetically modified", r"genetically modified|\bgmo\b"),
        ("biocontaminants", r"histamine|pyrrolizidine|cann?abinol|tropane|atropine|scopolamine"),
        ("food additives and flavourings", r"^(colou?r )?e ?\d{3}|sulphite|benzoic acid|sorbic acid|\bcolour e\b"),
        ("heavy metals", r"\b(mercury|cadmium|lead|arsenic|chromium|nickel|tin|copper|cobalt|heavy metals)\b"),
        (
            "composition",
            r"cyanide|sildenafil|tadalafil|sibutramine|trans fatty|iodine|sudan|dinitrophenol|morphine|ragweed|ambrosia|piperine|nitrate",
        ),
        ("non-pathogenic micro-organisms", r"mould|enterobacteri|coliform|yeast|aerobic|bacterial count|pseudomonas"),
        (
            "pesticide residues",
            (
                r"pesticide|ethylene oxide|chloroethanol|chlorpyri|formetanate|chlorate|imazalil|flonicamid|tricyclazole|prochloraz"
                r"|carbendazim|anthraquinone|nicotine|matrine|folpet|captan|dicofol|boscalid|fosetyl|glyphosate|glufosinate|chlorothalonil|permethrin"
                r"|(phos|phos-methyl|phos-ethyl|fos|fos-methyl|thion|thoate|conazole|thrin|cloprid|clopride|strobin|carb|carbe?s?|furan|prid|mid"
                r"|uron|fenozide|fenapyr|morph|quat|anil|amide|zone|oxyfen|mectin|spinosad|oxam|fenpyroximate|pyraben|dine|fenazate|buprofezin"
                r"|zamide|xanil|thiram|methomyl|nil|metalaxyl|metrafenone|fluopyram|pyroxad|tonil|methalin|butoxide|phenylphenol|diphenylamine"
                r"|anidin|dianidin|dicamba|propargite|tetramat|indoxacarb|lufenuron|propiconazol|thiophanate-methyl|methiocarb)\b"
            ),
        ),
    )
)


def classes_of_hazards(names: str) -> str | None:
    """Return the hazard categories that the names of hazards tell, joined by "; "; None where they tell none.

    Parameters
    ----------
    names : str
        What :func:`hazard_names` gives.

    Examples
    --------
    >>> classes_of_hazards("aflatoxin b1; aflatoxin total"), classes_of_hazards("salmonella; chlorpyrifos"), classes_of_hazards("spoilage")
    ('mycotoxins', 'pathogenic micro-organisms; pesticide residues', None)
    """
    found = (next((label for label, pattern in _CLASSES if pattern.search(name)), None) for name in names.split("; "))
    return "; ".join(dict.fromkeys(label for label in found if label is not None)) or None
