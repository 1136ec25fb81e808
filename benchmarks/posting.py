"""Posts requests with wrk, for benchmarks/serving.py. Not run by hand."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from served import Item, Side

# One thread of wrk runs one interpreter, so the bodies take turns over all connections.
SCRIPT = """\
local requests, at = {}, 0
init = function(args)
  for line in io.lines("BODIES") do
    local path, body = line:match("^(%S+) (.*)$")
    requests[#requests + 1] =
      wrk.format("POST", path, {["Content-Type"] = "application/json"}, body)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n@{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "status": %d, "socket": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


def wrk(port: int, lines: list[str], clients: int, seconds: int, scratch: Path) -> dict[str, Any]:
    """Runs wrk; returns its number of requests, rate, p50 and p99 in ms, and errors."""
    bodies, script = scratch / "bodies", scratch / "post.lua"
    bodies.write_text("\n".join(lines) + "\n")
    script.write_text(SCRIPT.replace("BODIES", str(bodies)))
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{port}"], capture_output=True, text=True
    )
    found = re.search(r"^@(.*)$", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise SystemExit(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    figures: dict[str, Any] = json.loads(found[1])
    figures["rate"] = figures["requests"] / (figures["microseconds"] / 1e6)
    return figures


def lines(side: Side, encoding: str, items: list[Item]) -> list[str]:
    """The lines that `SCRIPT` reads: a path and a body."""
    return [f"{side.path(encoding)} {json.dumps(side.body(encoding, item))}" for item in items]
