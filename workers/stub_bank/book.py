"""The books of the stub bank: orders by idempotency key, messages in order. Every step is one transaction.

Money that left is a row with state `paid`; at most one such row per payment id, which an index enforces.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from workers.stub_bank.behaviour import Behaviour

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY, payment TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, body TEXT NOT NULL,
    reference TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', retryable INTEGER NOT NULL DEFAULT 0,
    answer_at REAL NOT NULL, answers INTEGER NOT NULL, new_ids INTEGER NOT NULL, answered INTEGER NOT NULL DEFAULT 0,
    asked INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX IF NOT EXISTS paid_once ON orders (payment) WHERE state = 'paid';
CREATE TABLE IF NOT EXISTS messages (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS feed (id TEXT NOT NULL);
"""


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """What a client wants paid; `amount` in minor units of `currency`."""

    payment_id: str
    payee_id: str
    amount: int
    currency: str
    key: str = ""
    claim_id: str = ""
    method: str = "transfer"


class Placed(msgspec.Struct, frozen=True):
    """How an order was taken: `reference`, or the reason of a refusal with its HTTP status."""

    status: int
    reference: str = ""
    repeated: bool = False
    error: str = ""


class BankBook:
    """One SQLite file, or memory."""

    def __init__(self, path: Path | None) -> None:
        """Opened by `open`."""
        self._path = str(path) if path is not None else ":memory:"
        self._db: sqlite3.Connection

    def open(self) -> None:
        """Open or make the books."""
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)
        if self._db.execute("SELECT count(*) FROM feed").fetchone()[0] == 0:
            self._db.execute("INSERT INTO feed VALUES (?)", (uuid4().hex[:12],))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def feed(self) -> str:
        """The id of this list of messages: another one when the books were begun anew."""
        return str(self._db.execute("SELECT id FROM feed").fetchone()[0])

    def place(self, key: str, order: Order, behaviour: Behaviour) -> Placed:
        """Take an order once; the same key again gives the first answer."""
        body = msgspec.json.encode(msgspec.structs.replace(order, key=key)).decode()
        with self._transaction():
            known = self._db.execute("SELECT body, reference FROM orders WHERE key = ?", (key,)).fetchone()
            if known is not None:
                self._db.execute("UPDATE orders SET asked = asked + 1 WHERE key = ?", (key,))
                if known[0] != body:
                    return Placed(422, error="IDEMPOTENCY_KEY_OF_ANOTHER_ORDER")
                return Placed(200, known[1], repeated=True)
            other = self._db.execute(
                "SELECT key FROM orders WHERE payment = ? AND state = 'paid'", (order.payment_id,)
            ).fetchone()
            if other is not None:
                return Placed(409, error=f"payment {order.payment_id} was paid under the key {other[0]}")
            if behaviour.refuse:
                return Placed(422, error=behaviour.refuse)
            fails = bool(behaviour.fail_later)
            reference = f"BNK-{uuid4().hex[:10].upper()}"
            self._db.execute(
                "INSERT INTO orders (key, payment, amount, currency, body, reference, state, reason, retryable,"
                " answer_at, answers, new_ids) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    key, order.payment_id, order.amount, order.currency, body, reference,
                    "failed" if fails else "paid", behaviour.fail_later, int(behaviour.retryable),
                    time.time() + behaviour.answer_after, behaviour.answers, int(behaviour.new_ids),
                ),
            )  # fmt: skip
            return Placed(201, reference)

    def messages(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Messages behind a place, and the place behind them. Those that are due are written first."""
        with self._transaction():
            due = self._db.execute(
                "SELECT key FROM orders WHERE answered = 0 AND answer_at <= ? ORDER BY answer_at", (time.time(),)
            ).fetchall()
            for (key,) in due:
                self._answer(key)
            rows = self._db.execute(
                "SELECT seq, body FROM messages WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        return [msgspec.json.decode(body) for _, body in rows], rows[-1][0] if rows else after

    def reverse(self, key: str, reason: str, amount: int | None) -> bool:
        """Take a payment back and say so; False when nothing was paid under this key."""
        with self._transaction():
            row = self._db.execute(
                "SELECT payment, amount, currency, reference FROM orders WHERE key = ? AND state = 'paid'", (key,)
            ).fetchone()
            if row is None:
                return False
            if amount is None:
                self._db.execute("UPDATE orders SET state = 'reversed' WHERE key = ?", (key,))
            self._say(
                kind="reversed", key=key, paymentId=row[0], amount=amount or row[1], currency=row[2], reference=row[3],
                reason=reason,
            )  # fmt: skip
            return True

    def say(self, message: dict[str, Any]) -> None:
        """Put any message into the list."""
        with self._transaction():
            self._say(**message)

    def statement(self) -> dict[str, Any]:
        """Every order, and what left."""
        rows = self._db.execute(
            "SELECT key, payment, amount, currency, state, reference, asked FROM orders ORDER BY rowid"
        ).fetchall()
        names = ("key", "paymentId", "amount", "currency", "state", "reference", "asked")
        return {"feed": self.feed, "orders": [dict(zip(names, row, strict=True)) for row in rows]}

    def _answer(self, key: str) -> None:
        row = self._db.execute(
            "SELECT payment, amount, currency, reference, reason, retryable, answers, new_ids FROM orders"
            " WHERE key = ?", (key,),
        ).fetchone()  # fmt: skip
        payment, amount, currency, reference, reason, retryable, answers, new_ids = row
        self._db.execute("UPDATE orders SET answered = 1 WHERE key = ?", (key,))
        identity = uuid4().hex
        for _ in range(answers):
            self._say(
                id=uuid4().hex if new_ids else identity, kind="failed" if reason else "confirmed", key=key,
                paymentId=payment, amount=amount, currency=currency, reference=reference, reason=reason,
                retryable=bool(retryable),
            )  # fmt: skip

    def _say(self, **message: Any) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {"id": uuid4().hex, "at": at} | message
        self._db.execute("INSERT INTO messages (body) VALUES (?)", (msgspec.json.encode(body).decode(),))

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT; ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
