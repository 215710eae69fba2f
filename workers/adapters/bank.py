"""A bank over HTTP: orders with an idempotency key, and a list of messages that is read from a place on.

    POST {url}/payments             Idempotency-Key: KEY; 200, 201 taken; 422 refused for good; 409 paid already
    GET  {url}/messages?after=N     {"feed": ..., "messages": [...], "next": N}

Anything else is no answer: wrong token, wrong path, overload, timeout. Then the same order is sent again under its key;
an order fails for good only when the bank says so in these words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import stamina

from workers.ports import BankMessage, BankUnavailable, OrderRefused, OrderTaken, OrderUnclear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.ports import OrderAnswer, PayoutOrder

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of an answer that are read: a page of messages has some 40 kB."""

MOST_TEXT = 500
"""Characters of a reason that are kept."""

TRIES = 3
"""Calls in quick succession when the connection breaks; after that the order waits its turn."""


class HttpBankOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bank is."""

    url: str
    """Base address, without the path."""
    token: str | None = None
    """Bearer token."""
    call_seconds: float = 10.0
    """Seconds for one call with its quick repetitions."""


class _Taken(msgspec.Struct):
    reference: str
    repeated: bool = False


class _Page(msgspec.Struct):
    messages: list[BankMessage]
    next: int
    feed: str = ""


class _Broken(Exception):
    """The connection broke, or the bank is overloaded: the call may have come through."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds, when the bank says so."""
        super().__init__(why)
        self.retry_after = retry_after


class HttpBank:
    """The port of a bank, over one session that is opened at the first call."""

    def __init__(self, options: HttpBankOptions) -> None:
        """Nothing is connected yet."""
        self._options = options
        self._base = options.url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def pay(self, order: PayoutOrder) -> OrderAnswer:
        """Hand over one order."""
        try:
            status, body = await self._call(
                "POST", "/payments", headers={"Idempotency-Key": order.key}, data=msgspec.json.encode(order)
            )
        except _Broken as problem:
            return OrderUnclear(str(problem), problem.retry_after)
        if status in (200, 201):
            try:
                taken = msgspec.json.decode(body, type=_Taken)
            except msgspec.DecodeError as problem:
                return OrderUnclear(f"the bank's answer cannot be read: {problem}")
            return OrderTaken(taken.reference[:MOST_TEXT], taken.repeated)
        if status == 422:
            return OrderRefused(_reason(body, "refused"))
        if status == 409:
            return OrderRefused(_reason(body, "the bank knows this payment under another key"), doubtful=True)
        return OrderUnclear(f"the bank answers {status} to POST /payments: {_hint(status)}")

    async def messages(self, after: str, limit: int) -> tuple[Sequence[BankMessage], str]:
        """What the bank said after a place. A list that was begun anew is read from its start."""
        feed, _, number = after.rpartition(":")
        page = await self._page(int(number or 0), limit)
        if feed and page.feed != feed:
            page = await self._page(0, limit)
        if not page.messages and page.feed == feed:
            return (), after
        return [_shortened(message) for message in page.messages], f"{page.feed}:{page.next}"

    async def aclose(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _page(self, after: int, limit: int) -> _Page:
        try:
            status, body = await self._call("GET", "/messages", params={"after": str(after), "limit": str(limit)})
            if status != 200:
                raise BankUnavailable(f"the bank answers {status} to GET /messages: {_hint(status)}")
            return msgspec.json.decode(body, type=_Page)
        except (_Broken, msgspec.DecodeError) as problem:
            raise BankUnavailable(str(problem)) from problem

    async def _call(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        """One call, repeated when the connection breaks: every call is idempotent."""
        seconds = self._options.call_seconds
        async for attempt in stamina.retry_context(
            on=_Broken, attempts=TRIES, timeout=seconds, wait_initial=0.05, wait_max=0.5, wait_jitter=0.05
        ):
            with attempt:
                return await self._once(method, path, **more)
        raise AssertionError("stamina raises the last error")

    async def _once(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        try:
            async with self._opened().request(method, self._base + path, **more) as answer:
                if answer.status == 429 or answer.status >= 500:
                    after = answer.headers.get("Retry-After", "")
                    raise _Broken(f"the bank answers {answer.status}", float(after) if after.isdecimal() else None)
                return answer.status, await _limited(answer)
        except TimeoutError as problem:
            raise _Broken(f"no answer of the bank within {self._options.call_seconds:g} s") from problem
        except (aiohttp.ClientError, OSError) as problem:
            why = str(problem) or type(problem).__name__
            raise _Broken(f"the bank cannot be reached: {why}"[:MOST_TEXT]) from problem

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._options.token is not None:
                headers["Authorization"] = f"Bearer {self._options.token}"
            timeout = aiohttp.ClientTimeout(total=self._options.call_seconds)
            self._session = aiohttp.ClientSession(headers=headers, timeout=timeout)
        return self._session


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise _Broken(f"the bank's answer is larger than {MOST_BYTES // 2**20} MiB")
    return bytes(body)


def _reason(body: bytes, otherwise: str) -> str:
    try:
        told = msgspec.json.decode(body, type=dict[str, Any]).get("error")
    except msgspec.DecodeError:
        told = None
    return told[:MOST_TEXT] if isinstance(told, str) and told else otherwise


def _hint(status: int) -> str:
    return "check bank.token" if status in (401, 403) else "check bank.url"


def _shortened(message: BankMessage) -> BankMessage:
    """No text of a message is longer than it may be in our log."""
    return msgspec.structs.replace(
        message,
        id=message.id[:128],
        payment_id=message.payment_id[:128],
        key=message.key[:128],
        currency=message.currency[:8],
        reference=message.reference[:MOST_TEXT],
        reason=message.reason[:MOST_TEXT],
    )
