"""Parses the PowerShell module and its one piece of C#, since there is no PowerShell where windrow's tests run.

No file has a part that the grammar does not know; every exported cmdlet has its help and is one that the module defines; what
Requests.json says that a cmdlet sends are parameters of that cmdlet, of that type.

    python check.py [FOLDER]            FOLDER is that of this file's folder when not given
    python check.py --scripts FILE...   scripts alone, such as those that `windrow setup wef` writes
"""

import json
import re
import sys
from pathlib import Path

import tree_sitter_c_sharp
import tree_sitter_pwsh
from tree_sitter import Language, Parser

PARSER = Parser(Language(tree_sitter_pwsh.language()))
C_SHARP = Parser(Language(tree_sitter_c_sharp.language()))

# How a parameter's type is written for each type of Requests.json.
TYPES = {
    "String": "string",
    "Word": "string",
    "UInt16": "uint16",
    "Switch": "switch",
    "Byte[]": "byte[]",
    "SecureString": "system.security.securestring",
}


def walk(node):
    yield node
    for child in node.children:
        yield from walk(child)


def text(node):
    return node.text.decode()


def broken(tree):
    """Lines of what the grammar does not know."""
    return [n.start_point[0] + 1 for n in walk(tree.root_node) if n.is_error or n.is_missing]


def functions(source, tree):
    """Each function's parameters with their types, and the comment right before it."""
    found = {}
    for node in walk(tree.root_node):
        if node.type != "function_statement":
            continue
        name = next(text(c) for c in node.children if c.type == "function_name")
        parameters = {}
        for parameter in walk(node):
            if parameter.type != "script_parameter":
                continue
            variable = next(text(c) for c in parameter.children if c.type == "variable")
            types = [text(n) for n in walk(parameter) if n.type == "type_literal"]
            parameters[variable.lstrip("$")] = types[-1].strip("[] ").lower() if types else ""
        before = source[: node.start_byte].decode().rstrip()
        comment = before[before.rfind("<#") :] if before.endswith("#>") else ""
        found[name] = (parameters, comment)
    return found


def check_functions(defined, exported, requests):
    for name in exported:
        if name not in defined:
            yield f"Windrow.psd1 exports {name}, which is not there"
            continue
        parameters, comment = defined[name]
        for section in (".SYNOPSIS", ".EXAMPLE"):
            if section not in comment:
                yield f"{name} has no {section}"
        described = re.findall(r"^\.PARAMETER (\w+)", comment, re.M)
        if sorted(described) != sorted(parameters):
            yield f"{name} describes {sorted(described)} and has {sorted(parameters)}"
    for cmdlet, request in requests.items():
        name, *switch = cmdlet.split(" -")
        parameters = defined[name][0]
        if switch and parameters.get(switch[0]) != "switch":
            yield f"{name} has no switch -{switch[0]}"
        for parameter, sent in request["parameters"].items():
            declared = parameters.get(parameter, "nothing").rstrip("]").rstrip("[")
            expected = TYPES[sent["type"]].rstrip("]").rstrip("[")
            if declared != expected:
                yield f"{cmdlet}: -{parameter} is {declared}, and {sent['type']} is sent"


def main(folder):
    findings, parsed = [], 0
    trees = {}
    for path in sorted([*folder.rglob("*.ps*1"), *folder.rglob("*.cs")]):
        source = path.read_bytes()
        parser = C_SHARP if path.suffix == ".cs" else PARSER
        trees[path.name] = (source, parser.parse(source))
        parsed += 1
        if not source.isascii():
            findings.append(f"{path.name} is not ASCII, and Windows PowerShell 5.1 reads it otherwise")
        lines = broken(trees[path.name][1])
        findings += [f"{path.name}:{line}: the parser does not know this" for line in lines]
    manifest = trees["Windrow.psd1"][0].decode()
    exported = re.search(r"FunctionsToExport\s*=\s*@\(([^)]*)\)", manifest)
    exported = re.findall(r"'([^']+)'", exported.group(1))
    requests = json.loads((folder / "Windrow/Requests.json").read_text())
    defined = functions(*trees["Windrow.psm1"])
    findings += check_functions(defined, exported, requests)
    for finding in findings:
        print(finding)
    print(f"{parsed} files parsed, {len(defined)} functions, {len(findings)} findings")
    # A check that cannot find anything is none.
    assert broken(PARSER.parse(b"function { if ( }")), "the parser finds no fault in nonsense"
    return 1 if findings or not parsed or not exported else 0


def scripts(paths):
    """Scripts alone: every part known, ASCII, with help that says what they are for."""
    findings = []
    for path in paths:
        source = path.read_bytes()
        findings += [f"{path}:{line}: the parser does not know this" for line in broken(PARSER.parse(source))]
        if not source.isascii():
            findings.append(f"{path} is not ASCII, and Windows PowerShell 5.1 reads it otherwise")
        if b".SYNOPSIS" not in source and b"[CmdletBinding" in source:
            findings.append(f"{path} has no .SYNOPSIS")
    for finding in findings:
        print(finding)
    print(f"{len(paths)} scripts parsed, {len(findings)} findings")
    return 1 if findings or not paths else 0


if __name__ == "__main__":
    named = sys.argv[1:]
    if named[:1] == ["--scripts"]:
        sys.exit(scripts([Path(name) for name in named[1:]]))
    sys.exit(main(Path(named[0]) if named else Path(__file__).resolve().parent.parent))
