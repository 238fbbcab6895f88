"""Tools: what the Researcher may ask before it plans. See `docs/design/llm.md`."""

from __future__ import annotations

from trex_agent.tools.toolbox import Tool, Toolbox

__all__ = ["Tool", "Toolbox"]
