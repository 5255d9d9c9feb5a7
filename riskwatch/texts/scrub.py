"""What identifies a person, a place below the county or an enterprise is taken out of a text before anything is made of it.

Free text holds names in more ways than patterns can know. So this is the first of three gates: patterns here; terms that look like a
name or a number make no series (:mod:`riskwatch.texts.tokens`); and a term that fewer records hold than the rules ask for is never
kept. The patterns err on the side of taking out too much.

Sources: 个人信息保护法 arts. 28, 51, 73; forms of identifiers as GB 11643 (identity card), GB 32100 (social credit code), GA 36 (plates).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence

__all__ = ["COMMON_SURNAMES", "MASK", "looks_like_name", "scrub", "scrub_all", "scrub_identities"]

MASK = "***"

COMMON_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹"
    "孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
# Rarer surnames are ordinary words as well: they count only where the context says that a person is meant.
_RARE_SURNAMES = (
    "康施牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲"
    "房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩"
)
_DOUBLE = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|长孙|令狐|司徒|夏侯|端木"
_HAN = "\u4e00-\u9fff"
# Characters at which a name of a place or firm cannot go on: prepositions, particles, verbs of motion and use.
_STOP = "在于从到去往至和与的了被骑乘坐用使时中内外里上下将把为因由经过是有后前不附近及或该其某本我他她你这那"
_NAME = f"(?:(?![{_STOP}])[{_HAN}])"
_PERSON = f"(?:{_DOUBLE}|[{COMMON_SURNAMES}])"
_ANYBODY = f"(?:{_DOUBLE}|[{COMMON_SURNAMES}{_RARE_SURNAMES}])"
# What a Chinese name hardly ends with and a thing often does.
_THING = (
    "车器机板珠球具笔枪炉灯锅垫椅床罐瓶刀剂液膏粉油电水门窗梯绳带盒箱杯壶片丸糖面奶"
    "米肉鱼酒布衣鞋帽纸网线管泵阀伞桶柜桌架毯被烟火药品食菜果豆茶饮盖属件料壳座台条块槽膜皮箔"
)
# One or two characters of a given name: no word that goes on after a name, and no thing at the end.
_AFTER = "在于因使被骑乘玩驾用坐从到去和与同跟为将把由即就又也不没有说称是男女向对时后前"
_GIVEN = f"(?:(?![{_AFTER}{_THING}])[{_HAN}]|(?![{_AFTER}])[{_HAN}](?![{_AFTER}{_THING}])[{_HAN}])"
_ROLES = (
    "患者|伤者|病人|家长|母亲|父亲|父母|妈妈|爸爸|爷爷|奶奶|外公|外婆|姥姥|姥爷|患儿|儿子|女儿|孙子|孙女|外孙|外孙女|哥哥|姐姐|弟弟|妹妹|丈夫|妻子|家属|孩子|小孩|男孩|"
    "女孩|男童|女童|男子|女子|男婴|女婴|邻居|同学|同事|工友|朋友|学生|幼儿|老师|教师|店主|店员|老板|医生|司机|驾驶员|骑手|工人|员工|村民|居民|业主(?!管)|顾客|客户|用户|乘客|"
    "路人|老人|投诉人|举报人|消费者|当事人|本人|经手人|负责人|联系人|监护人|报告人|陪护人|护工|保姆"
)


# What stands before "hospital" and tells a kind of hospital, not which.
_KINDS = "".join(f"(?<!{kind})" for kind in ("直报", "哨点", "监测", "定点", "级", "甲", "乙"))


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


# Where a name that a role introduced ends: at a mark, a figure, a mask, a word that goes on after a name, or what comes next in a card.
_NAME_ENDS = rf"(?=[，,。；;、（(：: *\d]|$|[{_AFTER}]|电话|手机|座机|身份证|微信|号码|联系|地址|住|家)"


# In each group the longest and most certain first. A group is tried only on texts that hold what all of it needs.
_ADDRESSES = _compiled(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", r"(?:https?://|www\.)\S+")
_CODES = _compiled(
    r"(?:微信号?|wechat|weixin|vx|wx|qq号?|qq|支付宝)\s*(?:id|账号|号码|号)?\s*[:：是为]?\s*[A-Za-z0-9_][A-Za-z0-9_-]{4,19}",
    r"(?<![0-9A-Za-z])[1-9AN][0-9]\d{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])",
    r"(?<![0-9A-Za-z])\d{6}(?:18|19|20)\d{2}[01]\d[0-3]\d\d{3}[0-9Xx]",
    r"(?<!\d)\+?\d{0,3}[- (]{0,2}\d{3,4}[)]?[- .]?\d{3,4}[- .]\d{4}(?!\d)",
    r"(?<!\d)(?<!\d\.)0\d{2,3}[- ]?\d{7,8}(?:-\d{1,4})?(?!\d)",
    r"(?<!\d)(?<!\d\.)1[3-9]\d(?:[- ]?\d){8}(?!\d)",
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-Z][·•. ]?[A-Z0-9]{4,6}[挂学警港澳]?(?![A-Za-z0-9])",
    r"\b(?:licen[cs]e )?(?:plate|tag|reg(?:istration)?)(?: (?:no\.?|number|#))? ?:? ?(?=[A-Z0-9-]*\d)[A-Z0-9-]{4,9}\b",
    r"(?:出生日期|出生年月|生日|\bDOB\b|\bborn(?: on)?\b|date of birth)\s*[:：为是]?\s*\d[\d年月日/. -]{3,11}",
    r"(?:病案号|住院号|门诊号|病历号|卡号|身份证号?|护照号?|编号|MRN|ID|SSN|PASSPORT|CARD|CASE)(?:\s*(?:no\.?|number|#))?\s*[:：#是为]\s*[A-Z0-9-]{3,20}",
    # A long code of letters and digits; numbers of models and batches look the same, and our own codes too.
    r"(?<![A-Za-z0-9-])(?=(?:[A-Z-]*\d){3})(?=[\d-]*[A-Z])[A-Z0-9-]{8,24}(?![A-Za-z0-9])",
)
_CHINESE = _compiled(
    r"(?:[零〇一二三四五六七八九幺两][ -]?){7,}",
    # Organisations come before persons: firms are often called after one.
    rf"(?:{_NAME}|[A-Za-z0-9（）()]){{2,24}}?(?:股份有限公司|有限责任公司|有限公司|集团公司|集团|分公司|公司)",
    rf"{_NAME}{{2,10}}(?:商行|经营部|门市部|批发部|合作社|个体户|专卖店|旗舰店|便利店|超市|商场|商店|百货|药店|药房|饭店|工厂|加工厂|厂)(?!家)",
    rf"{_NAME}{{2,12}}(?:人民医院|中心医院|{_KINDS}医院|卫生院|卫生所|卫生室|诊所|门诊部|卫生服务中心|妇幼保健院|保健院)",
    rf"{_NAME}{{1,12}}第[一二三四五六七八九十\d]+(?:小学|中学|幼儿园|高中|初中|实验小学|医院)",
    rf"{_NAME}{{2,12}}(?:实验小学|小学|中学|高中|初中|幼儿园|大学|学院|学校|职专|技校|附小|附中|[一二三四五六七八九十]中)(?!生)",
    # Addresses below the county.
    rf"{_NAME}{{2,6}}(?:路|街|巷|弄|大道|胡同|大街|东路|西路|南路|北路)\s*\d+\s*(?:号|弄|巷|幢|栋|室|-)?(?:\s*[\dA-Z]+\s*(?:号|单元|栋|幢|座|楼|层|室))*",
    rf"{_NAME}{{2,6}}(?:路|街|巷|弄|大道|胡同|大街)[一二三四五六七八九十百〇零]+号",
    rf"(?:{_NAME}{{2,6}}(?:街道|乡(?!建)|镇|村|屯|社区|小区|新村|花园|家园|公寓|苑|大厦|胡同))+(?:\s*\d+\s*(?:号|组|单元|栋|幢|楼|层|室|门))*",
    r"\d+\s*(?:栋|幢|号楼|单元)\s*(?:\d+\s*(?:单元|楼|层|室|门|号))*",
    # Persons.
    rf"(?:姓名|名字|{_ROLES})\s*[:：]\s*[{_HAN}]{{2,4}}",
    rf"(?:{_ROLES}){_ANYBODY}(?:某某|某|[xX×*＊○〇]{{1,2}})",
    rf"(?:{_ROLES}){_ANYBODY}[{_HAN}]{{1,2}}?{_NAME_ENDS}",
    # With sex or age behind it, or after "called", a name needs no title.
    rf"(?<![{_HAN}]){_ANYBODY}[{_HAN}]{{1,2}}?(?=\s*[，,、（(]?\s*(?:男|女|\d{{1,3}}\s*(?:周?岁|个月)))",
    rf"(?:名叫|叫做|名为|姓名为|姓名是){_ANYBODY}[{_HAN}]{{1,2}}?{_NAME_ENDS}",
    # At the start of a text or sentence, before what somebody did.
    rf"(?:^|(?<=[。；;\n]))\s*(?!许可){_PERSON}{_GIVEN}(?=[，,、]|[{_AFTER}])",
    rf"(?<=[由与和同跟]){_PERSON}{_GIVEN}(?=送|陪|带|报|一起|一同|同行|相撞|共同|[，,。])",
    rf"{_PERSON}(?:某某|某|[xX×＊○〇]{{1,2}})",
    rf"{_PERSON}[{_HAN}]{{0,2}}(?:先生|女士|小姐|太太|同学|老师|医生|大夫|护士|主任|经理|师傅|大爷|大妈|阿姨|奶奶|爷爷)",
)
_TITLES = _compiled(
    r"\b(?:mr|mrs|ms|miss|dr|prof|officer|nurse|doctor|professor)\b\.?\s+[a-z][a-z'-]+(?:\s+[A-Z][a-z'-]+)?",
    r"\b(?:named(?! reviewers?\b)|name is|name:|called|pt name)\s+[a-z][a-z'-]+",
)

# Words before "school" or "hospital" that are no part of a name.
_FUNCTION = (
    "a|an|the|at|in|on|to|from|of|for|with|by|and|or|near|outside|inside|after|before|during|while|off|into|onto|"
    "his|her|their|my|our|this|that|was|were|is|are|had|has|have|went|goes|going|fell|hit|riding|rode|playing|"
    "running|walking|seen|treated|taken|brought|when|who|which|home|pre|grade|day|same"
)
_WORD = rf"(?!(?:{_FUNCTION})\b)[a-z][a-z'.&-]*"
_SCHOOL = (
    r"(?:elementary|middle|high|primary|secondary|grammar|junior high)\s+school|"
    "school|academy|university|college|kindergarten|preschool|daycare"
)
_CLINIC = r"(?:general |memorial |regional |children'?s )?(?:hospital|clinic|medical cent(?:er|re)|infirmary)"
_PLACES = _compiled(
    rf"\b(?:{_WORD}\s+){{1,2}}(?:{_SCHOOL}|{_CLINIC})\b",
    rf"\b(?:{_WORD}\s+){{1,3}}(?:inc|llc|ltd|corp|co(?=\s*(?:[.,;)]|$))|gmbh|plc|company|corporation)\b\.?",
    rf"(?<![\w.-])\d{{1,5}}\s+(?!(?:y|yo|yom|yof|yr|year|mo|month|wk|week|day|mph|ft|feet|lb|in|inch)s?\b)(?:{_WORD}\s+){{1,2}}"
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|drive|lane|ln|court|ct|way|place|pl|highway|hwy)\b\.?",
)
_DIGITS = re.compile(r"\d(?:[\s-]?\d){4,}")
_LETTER = re.compile("[a-z]", re.IGNORECASE)
_ANY_DIGIT = re.compile(r"\d")
_ANY_HAN = re.compile(f"[{_HAN}]")
_NAMES_A_PLACE = re.compile(
    r"\b(?:school|academy|university|college|kindergarten|preschool|daycare|hospital|clinic|medical|infirmary|inc|llc|ltd|corp|co|gmbh|plc|"
    r"company|corporation|st|street|ave|avenue|rd|road|blvd|boulevard|drive|lane|ln|court|ct|way|place|pl|highway|hwy)\b",
    re.IGNORECASE,
)
# Of each Chinese pattern, the words without one of which it finds nothing: they are looked for first, as that is fast. (): always tried.
_FIRMS = ("公司", "集团")
_SHOPS = (
    "商行",
    "经营部",
    "门市部",
    "批发部",
    "合作社",
    "个体户",
    "专卖店",
    "旗舰店",
    "便利店",
    "超市",
    "商场",
    "商店",
    "百货",
    "药店",
    "药房",
    "饭店",
    "厂",
)
_CLINICS = ("医院", "卫生", "诊所", "门诊部", "保健院")
_SCHOOLS = ("小学", "中学", "高中", "初中", "幼儿园", "大学", "学院", "学校", "职专", "技校", "附小", "附中", "中")
_STREETS = ("路", "街", "巷", "弄", "大道", "胡同")
_HOMES = ("街道", "乡", "镇", "村", "屯", "社区", "小区", "花园", "家园", "公寓", "苑", "大厦", "胡同")
_SOMEBODY = ("某", "x", "X", "×", "*", "＊", "○", "〇")
_POLITE = (
    "先生",
    "女士",
    "小姐",
    "太太",
    "同学",
    "老师",
    "医生",
    "大夫",
    "护士",
    "主任",
    "经理",
    "师傅",
    "大爷",
    "大妈",
    "阿姨",
    "奶奶",
    "爷爷",
)
_ROLE_WORDS = ("姓名", "名字", *_ROLES.replace("(?!管)", "").split("|"))
_NEEDED: tuple[tuple[str, ...], ...] = (
    (), _FIRMS, _SHOPS, _CLINICS, ("第",), _SCHOOLS, _STREETS, _STREETS, _HOMES, ("栋", "幢", "号楼", "单元"),
    _ROLE_WORDS, _SOMEBODY, _ROLE_WORDS, ("男", "女", "岁", "个月"), ("名叫", "叫做", "名为", "姓名"), (),
    ("由", "与", "和", "同", "跟"), _SOMEBODY, _POLITE,
)  # fmt: skip
_NAMES_A_PERSON = re.compile(r"\b(?:mr|mrs|ms|miss|dr|prof|officer|nurse|doctor|name|called)", re.IGNORECASE)
_MASKS = re.compile(r"\*{3}(?:\s*\*{3})+")


@functools.lru_cache(maxsize=8)
def _given(names: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern of given names, each with a surname in capitals and small letters behind it, if there is one."""
    one = "|".join(sorted(map(re.escape, names), key=lambda name: (-len(name), name)))
    return re.compile(rf"\b(?i:{one})\b(?:\s+(?:[A-Z]\.?\s+)?[A-Z][A-Za-z'-]*[a-z](?![A-Za-z]))?")


def scrub(text: str, *, given_names: frozenset[str] = frozenset()) -> str:
    """Return ``text`` with identifiers, names, schools, hospitals, firms and addresses below the county replaced by :data:`MASK`.

    Parameters
    ----------
    text : str
        Any text; full-width forms are read as their plain ones (NFKC), control and format characters are dropped.
    given_names : frozenset of str
        English names in lower case, replaced wherever they stand as a word of their own, with a surname in mixed case that follows.

    Returns
    -------
    str
        On one line; without a run of five digits, even if spaces or hyphens stand between them. Scrubbing twice changes nothing more.
    """
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii() or not text.isprintable():
        kinds = [(char, unicodedata.category(char)) for char in text]
        text = "".join(" " if kind in {"Cc", "Zl", "Zp", "Zs"} else char for char, kind in kinds if kind != "Cf")
    while True:
        before = text
        for pattern in _patterns_for(text):
            text = pattern.sub(f" {MASK} ", text)
        if given_names:
            text = _given(given_names).sub(MASK, text)
        text = _MASKS.sub(MASK, " ".join(text.split()))
        if text == before:
            return text


def scrub_identities(text: str) -> str:
    """Return ``text`` with what is certainly about somebody masked, and all else as it was.

    For sentences that a page is made of, in which codes, dates, figures and full-width marks must stand: :func:`scrub` without its rules
    for long numbers and codes. Letters and digits of other forms (full-width, say) are read as the plain ones; where nothing is found, the
    text comes back unchanged.
    """
    plain = "".join(map(_plain, text)) if not text.isascii() else text
    found = plain
    for pattern in _patterns_for(plain):
        if pattern is not _DIGITS and pattern is not _CODES[-1]:
            found = pattern.sub(MASK, found)
    return text if found == plain else _MASKS.sub(MASK, found)


@functools.lru_cache(maxsize=16_384)
def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Cf":
        return ""
    if kind in {"Nd", "Lu", "Ll"} or char == "＠":
        form = unicodedata.normalize("NFKC", char)
        return form if form.isascii() and len(form) == 1 else char
    return char


def _patterns_for(text: str) -> Iterator[re.Pattern[str]]:
    """Yield the patterns that can be found in a text at all, in the order in which they are tried."""
    han, latin, digit = _ANY_HAN.search(text), _LETTER.search(text), _ANY_DIGIT.search(text)
    if "@" in text or "://" in text or "www." in text.lower():
        yield from _ADDRESSES
    if digit or (han and latin):
        yield from _CODES
    if han:
        for pattern, needed in zip(_CHINESE, _NEEDED, strict=True):
            if not needed or any(word in text for word in needed):
                yield pattern
    if latin and _NAMES_A_PERSON.search(text):
        yield from _TITLES
    if latin and _NAMES_A_PLACE.search(text):
        yield from _PLACES
    if digit:
        yield _DIGITS


def scrub_all(texts: Sequence[str], *, given_names: frozenset[str] = frozenset()) -> list[str]:
    """Return :func:`scrub` of each text; each distinct text is scrubbed once."""
    known: dict[str, str] = {}
    return [known[text] if text in known else known.setdefault(text, scrub(text, given_names=given_names)) for text in texts]


def looks_like_name(word: str) -> bool:
    """Tell whether a Chinese word that no dictionary knows looks like a person's: a common surname and one or two characters more."""
    return 2 <= len(word) <= 3 and word[0] in COMMON_SURNAMES and word[-1] not in _THING
