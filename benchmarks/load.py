"""Load from ``wrk``: one request template, each connection with a run of its own.

wrk is written in C and leaves a small machine to the server. PERF: with 20 connections and the script below
it takes some 25 µs of CPU per request, the same with and without counting statuses, and with 2 threads or 20.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.client import HEADERS, Client
from benchmarks.stats import percentile

MARK = "RESULT "
REQUEST_SECONDS = 30
"""After which wrk gives a request up."""
ONE_BY_ONE_SECONDS = 60


class LoadFailed(RuntimeError):
    """wrk is missing or did not finish; the message says what to do."""


@dataclass(frozen=True)
class Template:
    """A request; in its path and body ``@run@`` and ``@step@`` stand for a run id and a number.

    In a body, ``@id@`` is that number, too: eight hexadecimal digits. ``@experiment@`` and the like are filled in once,
    before all requests (see ``about``). ``headers`` are sent beside the client's.
    """

    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def about(self, ids: Mapping[str, str]) -> Template:
        """Return the template with each of ``ids`` for its ``@name@``."""
        path, body = self.path, self.body
        for name, value in ids.items():
            path, body = path.replace(f"@{name}@", value), body.replace(f"@{name}@", value)
        return Template(self.method, path, body, self.headers)

    def filled(self, run: str, step: int) -> tuple[str, str, str]:
        """Return method, path and body of one request."""

        def fill(text: str) -> str:
            return text.replace("@run@", run).replace("@step@", str(step)).replace("@id@", f"{step:08x}")

        return self.method, fill(self.path), fill(self.body)


@dataclass(frozen=True)
class LoadResult:
    """What wrk saw; latencies in milliseconds, over all answers."""

    seconds: float
    sent: int
    """Requests that a client began to send; the last one of each may not have been answered."""
    statuses: dict[int, int]
    broken: dict[str, int]
    """Requests without an answer, by wrk's word for it: connect, read, write, timeout."""
    starved: int
    """Connections on which not one request was answered."""
    received_bytes: int
    p50: float
    p95: float
    p99: float
    longest: float

    @property
    def answered(self) -> int:
        """Requests that were answered, whatever the answer."""
        return sum(self.statuses.values())

    @property
    def acknowledged(self) -> int:
        """Requests that were answered 200."""
        return self.statuses.get(200, 0)

    @property
    def failed(self) -> int:
        """Requests that were answered otherwise, or not at all."""
        return self.answered - self.acknowledged + sum(self.broken.values())

    @property
    def rate(self) -> float:
        """Acknowledged requests per second."""
        return self.acknowledged / self.seconds


class Load:
    """A run of wrk that has begun.

    With as many threads as connections each connection is a Lua state of its own, so that it alone writes to
    its run: within one thread wrk does not tell a script which connection it asks a request for.
    """

    def __init__(
        self,
        port: int,
        template: Template,
        runs: Sequence[str],
        seconds: float,
        first_step: int = 1,
        apart: int = 0,
    ) -> None:
        """Every client counts its steps from ``first_step``, or from ``apart`` after the client before it."""
        wrk = shutil.which("wrk")
        if wrk is None:
            raise LoadFailed("wrk is not installed: it is Debian's package `wrk` (apt-get install wrk).")
        self._seconds = seconds
        self._home = tempfile.TemporaryDirectory(prefix="wrk-")
        script = Path(self._home.name, "requests.lua")
        script.write_text(lua(template, runs, first_step, apart))
        clients = str(len(runs))
        command = [wrk, "-t", clients, "-c", clients, "-d", f"{max(round(seconds), 1)}s"]
        command += ["--timeout", f"{REQUEST_SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait(self) -> LoadResult:
        """Wait for the end; raises ``LoadFailed`` where wrk did not say what it saw."""
        try:
            output, _ = self._process.communicate(timeout=self._seconds + 2 * REQUEST_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            raise LoadFailed("wrk did not end in time") from None
        finally:
            self._home.cleanup()
        return parse(output)

    def stop(self) -> None:
        """End wrk at once, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class OneByOne:
    """Requests of one client, for a server that leaves a load of ``seconds`` without any answer.

    It takes as long as it needs for its last request, and sends one at least.
    """

    def __init__(self, port: int, template: Template, run: str, seconds: float, first_step: int = 1) -> None:
        self._port, self._template, self._run = port, template, run
        self._seconds, self._step = seconds, first_step

    def wait(self) -> LoadResult:
        """Send the requests; raises ``OSError`` or ``HTTPException`` where one is not answered."""
        statuses: Counter[int] = Counter()
        took: list[float] = []
        received = 0
        begin = time.monotonic()
        with Client(self._port, timeout=ONE_BY_ONE_SECONDS) as client:
            while not took or time.monotonic() - begin < self._seconds:
                since = time.monotonic()
                status, body = client.ask(
                    *self._template.filled(self._run, self._step + len(took)), self._template.headers
                )
                took.append((time.monotonic() - since) * 1000)
                statuses[status] += 1
                received += len(body)
        p50, p95, p99, longest = (percentile(took, percent) for percent in (50, 95, 99, 100))
        seconds, answered = time.monotonic() - begin, len(took)
        return LoadResult(seconds, answered, dict(statuses), {}, 0, received, p50, p95, p99, longest)

    def stop(self) -> None:
        """Nothing is under way between calls."""


def parse(output: str) -> LoadResult:
    """Return what the script's last line says; raises ``LoadFailed`` where there is none."""
    found = re.search(rf"^{MARK}(.*)$", output, re.MULTILINE)
    if found is None:
        raise LoadFailed(f"wrk: {output.strip()[-500:]}")
    seen = json.loads(found[1])
    return LoadResult(
        seconds=seen["duration"] / 1e6,
        sent=int(seen["sent"]),
        statuses={int(status): int(number) for status, number in seen["statuses"].items()},
        broken={word: int(number) for word, number in seen["broken"].items() if number},
        starved=int(seen["starved"]),
        received_bytes=int(seen["bytes"]),
        p50=seen["p50"] / 1e3,
        p95=seen["p95"] / 1e3,
        p99=seen["p99"] / 1e3,
        longest=seen["max"] / 1e3,
    )


def lua(template: Template, runs: Sequence[str], first_step: int, apart: int = 0) -> str:
    """Return wrk's script: every thread takes one of ``runs`` and counts its steps from its own first one."""
    own = {name: value for name, value in HEADERS.items() if template.body or name != "Content-Type"}
    sent = {**own, **template.headers}
    headers = "".join(f"wrk.headers[{_quoted(name)}] = {_quoted(value)}\n" for name, value in sent.items())
    return _SCRIPT % {
        "runs": ", ".join(map(_quoted, runs)),
        "before_first": first_step - 1,
        "apart": apart,
        "method": _quoted(template.method),
        "headers": headers,
        "path": _parts(template.path),
        "body": _parts(template.body) if template.body else "nil",
        "mark": _quoted(MARK),
    }


def _parts(text: str) -> str:
    pieces = [piece for piece in re.split(r"(@run@|@step@|@id@)", text) if piece]
    return "{" + ", ".join(map(_quoted, pieces)) + "}"


def _quoted(text: str) -> str:
    """Return a Lua string; JSON's escapes of quotes and backslashes are Lua's as well."""
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"only printable ASCII can be sent: {text!r}")
    return json.dumps(text)


_SCRIPT = """
local runs = {%(runs)s}
local threads = {}

local function before_first(number)
   return %(before_first)d + (number - 1) * %(apart)d
end

function setup(thread)
   table.insert(threads, thread)
   thread:set("run", runs[#threads])
   thread:set("step", before_first(#threads))
end

statuses = {}
wrk.method = %(method)s
%(headers)s
local path, body = %(path)s, %(body)s
local path_steps, body_steps, ids = {}, {}, {}

local function prepare(parts, steps)
   for place, part in ipairs(parts or {}) do
      if part == "@run@" then parts[place] = run end
      if part == "@id@" then table.insert(ids, place) end
      if part == "@step@" then table.insert(steps, place) end
   end
end

local function filled(parts, steps, step)
   for _, place in ipairs(steps) do parts[place] = step end
   return table.concat(parts)
end

function init(args)
   prepare(path, path_steps)
   prepare(body, body_steps)
end

function request()
   step = step + 1
   local number = string.format("%%d", step)
   for _, place in ipairs(ids) do body[place] = string.format("%%08x", step) end
   return wrk.format(nil, filled(path, path_steps, number), nil, body and filled(body, body_steps, number))
end

function response(status)
   statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency, requests)
   -- wrk tries the first thread's function once, and sends nothing of that.
   local seen, starved, sent = {}, 0, -1
   for number, thread in ipairs(threads) do
      sent = sent + thread:get("step") - before_first(number)
      local answered = thread:get("statuses")
      if next(answered) == nil then starved = starved + 1 end
      for status, number in pairs(answered) do
         seen[status] = (seen[status] or 0) + number
      end
   end
   local counted = {}
   for status, number in pairs(seen) do
      table.insert(counted, string.format('"%%d": %%d', status, number))
   end
   local errors = summary.errors
   io.write("\\n", %(mark)s, string.format(
      '{"duration": %%d, "bytes": %%d, "p50": %%f, "p95": %%f, "p99": %%f, "max": %%f, "statuses": {%%s}, ' ..
      '"starved": %%d, "sent": %%d, "broken": {"connect": %%d, "read": %%d, "write": %%d, "timeout": %%d}}',
      summary.duration, summary.bytes, latency:percentile(50), latency:percentile(95), latency:percentile(99),
      latency.max, table.concat(counted, ", "), starved, sent,
      errors.connect, errors.read, errors.write, errors.timeout), "\\n")
end
"""
