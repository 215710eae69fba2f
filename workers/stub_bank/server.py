"""The stub bank over HTTP.

| route | what |
|---|---|
| `POST /payments` with `Idempotency-Key` | place an order: 201, 200 again, 409 paid under another key, 422 refused |
| `GET /messages?after=N&limit=M` | what became of orders: confirmed, failed, reversed |
| `PUT /admin/behaviour` | how to misbehave from now on (`workers.stub_bank.behaviour`) |
| `POST /admin/reverse` | `{"key": ..., "reason": ..., "amount": minor}`: a payment comes back |
| `POST /admin/message` | any message into the list, as a bank with a bug would |
| `GET /admin/statement` | every order, and how often it was asked for |
"""

from __future__ import annotations

import asyncio
import hmac
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from workers.stub_bank.behaviour import Behaviour
from workers.stub_bank.book import BankBook, Order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

MOST_BYTES = 64 * 1024
"""Bytes of a request: an order has some 300."""


class StubBank:
    """The routes over one book."""

    def __init__(self, book: BankBook, token: str | None = None) -> None:
        """`token`: what clients have to show; None: nothing."""
        self._book = book
        self._token = token
        self.behaviour = Behaviour()

    def statement(self) -> dict[str, Any]:
        """Every order, and how often it was asked for."""
        return self._book.statement()

    def say(self, message: dict[str, Any]) -> None:
        """Put any message into the list."""
        self._book.say(message)

    def reverse(self, key: str, reason: str, amount: int | None = None) -> bool:
        """Let a payment come back; False when nothing was paid under this key."""
        return self._book.reverse(key, reason, amount)

    def application(self) -> web.Application:
        """The routes."""

        @web.middleware
        async def checked(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            return await self._checked(request, handler)

        app = web.Application(client_max_size=MOST_BYTES, middlewares=[checked])
        app.router.add_post("/payments", self._pay)
        app.router.add_get("/messages", self._messages)
        app.router.add_put("/admin/behaviour", self._behave)
        app.router.add_post("/admin/reverse", self._reverse)
        app.router.add_post("/admin/message", self._say)
        app.router.add_get("/admin/statement", self._statement)
        return app

    async def _checked(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The token; and what cannot be read is answered, not raised."""
        if self._token is not None:
            shown = request.headers.get("Authorization", "")
            if not hmac.compare_digest(shown.encode(), f"Bearer {self._token}".encode()):
                return _answer(401, {"error": "no such token"})
        try:
            return await handler(request)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as problem:
            return _answer(400, {"error": str(problem)})

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        if not 1 <= len(key) <= 128:
            return _answer(400, {"error": "Idempotency-Key: 1 to 128 characters"})
        order = msgspec.json.decode(await request.read(), type=Order)
        if order.amount <= 0:
            return _answer(422, {"error": "AMOUNT_NOT_ABOVE_ZERO"})
        behaviour = self.behaviour
        if behaviour.unavailable:
            self._now(unavailable=behaviour.unavailable - 1)
            return _answer(503, {"error": "closed for a moment"})
        placed = self._book.place(key, order, behaviour)
        if placed.status == 201 and behaviour.fail_next:
            left = behaviour.fail_next - 1
            self._now(fail_next=left, fail_later=behaviour.fail_later if left else "")
        if behaviour.slow_seconds:
            await asyncio.sleep(behaviour.slow_seconds)
        if behaviour.lose_replies:
            self._now(lose_replies=behaviour.lose_replies - 1)
            assert request.transport is not None
            request.transport.abort()
        if placed.error:
            return _answer(placed.status, {"error": placed.error})
        return _answer(placed.status, {"reference": placed.reference, "repeated": placed.repeated})

    async def _messages(self, request: web.Request) -> web.Response:
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "100"))
        messages, behind = self._book.messages(max(after, 0), min(max(limit, 1), 1000))
        return _answer(200, {"feed": self._book.feed, "messages": messages, "next": behind})

    async def _behave(self, request: web.Request) -> web.Response:
        self.behaviour = msgspec.json.decode(await request.read(), type=Behaviour)
        return _answer(200, msgspec.to_builtins(self.behaviour))

    async def _reverse(self, request: web.Request) -> web.Response:
        wish = msgspec.json.decode(await request.read(), type=dict[str, Any])
        done = self.reverse(str(wish["key"]), str(wish.get("reason", "RETURNED")), wish.get("amount"))
        return _answer(200 if done else 404, {"reversed": done})

    async def _say(self, request: web.Request) -> web.Response:
        self.say(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        return _answer(200, {"said": True})

    async def _statement(self, request: web.Request) -> web.Response:
        del request
        return _answer(200, self.statement())

    def _now(self, **changes: Any) -> None:
        self.behaviour = msgspec.structs.replace(self.behaviour, **changes)


def _answer(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


@asynccontextmanager
async def serving_bank(
    *, host: str = "127.0.0.1", port: int = 0, file: Path | None = None, token: str | None = None
) -> AsyncIterator[tuple[str, StubBank]]:
    """The bank at its address for the time of the block. OSError: the port is taken."""
    book = BankBook(file)
    book.open()
    bank = StubBank(book, token)
    runner = web.AppRunner(bank.application(), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield f"http://{host}:{bound}", bank
    finally:
        await runner.cleanup()
        book.close()
