"""Answers of libxml2's XPath, which nobody of this project wrote.

    libxml2.py queries FILE...   the Selects and Suppresses of these files, NUL-separated
    libxml2.py answer            reads "n NUL query... event...", answers a line a query:
                                 a digit an event, `x` where the event is not XML; `!` alone
                                 where libxml2 does not compile the query

The functions of Windows are added, namespaces are taken away, everything else is libxml2.
"""

import datetime
import re
import sys

from lxml import etree

NOW = datetime.datetime(2026, 3, 14, 14, 0, tzinfo=datetime.timezone.utc)


def number(text):
    text = text.strip()
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", text):
        return int(text, 16)
    return int(text) if re.fullmatch(r"[0-9]+", text) else None


def values(argument):
    if isinstance(argument, list):
        return [one if isinstance(one, str) else "".join(one.itertext()) for one in argument]
    return [str(int(argument)) if isinstance(argument, float) else argument]


def band(_, one, other):
    masks = [number(value) for value in values(other)]
    numbers = [number(value) for value in values(one)]
    return any(n is not None and m is not None and n & m for n in numbers for m in masks)


def timediff(_, times):
    for time in values(times):
        found = re.fullmatch(r"(.{19})(\.\d{1,9})?Z", time)
        if found:
            whole = datetime.datetime.fromisoformat(found[1] + "+00:00")
            fraction = float(found[2] or 0)
            return float(int(((NOW - whole).total_seconds() - fraction) * 1000))
    return float("nan")


FUNCTIONS = {(None, "band"): band, (None, "Band"): band, (None, "timediff"): timediff}


def local(name):
    return etree.QName(name).localname


def event_of(text):
    try:
        root = etree.fromstring(text.encode(), etree.XMLParser(huge_tree=True))
    except etree.XMLSyntaxError:
        return None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = local(element.tag)
            for name in element.attrib:
                if name.startswith("{"):
                    element.set(local(name), element.attrib.pop(name))
    # lxml begins at an element, not at the document: the event is its child.
    document = etree.Element("document")
    document.append(root)
    return document


def compiled(query):
    # As it was written, or else in the canonical form: OR and AND in small letters.
    for form in query.split("\x01"):
        try:
            return etree.XPath(form, extensions=FUNCTIONS)
        except etree.XPathSyntaxError:
            continue
    return None


def selectors(root):
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        if local(element.tag) in ("Select", "Suppress"):
            yield "".join(element.xpath("text()"))
        elif local(element.tag) == "Query" and "<QueryList" in (element.text or ""):
            yield from selectors(etree.fromstring(element.text.strip()))


def main():
    if sys.argv[1] == "queries":
        found = [text for path in sys.argv[2:] for text in selectors(etree.parse(path).getroot())]
        sys.stdout.buffer.write("\0".join(found).encode())
        return
    fields = sys.stdin.buffer.read().decode().split("\0")
    count = int(fields[0])
    events = [event_of(text) for text in fields[1 + count :]]
    for query in map(compiled, fields[1 : 1 + count]):
        if query is None:
            print("!")
            continue
        print("".join("x" if event is None else "01"[bool(query(event))] for event in events))


main()
