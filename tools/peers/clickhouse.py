"""Asks ClickHouse (PyPI chdb) the questions of `make bench-parts PEERS=…`, over the same events.

    clickhouse.py EVENTS.csv <questions.json

Standard input is a JSON object of SQL by name, asked of a table `ev` in the order that suits the questions best: by name, person and
time. Standard output is a JSON object of {"answer", "ms"} by name, where ms are the times of five runs in milliseconds.
"""

import json
import sys
import tempfile
import time

from chdb import session

RUNS = 5
COLUMNS = "ts UInt64, name String, user_id String, page String, referrer String, plan String, amount Decimal64(2)"


def main(events: str) -> None:
    questions = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as data:
        ask = session.Session(data).query
        ask("CREATE DATABASE d ENGINE = Atomic")
        ask(
            "CREATE TABLE d.ev (ts UInt64, name LowCardinality(String), user_id String, page LowCardinality(String),"
            " referrer LowCardinality(String), plan LowCardinality(String), amount Decimal64(2))"
            " ENGINE = MergeTree ORDER BY (name, user_id, ts)"
        )
        ask(f"INSERT INTO d.ev SELECT * FROM file('{events}', CSVWithNames, '{COLUMNS}')")
        ask("OPTIMIZE TABLE d.ev FINAL")
        answers = {}
        for name, sql in questions.items():
            times = []
            for _ in range(RUNS):
                start = time.perf_counter()
                answer = ask(sql.replace(" ev", " d.ev"), "TabSeparated").data().strip()
                times.append((time.perf_counter() - start) * 1000)
            answers[name] = {"answer": answer, "ms": times}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
