"""One HTTP request. Redirects are followed where they stay with the same scheme, host and port."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException, responses
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from executors.requests.failing import Failed
from executors.requests.filling import fill
from executors.requests.output import Output

CHUNK = 65_536
REDIRECTS = 10
SILENCE_S = 60.0
"""Seconds without a byte from the server after which the request fails, unless the task has a shorter timeout."""

_MOVED = (301, 302, 303, 307, 308)
_AS_IT_IS = ":/?#[]@!$&'()*+,;=%-._~"


class _Answers(urllib.request.HTTPErrorProcessor):
    """Takes every answer as it is: redirects and errors are judged here."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """Return the answer."""
        return response

    https_response = http_response


def perform(fields: Mapping[str, Any]) -> str:
    """Do the request that ``fields`` describe (`Http`, with ``output`` and ``timeout``); returns how it went."""
    url = quote(fill(fields["url"], "url", os.environ), safe=_AS_IT_IS)
    headers = {name: fill(value, f"header {name}", os.environ) for name, value in fields.get("headers", {}).items()}
    body = None if fields.get("body") is None else fill(fields["body"], "body", os.environ).encode()
    expected = tuple(fields.get("expect_status", ()))
    method = fields.get("method", "GET")
    limit = min(SILENCE_S, fields.get("timeout") or SILENCE_S)
    opener = urllib.request.build_opener(_Answers)
    for _ in range(REDIRECTS + 1):
        try:
            with opener.open(_request(method, url, headers, body), timeout=limit) as answer:
                target = answer.headers.get("Location") if answer.status in _MOVED else None
                if target is None or answer.status in expected:
                    return _take(answer, expected, fields.get("output"))
                url = _followed(url, target)
                if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                    method, body = ("HEAD" if method == "HEAD" else "GET"), None
        except TimeoutError:
            raise Failed(f"{_host(url)} did not answer within {limit:g} s.") from None
        except urllib.error.URLError as error:
            raise Failed(_unreachable(url, error.reason, limit)) from None
        except (HTTPException, OSError) as error:
            raise Failed(f"The connection to {_host(url)} broke: {type(error).__name__}: {error}.") from None
    raise Failed(f"{_host(url)} redirected more than {REDIRECTS} times.")


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> urllib.request.Request:
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise Failed("The url is not an address with http or https once its variables are filled in.")
    known = {"user-agent": "quarterdeck", "accept": "*/*"}
    if body is not None:
        known["content-type"] = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
    for name, value in headers.items():
        if any(character in name + value for character in "\r\n\0"):
            raise Failed(f"The header {name!r} holds a line break or a NUL.")
        known.pop(name.lower(), None)
    return urllib.request.Request(url, data=body, headers={**known, **headers}, method=method)  # noqa: S310 - checked


def _followed(url: str, target: str) -> str:
    """Return the address that an answer redirects to; Failed when it is another host's."""
    found = urljoin(url, quote(target, safe=_AS_IT_IS))
    if _origin(found) != _origin(url):
        raise Failed(f"It redirects to another host, {_host(found)}. Give that address if it is the one you mean.")
    return found


def _take(answer: Any, expected: tuple[int, ...], path: str | None) -> str:
    reason = answer.reason or responses.get(answer.status, "")
    status = f"{answer.status} {reason}".strip()
    ok = answer.status in expected if expected else 200 <= answer.status < 300
    with Output(path if ok else None) as output:
        while data := answer.read(CHUNK):
            output.write(data)
        if answer.length:
            raise Failed(f"The connection broke: {answer.length:,} bytes of the answer did not come.")
    if not ok:
        wanted = ", ".join(map(str, expected)) or "200 to 299"
        raise Failed(f"The answer was {status}, not {wanted}.")
    return f"{status}, {output.size:,} bytes.{output.left_out()}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _host(url: str) -> str:
    """Return scheme, host and port: the rest of an address may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _unreachable(url: str, reason: object, limit: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"{_host(url)} did not answer within {limit:g} s."
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"The certificate of {_host(url)} is not trusted: {reason.verify_message}."
    why = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
    return f"{_host(url)} cannot be reached: {why}."
