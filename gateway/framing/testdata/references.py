"""Reads XML documents with expat and libxml2 and tells what each made of them.

Standard input: documents, each behind its length as four bytes, big-endian.
Standard output: for each one a JSON object behind its length likewise:
{"expat": reading, "libxml2": reading}. A reading is null if the library refuses
the document, else the elements in document order as [depth, namespace, local
name, [[namespace, local name, value], ...]] and the text directly in the root:
{"elements": [...], "text": "..."}.
"""
import json
import struct
import sys
from xml.parsers import expat

from lxml import etree

SEPARATOR = "\x01"  # not a character of XML


def split(name):
    space, _, local = name.rpartition(SEPARATOR)
    return space, local


def by_expat(document):
    elements, text, depth = [], [], 0

    def start(name, attributes):
        nonlocal depth
        depth += 1
        pairs = zip(attributes[::2], attributes[1::2])
        elements.append([depth, *split(name), [[*split(n), v] for n, v in pairs]])

    def end(_):
        nonlocal depth
        depth -= 1

    def data(s):
        if depth == 1:
            text.append(s)

    parser = expat.ParserCreate("utf-8", SEPARATOR)
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    try:
        parser.Parse(document, True)
    except expat.ExpatError:
        return None
    return {"elements": elements, "text": "".join(text)}


def name_of(name):
    space, _, local = name.rpartition("}")  # the first may hold braces of its own
    return [space[1:], local]


# A namespace that is no URI is a warning in libxml2, and nothing to XML; lxml makes an error of it.
MILD = {etree.ErrorTypes.WAR_NS_URI, etree.ErrorTypes.WAR_NS_URI_RELATIVE}


# Without resolve_entities libxml2 writes &amp; in a namespace as &#38; (as it does for who asks it to keep references).
def parse_with_libxml2(document, recover=False):
    parser = etree.XMLParser(
        encoding="utf-8", huge_tree=True, resolve_entities=True, no_network=True, recover=recover
    )
    return etree.fromstring(document, parser)


def by_libxml2(document):
    try:
        root = parse_with_libxml2(document)
    except etree.XMLSyntaxError as error:
        if not error.error_log or not all(entry.type in MILD for entry in error.error_log):
            return None
        root = parse_with_libxml2(document, recover=True)
    elements, depth = [], 0
    for event, e in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "start":
            depth += 1
            elements.append([depth, *name_of(e.tag), [[*name_of(n), v] for n, v in e.attrib.items()]])
        elif event == "end":
            depth -= 1
        else:
            return None
    text = (root.text or "") + "".join(child.tail or "" for child in root)
    return {"elements": elements, "text": text}


def main():
    while len(head := sys.stdin.buffer.read(4)) == 4:
        document = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        try:
            reply = json.dumps({"expat": by_expat(document), "libxml2": by_libxml2(document)}).encode()
        except Exception as problem:  # a fault of this program, to be told to the test
            reply = json.dumps(repr(problem)).encode()
        sys.stdout.buffer.write(struct.pack(">I", len(reply)) + reply)
        sys.stdout.buffer.flush()


main()
