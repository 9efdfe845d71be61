"""Ask every judge about every plate and write docs/judges.json and docs/judges.md: ``make judges-table``.

``python tests/judges/table.py --page`` writes the page from the answers that are kept.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
ANSWERS = DOCS / "judges.json"
PAGE = DOCS / "judges.md"
HEAD = """# Plates and judges

Plates of openhcs and of other libraries, looked at by validators and readers that are not ours, and by `openhcs
validate --deep`. `make judges-table` makes every plate anew, asks each judge in a process of its own, keeps what it
found in `docs/judges.json`, and writes this page from it. `make test-judges` demands that nobody finds anything in our
plates, and that pixels, channels, colours, pixel sizes and labels are equal in all.

A plus says that the judge found nothing, a number how many things it found (a reader that raised counts as one), a dash
that it does not claim to know that version, `none` that the library writes no such plate.

"""


def page(answers: dict[str, Any]) -> str:
    """Return the page for what the judges said."""
    judges = list(answers["judges"])
    lines = [HEAD, "| plate | " + " | ".join(judges) + " |", "|---|" + "---|" * len(judges)]
    for row in answers["rows"]:
        if row.get("none"):
            lines.append(f"| {row['name']} | none |" + " |" * (len(judges) - 1))
            continue
        cells = [_cell(row["findings"].get(judge)) for judge in judges]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    lines += ["", "| judge or writer | version |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in answers["versions"].items()]
    found = [
        (row["name"], one) for row in answers["rows"] for one in row.get("findings", {}).get("openhcs validate") or []
    ]
    lines += ["", "What `openhcs validate` says of the others:", ""]
    lines += [f"* {name}: {one.split(': ')[0]}" for name, one in dict.fromkeys((n, o.split(": ")[0]) for n, o in found)]
    return "\n".join(lines) + "\n"


def _cell(findings: list[str] | None) -> str:
    return "–" if findings is None else str(len(findings)) if findings else "+"


def collect() -> dict[str, Any]:
    """Make every plate and ask every judge."""
    import verdicts
    import writers

    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    plates = [(name, name.split()[-1]) for name in verdicts.OURS]
    plates += [(writer, version) for writer in writers.WRITERS for version in ("0.4", "0.5")]
    for name, version in plates:
        ours = name.startswith("openhcs")
        with tempfile.TemporaryDirectory() as folder:
            store = (
                verdicts.make_ours(name, Path(folder)) if ours else verdicts.make_theirs(name, version, Path(folder))
            )
            shown = name if ours else f"{name} {version}"
            if isinstance(store, str):
                rows.append({"name": shown, "none": store})
                continue
            told = {}
            for judge in verdicts.judges():
                if verdicts.knows(judge, version):
                    verdict = verdicts.ask(judge, store)
                    told[judge] = [one.replace(folder, "") for one in verdict["findings"]]
                    versions[judge] = verdict["version"] or versions.get(judge, "")
            rows.append({"name": shown, "findings": told})
            versions[name.rpartition(" ")[0] if not ours else "openhcs"] = verdicts.version_of(name)
            print(shown, {judge: len(found) for judge, found in told.items()}, flush=True)
    return {"judges": verdicts.judges(), "rows": rows, "versions": dict(sorted(versions.items()))}


def main() -> None:
    if "--page" not in sys.argv:
        ANSWERS.write_text(json.dumps(collect(), indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(json.loads(ANSWERS.read_text())))


if __name__ == "__main__":
    main()
